"""What listeners are asked before and after the trials."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from evaluation.columns import plain
from evaluation.contexts import Context
from listening.columns.questions import TYPES, Question
from listening.models import Study
from listening.study.questionnaire import QuestionnaireError, check_questionnaire
from listening.study.ready_questions import LIKERT, READY
from listening.web.forms.base import Section

MAX_JSON = 200_000


class QuestionsField(forms.CharField):
    """A questionnaire as JSON text; its value is the list of `listening.study.questionnaire`."""

    widget = forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "class": "code-text"})

    def prepare_value(self, value: Any) -> str:
        return (
            value if isinstance(value, str) else json.dumps(plain(value or []), ensure_ascii=False, indent=1)
        )

    def clean(self, value: Any) -> list[Question]:
        text = super().clean(value).strip()
        try:
            return check_questionnaire(json.loads(text) if text else [])
        except QuestionnaireError as error:
            raise forms.ValidationError(list(map(str, error.fields.values()))) from None
        except (ValueError, RecursionError):
            raise forms.ValidationError(_("This is not JSON.")) from None


class Questionnaire(Section):
    slug = "questionnaire"
    title = "Questionnaire"
    step = "who"
    help = (
        "Asked before or after the trials. Answers are personal data: exports leave them out unless you "
        "ask for them."
    )
    scripts = ("js/session/builder.js",)
    styles = ("css/questionnaire.css",)
    locked = True
    wide = True

    questions = QuestionsField(required=False, max_length=MAX_JSON, label="Questions as JSON")

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        return {"questions": study.questionnaire}

    @property
    def builder(self) -> Context:
        """What the builder's script has to know."""
        return {"types": TYPES, "ready": plain(READY), "likert": plain(LIKERT)}

    def apply(self, study: Study) -> list[str]:
        study.questionnaire = self.cleaned_data["questions"]
        return ["questionnaire"]
