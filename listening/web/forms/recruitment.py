"""Where listeners come from."""

from __future__ import annotations

from django import forms
from django.conf import settings

from evaluation.contexts import Context
from listening.columns import studies as columns
from listening.models import Study
from listening.study.recruitment import PLATFORMS, PROLIFIC_QUERY
from listening.study.selectors import listener_url
from listening.web.forms.base import Section, text_field


class Recruitment(Section):
    slug = "recruitment"
    title = "Where listeners come from"
    step = "who"
    help = "Participants from a platform can take part once and are sent back for payment."
    scripts = ("js/session/recruitment.js",)

    platform = forms.ChoiceField(
        required=False,
        choices=[("", "None: anyone with the link"), *PLATFORMS.items()],
        widget=forms.RadioSelect,
        label="Platform",
    )
    required = forms.BooleanField(
        required=False,
        label="Only participants from the platform",
        help_text="Otherwise the link works without the platform's ids as well.",
    )
    returning = forms.ChoiceField(
        required=False,
        choices=[
            ("resume", "goes on with the session they have, and counts as one listener"),
            ("new", "begins again once they have finished, and counts as another listener"),
        ],
        widget=forms.RadioSelect,
        label="Who comes again",
        help_text="A person is known by the platform's id, or by the browser. Choose the second where "
        "several people share one computer.",
    )
    code = text_field(
        "Prolific's completion code",
        "The code of the study on Prolific, or the whole completion URL.",
        most=200,
    )
    screened_out_code = text_field(
        "Prolific's code for screened-out listeners",
        "For listeners who fail the headphone check; without it they are asked to return the task.",
        most=200,
    )

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        return dict(study.recruitment)

    def clean(self) -> Context:
        cleaned = super().clean() or {}
        if not self.errors:
            codes = {} if cleaned["platform"] == "prolific" else {"code": "", "screened_out_code": ""}
            returning = cleaned["returning"] or "resume"
            self.asked = self.read(columns.Recruitment, cleaned | codes | {"returning": returning})
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
        if self.asked is not None:
            study.recruitment = self.asked.complete()
        return ["recruitment"]
