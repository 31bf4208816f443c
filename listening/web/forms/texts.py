"""What listeners read, in which language, and how often they may train."""

from __future__ import annotations

from django import forms

from evaluation.contexts import Context
from listening.columns import texts as columns
from listening.columns.studies import MAX_REPEATS
from listening.columns.texts import MAX_TEXT
from listening.models import Study
from listening.study.languages import CHOICES, LANGUAGES
from listening.web.forms.base import Section, text_field, whole_field


class Texts(Section):
    slug = "texts"
    title = "Texts and training"
    step = "who"
    help = "Leave a field empty to use the standard text in the chosen language."

    language = forms.ChoiceField(
        choices=CHOICES,
        label="Language of the listeners' pages",
        help_text="This includes the words of the scale; all listeners of a study read the same wording.",
    )
    other_languages = forms.MultipleChoiceField(
        choices=CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Other languages that listeners may switch to",
        help_text="Every page then offers the choice. Words of a scale differ between languages, so exports "
        "name the language of each listener. Your own texts and questions are shown as you wrote them.",
    )
    consent = text_field(
        "Consent",
        "What participants agree to, who is responsible, who to contact. What is stored and how to "
        "withdraw is always stated below it.",
        most=MAX_TEXT,
        rows=6,
    )
    instructions = text_field(
        "Instructions", "Shown above the standard instructions of the method.", most=MAX_TEXT, rows=4
    )
    thanks = text_field("Thanks", most=MAX_TEXT, rows=3)
    training_repeats = whole_field(
        "Extra training rounds allowed",
        "The page between training and test offers this many more rounds.",
        least=0,
        most=MAX_REPEATS,
    )

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        language = study.language if study.language in LANGUAGES else "en"
        return {
            "language": language,
            "other_languages": [code for code in study.other_languages if code != language],
            "training_repeats": study.training_repeats,
            **dict(study.texts),
        }

    @property
    def unpublished_scales(self) -> list[str]:
        """Languages in which the words of the scale are Earshot's own translation."""
        return [language.english for language in LANGUAGES.values() if not language.published]

    def apply(self, study: Study) -> list[str]:
        study.language = self.cleaned_data["language"]
        chosen = self.cleaned_data["other_languages"]
        study.other_languages = [code for code in LANGUAGES if code in chosen and code != study.language]
        study.texts = columns.Texts(**{key: self.cleaned_data[key] for key in columns.Texts.model_fields})
        study.training_repeats = self.cleaned_data["training_repeats"] or 0
        return ["language", "other_languages", "texts", "training_repeats"]
