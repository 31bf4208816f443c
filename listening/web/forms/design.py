"""How items and systems are shared out over listeners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from evaluation.contexts import Context
from listening.methods import METHODS
from listening.models import Study
from listening.study import design as designs
from listening.web.forms.base import Section, whole_field


class Design(Section):
    slug = "design"
    title = "Design"
    step = "check"
    help = "Which items and systems each listener hears. Orders are always balanced."
    locked = True

    items_per_session = whole_field("Items per listener", "Leave empty to use all of them.")
    systems_per_trial = whole_field(
        "Systems per trial",
        "In addition to the hidden reference and the anchors. Leave empty to use all, or as many as fit.",
    )
    drop_out_hours = forms.FloatField(
        required=False, min_value=0.1, max_value=24 * 365,
        label="Treat as dropped out after (hours)",
        help_text="The place then goes to someone else; a listener who returns later can still finish. "
        f"Leave empty for {designs.DROP_OUT_HOURS:g}.",
    )  # fmt: skip

    def __init__(self, study: Study, data: Mapping[str, Any] | None = None, user: Any = None) -> None:
        super().__init__(study, data, user)
        if designs.max_systems_per_trial(METHODS[study.method]) is None:
            del self.fields["systems_per_trial"]  # the method says what shares a trial

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        return {**study.design.to_json()}

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
