"""The questions of a study's questionnaire, as stored in its column, and the answers to them.

A question as JSON::

    {"name": "age",             # of the answer in exports; unique, at most 200 characters
     "label": "How old are you?",
     "help": "In years.",       # optional
     "type": "number",          # a key of TYPES
     "when": "before",          # or "after" the trials
     "required": true,
     "minimum": 18, "maximum": 99,                      # number only, either or both
     "choices": [{"value": "1", "label": "Never"}, …]}  # single, multiple and likert only

Keys that do not apply to a question's type are dropped on assignment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from django.utils.translation import gettext as _
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from evaluation.columns import Column, Number, refuse, refuse_at
from evaluation.texts import clean_text

When = Literal["before", "after"]
Type = Literal["text", "long_text", "number", "single", "multiple", "likert"]

#: Question types, with their names for researchers.
TYPES: dict[str, str] = {
    "text": "Short text",
    "long_text": "Long text",
    "number": "Number",
    "single": "One of several",
    "multiple": "Any of several",
    "likert": "Likert scale",
}
WITH_CHOICES = ("single", "multiple", "likert")
MAX_QUESTIONS = 60
MAX_CHOICES = 50
MAX_NAME = 200
MAX_LABEL = 500


def _text(data: Mapping[str, Any], key: str, limit: int) -> str:
    text = data.get(key, "")
    if not isinstance(text, str):
        refuse(_("its %(key)s must be text.") % {"key": key})
    text = clean_text(text)
    if len(text) > limit:
        refuse(_("its %(key)s is longer than %(limit)s characters.") % {"key": key, "limit": limit})
    return text


class _Cleaned(Column):
    """What is cleaned as a whole before its fields are checked."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        return data if isinstance(data, cls) else cls._clean(data)

    @classmethod
    def _clean(cls, data: Any) -> dict[str, object]:
        """The fields, from JSON. Raises what `refuse` raises."""
        raise NotImplementedError


class Option(_Cleaned):
    """An answer that can be chosen; `value` is stored."""

    value: str
    label: str

    @classmethod
    def _clean(cls, data: Any) -> dict[str, object]:
        if not isinstance(data, Mapping):
            refuse(_("an answer to choose must have a value and a label."))
        label = _text(data, "label", MAX_LABEL)
        if not label:
            refuse(_("an answer to choose is empty."))
        return {**data, "value": _text(data, "value", MAX_LABEL) or label, "label": label}


class Question(_Cleaned):
    """One question."""

    name: str = Field(description="name of the answer in exports; unique")
    label: str
    type: Type
    when: When = Field(default="before", description="before or after the trials")
    required: bool = False
    help: str = ""
    minimum: Number | None = None
    maximum: Number | None = None
    choices: list[Option] = []

    @property
    def field(self) -> str:
        """The name of its control in the listener's form."""
        return f"q-{self.name}"

    @classmethod
    def _clean(cls, data: Any) -> dict[str, object]:
        """Clean the texts, fill in defaults, and drop the keys that do not apply to the type."""
        if not isinstance(data, Mapping):
            refuse(_("it must be an object."))
        name = " ".join(_text(data, "name", MAX_NAME).split())
        label = _text(data, "label", MAX_LABEL)
        if not label:
            refuse(_("give it a text."))
        if not name:
            refuse(_("give it a name, which stands for it in exports."))
        kind, when = data.get("type"), data.get("when", "before")
        if not isinstance(kind, str) or kind not in TYPES:
            refuse(_("its type must be one of %(types)s.") % {"types": ", ".join(TYPES)})
        if when not in ("before", "after"):
            refuse(_("it must come before or after the trials."))
        kept = {**data, "name": name, "label": label, "when": when, "required": data.get("required") is True}
        if help_text := _text(data, "help", MAX_LABEL):
            kept["help"] = help_text
        else:
            kept.pop("help", None)
        for key in ("minimum", "maximum"):
            if kind != "number" or kept.get(key) in (None, ""):
                kept.pop(key, None)
        if kind not in WITH_CHOICES:
            kept.pop("choices", None)
        return kept

    @model_validator(mode="after")
    def _check(self) -> Question:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            refuse(_("the smallest number allowed is larger than the largest."))
        if self.type in WITH_CHOICES:
            if len(self.choices) < 2:
                refuse(_("give it at least two answers to choose from."))
            if len(self.choices) > MAX_CHOICES:
                refuse(_("give it at most %(limit)s answers to choose from.") % {"limit": MAX_CHOICES})
            values = [option.value for option in self.choices]
            if twice := next((value for value in values if values.count(value) > 1), ""):
                refuse(_("two of its answers are stored as “%(value)s”.") % {"value": twice})
        return self


def _check_list(value: Any) -> Any:
    if not isinstance(value, list):
        refuse(_("The questionnaire must be a list of questions."))
    if len(value) > MAX_QUESTIONS:
        refuse(
            _("%(count)s questions are too many: %(limit)s at most.")
            % {"count": len(value), "limit": MAX_QUESTIONS}
        )
    return value


def _check_names(questions: list[Question]) -> list[Question]:
    names: set[str] = set()
    for index, question in enumerate(questions):
        if question.name.casefold() in names:
            refuse_at(index, _("there is another question named “%(name)s”.") % {"name": question.name})
        names.add(question.name.casefold())
    return questions


Questionnaire: type[list[Question]] = Annotated[  # type: ignore[assignment]
    list[Question], BeforeValidator(_check_list), AfterValidator(_check_names)
]

#: A text (text, long_text, single), a number (number; likert, if its values are whole numbers) or a list of
#: values (multiple).
AnswerValue = str | int | float | list[str]
ANSWER: type[AnswerValue] = AnswerValue  # type: ignore[assignment]
