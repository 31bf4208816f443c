"""How the study's method asks: pairs and trials of ABX, the hidden reference of ACR, and the like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from evaluation.contexts import Context
from listening.methods import METHODS
from listening.methods.options import Control
from listening.methods.pairs import PairOptions
from listening.models import Study
from listening.web.forms.base import Section

#: Stands for pairs that were named one by one, by program.
LISTED = "listed"


def _make_field(kind: object, control: Control) -> forms.Field:
    if control.choices:
        choices = [(value, words.capitalize()) for value, words in control.choices.items()]
        return forms.ChoiceField(label=control.label, help_text=control.help, choices=choices)
    if kind is bool:
        return forms.BooleanField(label=control.label, help_text=control.help, required=False)
    lowest, highest = control.limits or (None, None)
    return forms.IntegerField(
        label=control.label, help_text=control.help, min_value=lowest, max_value=highest
    )


class MethodOptions(Section):
    slug = "method"
    title = "Method settings"
    step = "check"
    locked = True

    def __init__(self, study: Study, data: Mapping[str, Any] | None = None, user: Any = None) -> None:
        super().__init__(study, data, user)
        self.method = METHODS[study.method]
        for name, (kind, control) in self.method.Options.controls().items():
            self.fields[name] = _make_field(kind, control)
        if "pairs" in self.fields and not isinstance(self._pairs_of(study), str):
            field = self.fields["pairs"]
            field.choices = [(LISTED, "As listed through the API"), *field.choices]  # type: ignore[attr-defined]

    @staticmethod
    def _pairs_of(study: Study) -> Any:
        return study.method_options.pairs if isinstance(study.method_options, PairOptions) else ""

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        options: Context = {**METHODS[study.method].defaults, **study.method_options.to_json()}
        if not isinstance(options.get("pairs", ""), str):
            options["pairs"] = LISTED
        return options

    def clean(self) -> Context:
        cleaned = dict(super().clean() or {})
        if cleaned.get("pairs") == LISTED:
            cleaned["pairs"] = self._pairs_of(self.study)
        if not self.errors:
            self.options = self.method.clean_options(cleaned, self.study.systems)
        return cleaned

    def apply(self, study: Study) -> list[str]:
        study.method_options = self.options
        return ["method_options"]
