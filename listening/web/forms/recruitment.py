"""Where listeners come from."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from listening.models import Study
from listening.study.recruitment import PLATFORMS, PROLIFIC_QUERY
from listening.study.selectors import listener_url
from listening.web.forms.base import Section

_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class CodeField(forms.CharField):
    """A completion code; the whole address that Prolific shows with it may be pasted as well."""

    def to_python(self, value: Any) -> str:
        text = (super().to_python(value) or "").strip()
        if text.startswith("https://"):
            text = parse_qs(urlsplit(text).query).get("cc", [""])[0]
        return str(text)

    def validate(self, value: str) -> None:
        super().validate(value)
        if value and not _CODE.fullmatch(value):
            raise forms.ValidationError(_("A code has letters, digits, - and _ only."))


class Recruitment(Section):
    slug = "recruitment"
    title = "Where listeners come from"
    step = "who"
    template = "listening/setup/_recruitment.html"
    help = "A platform's people take part once each, and go back to be paid when their grades are stored."
    scripts = ("js/session/recruitment.js",)

    platform = forms.ChoiceField(
        required=False,
        choices=[("", "From anywhere: whoever has the link"), *PLATFORMS.items()],
        widget=forms.RadioSelect,
        label="Platform",
    )
    required = forms.BooleanField(
        required=False,
        label="Only people whom the platform sends",
        help_text="Otherwise the link works without the platform's ids as well, once for every visit.",
    )
    code = CodeField(
        required=False,
        max_length=200,
        label="Prolific's completion code",
        help_text="Of the study there, or the whole address that it is part of.",
    )
    screened_out_code = CodeField(
        required=False,
        max_length=200,
        label="Prolific's code for the screened out",
        help_text="For those whom the headphone check ends; without it they are asked to return the task.",
    )

    @classmethod
    def initial_of(cls, study: Study) -> dict[str, Any]:
        return {"platform": "", "required": True, "code": "", "screened_out_code": ""} | study.recruitment

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("platform") == "prolific" and "code" not in self.errors and not cleaned.get("code"):
            self.add_error("code", _("Prolific pays for a completion code: copy it from the study there."))
        return cleaned

    @property
    def link(self) -> str:
        return listener_url(self.study)

    @property
    def prolific_link(self) -> str:
        """What to paste into Prolific as the study's address."""
        return f"{self.link}?{PROLIFIC_QUERY}"

    @property
    def https(self) -> bool:
        """Whether browsers show the listener's pages inside MTurk's."""
        return bool(settings.HTTPS)

    @property
    def external_question(self) -> str:
        """What MTurk takes as an ExternalQuestion."""
        schema = (
            "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/ExternalQuestion.xsd"
        )
        return (
            f'<ExternalQuestion xmlns="{schema}">\n'
            f"  <ExternalURL>{self.link}</ExternalURL>\n"
            "  <FrameHeight>0</FrameHeight>\n"
            "</ExternalQuestion>"
        )

    def apply(self, study: Study) -> list[str]:
        sent = self.cleaned_data
        study.recruitment = {}
        if sent["platform"]:
            study.recruitment = {"platform": sent["platform"], "required": sent["required"]}
        if sent["platform"] == "prolific":
            study.recruitment |= {"code": sent["code"], "screened_out_code": sent["screened_out_code"]}
        return ["recruitment"]
