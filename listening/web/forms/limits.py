"""Who may take part, how many, and when."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from evaluation.contexts import Context
from listening.models import Study
from listening.study.sealing import check_seal
from listening.web.forms.base import Section


class MomentField(forms.DateTimeField):
    """A date and time as browsers pick it, in the site's time zone."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    input_formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


class Limits(Section):
    slug = "limits"
    title = "Listeners and dates"
    step = "who"
    template = "listening/setup/_limits.html"
    help = "May change at any time."

    listed = forms.BooleanField(
        required=False,
        label="Show the study on the front page, so that anybody may take part",
        help_text="Otherwise only those with the link can.",
    )
    max_sessions = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=100_000,
        label="Listeners at most",
        help_text="Those who drop out make room for others. BS.1534-3: data of 20 are often sufficient.",
    )
    opens = MomentField(required=False, label="Opens", help_text="Empty: as soon as you open it.")
    closes = MomentField(required=False, label="Closes", help_text="Empty: when you close it.")
    break_after = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=1000,
        label="Trials before a break",
        help_text="Offered after each so many. Empty: none.",
    )
    sealed_until = MomentField(
        required=False,
        label="Seal the grades until",
        help_text="Until then not even you see results: no peeking, no stopping when it looks good.",
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
