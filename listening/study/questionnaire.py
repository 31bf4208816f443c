"""Questions to listeners before or after the trials: what a researcher may ask, and what counts as an answer.

`Study.questionnaire` is a list of objects, in order of appearance::

    {"name": "age",             # of the answer in exports; unique, at most 64 characters
     "label": "How old are you?",
     "help": "In years.",       # optional
     "type": "number",          # a key of TYPES
     "when": "before",          # or "after" the trials
     "required": true,
     "minimum": 18, "maximum": 99,                      # number only, either or both
     "choices": [{"value": "1", "label": "Never"}, …]}  # single, multiple and likert only

Answers (`Answer.value`) are a string (text, long_text, single), a number (number; likert, if its values
are whole numbers) or a list of values (multiple). A question without an answer has no row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.http import QueryDict
from django.utils.translation import gettext as _

from evaluation.texts import clean_text
from listening.models import Answer, Session, Study
from listening.study.errors import StudyError

When = Literal["before", "after"]

#: Kinds of questions, with what researchers call them.
TYPES = {
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
MAX_NAME = 64
MAX_LABEL = 500
#: Characters of an answer.
MAX_ANSWER = {"text": 500, "long_text": 5000}
_WHOLE = re.compile(r"-?\d{1,9}")


class QuestionnaireError(StudyError):
    """A questionnaire that cannot be asked.

    Attributes:
        problems: ``(number of the question from 1, what is wrong)``; number 0 is the list itself.
    """

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        messages = [
            (
                n,
                StudyError(_("Question %(number)s: %(problem)s"), number=n, problem=text) if n else text,
            )
            for n, text in problems
        ]
        fields = {f"questionnaire.{n - 1}" if n else "questionnaire": text for n, text in messages}
        super().__init__(" ".join(str(text) for _number, text in messages), fields=fields)
        self.problems = list(problems)


@dataclass(frozen=True)
class Option:
    """An answer to choose; `value` is what is stored."""

    value: str
    label: str


@dataclass(frozen=True)
class Question:
    """One question; the fields are those of the module's description."""

    name: str
    label: str
    type: str
    when: When
    required: bool = False
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Option, ...] = field(default=())

    @property
    def field(self) -> str:
        """The name of its control in the listener's form."""
        return f"q-{self.name}"

    def read(self, data: QueryDict) -> Any:
        """The answer that was sent, as it is stored; None if there is none.

        Raises:
            ValueError: it is no answer to this question; the message is for the listener.
        """
        sent = [text for text in map(clean_text, data.getlist(self.field)) if text]
        if not sent:
            return None
        if self.type == "multiple":
            return [option.value for option in self.choices if option.value in self._chosen(sent)]
        if self.type in WITH_CHOICES:
            [value] = self._chosen(sent[-1:])
            whole = self.type == "likert" and all(_WHOLE.fullmatch(option.value) for option in self.choices)
            return int(value) if whole else value
        if self.type == "number":
            return self._number(sent[-1])
        limit = MAX_ANSWER[self.type]
        if len(sent[-1]) > limit:
            raise ValueError(_("Please use at most %(limit)s characters.") % {"limit": limit})
        return sent[-1]

    def _chosen(self, sent: Sequence[str]) -> set[str]:
        if not set(sent) <= {option.value for option in self.choices}:
            raise ValueError(_("Please choose one of the answers offered."))
        return set(sent)

    def _number(self, text: str) -> float:
        try:
            number = float(text.replace(",", ".").replace("\u2212", "-"))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(_("Please enter a number."))
        if self.minimum is not None and number < self.minimum:
            raise ValueError(_("Please enter %(least)s or more.") % {"least": f"{self.minimum:g}"})
        if self.maximum is not None and number > self.maximum:
            raise ValueError(_("Please enter %(most)s or less.") % {"most": f"{self.maximum:g}"})
        return int(number) if number.is_integer() and abs(number) < 2**53 else number


def questions_of(study: Study, when: When | None = None) -> list[Question]:
    """The study's questions, of one place or all, in order."""
    questions = [_question(raw) for raw in study.questionnaire]
    return [question for question in questions if when in (None, question.when)]


def _question(raw: Mapping[str, Any]) -> Question:
    return Question(
        name=raw["name"],
        label=raw["label"],
        type=raw["type"],
        when=raw["when"],
        required=raw.get("required", False),
        help=raw.get("help", ""),
        minimum=raw.get("minimum"),
        maximum=raw.get("maximum"),
        choices=tuple(Option(option["value"], option["label"]) for option in raw.get("choices", [])),
    )


