"""Whether listeners have to wear headphones, and how that is checked."""

from __future__ import annotations

from django import forms

from evaluation.contexts import Context
from listening.columns import studies as columns
from listening.columns.studies import MAX_ATTEMPTS, ROUNDS, USUAL_PASS
from listening.models import Study
from listening.study.headphones import TESTS
from listening.web.forms.base import Section

_PASS = f"Correct answers (of {ROUNDS}) needed to pass"


class Headphones(Section):
    slug = "headphones"
    title = "Headphones"
    step = "who"
    help = (
        "Every listener sets the volume, checks left and right, and says what they listen with. "
        "A test can verify it."
    )
    locked = True

    required = forms.BooleanField(required=False, label="Exclude listeners who say they use loudspeakers")
    huggins = forms.BooleanField(required=False, label="Huggins pitch")
    huggins_pass = forms.IntegerField(required=False, min_value=1, max_value=ROUNDS, label=_PASS)
    huggins_attempts = forms.IntegerField(
        required=False, min_value=1, max_value=MAX_ATTEMPTS, label="Attempts"
    )
    antiphase = forms.BooleanField(required=False, label="Antiphase tones")
    antiphase_pass = forms.IntegerField(required=False, min_value=1, max_value=ROUNDS, label=_PASS)
    antiphase_attempts = forms.IntegerField(
        required=False, min_value=1, max_value=MAX_ATTEMPTS, label="Attempts"
    )
    on_fail = forms.ChoiceField(
        required=False,
        choices=[
            ("end", "end the session politely; keep the answers"),
            ("go_on", "note it and continue with the test"),
        ],
        label="If a listener fails",
    )

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        initial: Context = {
            "required": study.headphones.required,
            "on_fail": study.headphones.on_fail,
        }
        own = {test.test: test for test in study.headphones.tests}
        for slug in columns.TEST_NAMES:
            test = own.get(slug, columns.HeadphoneTest(test=slug))
            initial |= {
                slug: slug in own,
                f"{slug}_pass": test.to_pass,
                f"{slug}_attempts": test.attempts,
            }
        return initial

    def tests(self) -> list[Context]:
        """What the template shows of each test."""
        notes = {
            "huggins": "A tone that is heard only where each ear gets its own signal. As published, 80 % of "
            "listeners with headphones pass, and 20 % of those without.",
            "antiphase": "Which of three tones is softest: over loudspeakers another one cancels. Both tests "
            "together let about 7 % of those without headphones pass, and fewer of those with them.",
        }
        return [
            {
                "title": test.title,
                "source": test.source,
                "note": notes[slug],
                "on": self[slug],
                "pass": self[f"{slug}_pass"],
                "attempts": self[f"{slug}_attempts"],
            }
            for slug, test in TESTS.items()
        ]

    def apply(self, study: Study) -> list[str]:
        sent = self.cleaned_data
        tests = [
            {
                "test": slug,
                "pass": sent[f"{slug}_pass"] or USUAL_PASS,
                "attempts": sent[f"{slug}_attempts"] or 1,
            }
            for slug in TESTS
            if sent[slug]
        ]
        asked = columns.Headphones.model_validate(
            {"required": sent["required"], "tests": tests, "on_fail": sent["on_fail"] or "end"}
        )
        study.headphones = asked.complete()
        return ["headphones"]
