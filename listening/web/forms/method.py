"""How the study's method asks: pairs and trials of ABX, the hidden reference of ACR, and the like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from listening.methods import MAX_ABX_TRIALS, METHODS, PAIRS, PLAYS, PairOptions, clean_options
from listening.models import Study
from listening.web.forms.base import Section

#: Stands for pairs that were named one by one, by program.
LISTED = "listed"


class MethodOptions(Section):
    slug = "method"
    title = "How the method asks"
    step = "check"
    template = "listening/setup/_method.html"
    locked = True

    pairs = forms.ChoiceField(
        label="Pairs", choices=[(slug, words.capitalize()) for slug, words in PAIRS.items()]
    )
    trials = forms.IntegerField(
        label="Trials of each pair and item",
        min_value=1,
        max_value=MAX_ABX_TRIALS,
        help_text="Fewer than 5 cannot show anything: even all answers right are likely by chance. "
        "A listener who is right three times out of four is found with 80 % power in 23 trials.",
    )
    no_preference = forms.BooleanField(
        label="“No preference” is an answer",
        required=False,
        help_text="Without it listeners have to choose, which finds small preferences better.",
    )
    hidden_reference = forms.BooleanField(
        label="The original is graded, too",
        required=False,
        help_text="Hidden among the others; it says what the best grade in this test means.",
    )
    plays = forms.ChoiceField(
        label="A recording plays", choices=[(slug, words.capitalize()) for slug, words in PLAYS.items()]
    )

    def __init__(self, study: Study, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(study, data)
        self.method = METHODS[study.method]
        for name in set(self.fields) - set(self.method.defaults):
            del self.fields[name]
        if "pairs" in self.fields and not isinstance(self._pairs_of(study), str):
            field = self.fields["pairs"]
            field.choices = [(LISTED, "Those named by program"), *field.choices]  # type: ignore[attr-defined]

    @staticmethod
    def _pairs_of(study: Study) -> Any:
        return study.method_options.pairs if isinstance(study.method_options, PairOptions) else ""

    @classmethod
    def initial_of(cls, study: Study) -> dict[str, Any]:
        options = {**METHODS[study.method].defaults, **study.method_options.stored()}
        if not isinstance(options.get("pairs", ""), str):
            options["pairs"] = LISTED
        return options

    def clean(self) -> dict[str, Any]:
        cleaned = dict(super().clean() or {})
        if cleaned.get("pairs") == LISTED:
            cleaned["pairs"] = self._pairs_of(self.study)
        if not self.errors:
            self.options = clean_options(self.method, cleaned, self.study.systems)
        return cleaned

    def apply(self, study: Study) -> list[str]:
        study.method_options = self.options
        return ["method_options"]
