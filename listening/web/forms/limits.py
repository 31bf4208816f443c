"""Who may take part, how many, and when."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from evaluation.contexts import Context
from listening.models import Study
from listening.study.sealing import check_seal
from listening.web.forms.base import Section, whole_field


class MomentField(forms.DateTimeField):
    """A date and time as browsers pick it, in the site's time zone."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    input_formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


class Limits(Section):
    slug = "limits"
    title = "Listeners and dates"
    step = "who"
    help = "You can change these at any time."

    listed = forms.BooleanField(
        required=False,
        label="List the study on the front page, so that anyone can take part",
        help_text="Otherwise only people with the link can.",
    )
    max_sessions = whole_field(
        "Maximum number of listeners",
        "Drop-outs free their place. BS.1534-3 says that 20 listeners are often enough.",
        most=100_000,
    )
    opens = MomentField(required=False, label="Opens", help_text="Leave empty to open it yourself.")
    closes = MomentField(required=False, label="Closes", help_text="Leave empty to close it yourself.")
    break_after = whole_field(
        "Trials before a break",
        "Offer a break after this many trials. Leave empty to offer none.",
        most=1000,
    )
    sealed_until = MomentField(
        required=False,
        label="Seal the grades until",
        help_text="Results stay hidden, even from you, until then; this prevents stopping early.",
    )

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        return {name: getattr(study, name) for name in cls.base_fields}

    def clean(self) -> Context:
        cleaned = super().clean() or {}
        opens, closes = cleaned.get("opens"), cleaned.get("closes")
        if opens and closes and closes <= opens:
            self.add_error("closes", _("The study would close before it opens."))
        stored, sent = self.study.sealed_until, cleaned.get("sealed_until")
        if stored and sent and stored.replace(second=0, microsecond=0) == sent:
            cleaned["sealed_until"] = stored  # browsers pick minutes
        elif "sealed_until" not in self.errors:
            check_seal(self.study, sent)
        return cleaned

    def apply(self, study: Study) -> list[str]:
        for name, value in self.cleaned_data.items():
            setattr(study, name, value)
        return list(self.cleaned_data)
