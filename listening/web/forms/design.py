"""How items and systems are shared out over listeners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from evaluation.contexts import Context
from listening.methods import METHODS
from listening.models import Study
from listening.study import design as designs
from listening.web.forms.base import Section


class Design(Section):
    slug = "design"
    title = "Design"
    step = "check"
    template = "listening/setup/_design.html"
    help = "Who hears what. Orders are balanced either way."
    locked = True

    items_per_session = forms.IntegerField(
        required=False, min_value=1, label="Items per listener", help_text="Empty: all of them."
    )
    systems_per_trial = forms.IntegerField(
        required=False, min_value=1, label="Systems per trial",
        help_text="Besides hidden reference and anchors. Empty: all, or as many as a trial has room for.",
    )  # fmt: skip
    drop_out_hours = forms.FloatField(
        required=False, min_value=0.1, max_value=24 * 365, label="Hours to a drop-out",
        help_text=f"Then the place is free; who comes later may still finish. "
        f"Empty: {designs.DROP_OUT_HOURS:g}.",
    )  # fmt: skip

    def __init__(self, study: Study, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(study, data)
        if designs.max_systems_per_trial(METHODS[study.method]) is None:
            del self.fields["systems_per_trial"]  # the method says what shares a trial

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        return study.design.to_json()

    def clean(self) -> Context:
        cleaned = {key: value for key, value in (super().clean() or {}).items() if value is not None}
        if self.errors:
            return cleaned
        graded = self.study.items.filter(training=False).count()
        method = METHODS[self.study.method]
        self.fitted = designs.fit_design(cleaned, method, graded, len(self.study.systems))
        return cleaned

    def apply(self, study: Study) -> list[str]:
        study.design = self.fitted
        return ["design"]