def read_answers(questions: Sequence[Question], data: QueryDict) -> tuple[dict[str, Any], dict[str, str]]:
    """What was sent: answers by the question's name, and what is wrong by the question's name.

    A required question without an answer is wrong; an optional one is in neither.
    """
    answers: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for question in questions:
        try:
            answer = question.read(data)
        except ValueError as error:
            problems[question.name] = str(error)
            continue
        if answer is not None:
            answers[question.name] = answer
        elif question.required:
            problems[question.name] = _("Please answer this question.")
    return answers, problems


def store_answers(session: Session, questions: Sequence[Question], answers: Mapping[str, Any]) -> None:
    """Make `answers` the session's answers to `questions`; doing it again changes nothing."""
    for question in questions:
        if question.name in answers:
            Answer.objects.update_or_create(
                session=session, question=question.name, defaults={"value": answers[question.name]}
            )
        else:
            Answer.objects.filter(session=session, question=question.name).delete()


def validated(raw: object) -> list[dict[str, Any]]:
    """`raw`, as `Study.questionnaire` keeps it: texts cleaned, nothing superfluous.

    Raises:
        QuestionnaireError: something is missing or impossible; it names every problem.
    """
    if not isinstance(raw, list):
        raise QuestionnaireError([(0, _("The questionnaire must be a list of questions."))])
    if len(raw) > MAX_QUESTIONS:
        raise QuestionnaireError(
            [
                (
                    0,
                    _("%(count)s questions are too many: %(limit)s at most.")
                    % {"count": len(raw), "limit": MAX_QUESTIONS},
                )
            ]
        )
    questions: list[dict[str, Any]] = []
    problems: list[tuple[int, str]] = []
    names: set[str] = set()
    for number, entry in enumerate(raw, start=1):
        try:
            question = _validated(entry)
            if question["name"].casefold() in names:
                raise StudyError(
                    _("there is another question named “%(name)s”.") % {"name": question["name"]}
                )
        except StudyError as error:
            problems.append((number, str(error)))
        else:
            names.add(question["name"].casefold())
            questions.append(question)
    if problems:
        raise QuestionnaireError(problems)
    return questions


def _validated(entry: object) -> dict[str, Any]:
    """One question. Raises `ValueError` with a message for the researcher."""
    if not isinstance(entry, dict):
        raise StudyError(_("it must be an object."))
    name = " ".join(_text(entry, "name", MAX_NAME).split())
    label = _text(entry, "label", MAX_LABEL)
    if not label:
        raise StudyError(_("give it a text."))
    if not name:
        raise StudyError(_("give it a name, which stands for it in exports."))
    kind, when = entry.get("type"), entry.get("when", "before")
    if not isinstance(kind, str) or kind not in TYPES:
        raise StudyError(_("its type must be one of %(types)s.") % {"types": ", ".join(TYPES)})
    if when not in ("before", "after"):
        raise StudyError(_("it must come before or after the trials."))
    question: dict[str, Any] = {
        "name": name,
        "label": label,
        "type": kind,
        "when": when,
        "required": entry.get("required") is True,
    }
    if explained := _text(entry, "help", MAX_LABEL):
        question["help"] = explained
    if kind == "number":
        limits = {key: _limit(entry.get(key), key) for key in ("minimum", "maximum")}
        question |= {key: limit for key, limit in limits.items() if limit is not None}
        if None not in limits.values() and question["minimum"] > question["maximum"]:
            raise StudyError(_("the smallest number allowed is larger than the largest."))
    if kind in WITH_CHOICES:
        question["choices"] = _choices(entry.get("choices"))
    return question


def _text(entry: Mapping[str, Any], key: str, limit: int) -> str:
    text = entry.get(key, "")
    if not isinstance(text, str):
        raise StudyError(_("its %(key)s must be a text.") % {"key": key})
    text = clean_text(text)
    if len(text) > limit:
        raise StudyError(_("its %(key)s is longer than %(limit)s characters.") % {"key": key, "limit": limit})
    return text


def _limit(value: object, which: str) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise StudyError(_("its %(which)s must be a number.") % {"which": which})
    return value


def _choices(raw: object) -> list[dict[str, str]]:
    if not isinstance(raw, list) or len(raw) < 2:
        raise StudyError(_("give it at least two answers to choose from."))
    if len(raw) > MAX_CHOICES:
        raise StudyError(
            _("give it at most %(max_choices)s answers to choose from.") % {"max_choices": MAX_CHOICES}
        )
    choices = []
    for entry in raw:
        if not isinstance(entry, dict):
            raise StudyError(_("an answer to choose must have a value and a label."))
        label = _text(entry, "label", MAX_LABEL)
        value = _text(entry, "value", MAX_LABEL) or label
        if not label:
            raise StudyError(_("an answer to choose is empty."))
        choices.append({"value": value, "label": label})
    values = [choice["value"] for choice in choices]
    if twice := next((value for value in values if values.count(value) > 1), ""):
        raise StudyError(_("two of its answers are stored as “%(twice)s”.") % {"twice": twice})
    return choices
