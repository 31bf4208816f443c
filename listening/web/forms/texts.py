"""What listeners read, in which language, and how often they may train."""

from __future__ import annotations

from django import forms

from evaluation.contexts import Context
from listening.columns import texts as columns
from listening.columns.studies import MAX_REPEATS
from listening.columns.texts import MAX_TEXT
from listening.models import Study
from listening.study.languages import CHOICES, LANGUAGES
from listening.web.forms.base import Section


class Texts(Section):
    slug = "texts"
    title = "Texts and training"
    step = "who"
    template = "listening/setup/_texts.html"
    help = "What is left empty is said in the usual words, in the language chosen."

    language = forms.ChoiceField(
        choices=CHOICES,
        label="Language of the listeners' pages",
        help_text="The words of the scale too: one study has one wording.",
    )
    consent = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 6}),
        label="Consent",
        help_text="What taking part means, who is responsible, whom to ask. What is stored and how to "
        "withdraw is said below it in any case.",
    )
    instructions = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 4}),
        label="Instructions",
        help_text="Shown above the usual ones of the method, which say what the standard wants said.",
    )
    thanks = forms.CharField(
        required=False, max_length=MAX_TEXT, widget=forms.Textarea(attrs={"rows": 3}), label="Thanks"
    )
    training_repeats = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_REPEATS,
        label="Repeats of the training that a listener may ask for",
        help_text="With 1 or more, a page between training and test says that grades count from there on.",
    )

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        language = study.language if study.language in LANGUAGES else "en"
        return {"language": language, "training_repeats": study.training_repeats, **dict(study.texts)}

    @property
    def unpublished_scales(self) -> list[str]:
        """Languages in which the words of the scale are Earshot's own translation."""
        return [language.english for language in LANGUAGES.values() if not language.published]

    def apply(self, study: Study) -> list[str]:
        study.language = self.cleaned_data["language"]
        study.texts = columns.Texts(**{key: self.cleaned_data[key] for key in columns.Texts.model_fields})
        study.training_repeats = self.cleaned_data["training_repeats"] or 0
        return ["language", "texts", "training_repeats"]
