"""Questions to listeners before or after the trials: reading, checking and storing the answers.

`listening.columns.questions` describes the questions (`Study.questionnaire`) and the answers
(`Answer.value`). A question without an answer has no row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from django.http import QueryDict
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from evaluation.analysis.words import plain
from evaluation.columns import BadColumn, parse
from evaluation.texts import clean_text
from listening.columns.questions import WITH_CHOICES, AnswerValue, Question, Questionnaire, When
from listening.models import Answer, Session, Study
from listening.study.errors import StudyError

#: Maximum length of an answer by question type, characters.
MAX_ANSWER = {"text": 500, "long_text": 5000}
_WHOLE = re.compile(r"-?\d{1,9}")


class QuestionnaireError(StudyError):
    """An invalid questionnaire.

    Attributes:
        problems: ``(number of the question from 1, description)``; number 0 is the list itself.
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


def questions_of(study: Study, when: When | None = None) -> list[Question]:
    """The study's questions in order: all of them, or those before or after the trials."""
    return [question for question in study.questionnaire if when in (None, question.when)]


def read_answer(question: Question, data: QueryDict) -> AnswerValue | None:
    """The submitted answer to the question in its stored form; None if there is none.

    Raises:
        ValueError: the answer is invalid; the message is for the listener.
    """
    sent = [text for text in map(clean_text, data.getlist(question.field)) if text]
    if not sent:
        return None
    if question.type == "multiple":
        chosen = _read_choices(question, sent)
        return [option.value for option in question.choices if option.value in chosen]
    if question.type in WITH_CHOICES:
        [value] = _read_choices(question, sent[-1:])
        options = question.choices
        whole = question.type == "likert" and all(_WHOLE.fullmatch(option.value) for option in options)
        return int(value) if whole else value
    if question.type == "number":
        return _read_number(question, sent[-1])
    limit = MAX_ANSWER[question.type]
    if len(sent[-1]) > limit:
        raise ValueError(_("Please use at most %(limit)s characters.") % {"limit": limit})
    return sent[-1]


def _read_choices(question: Question, sent: Sequence[str]) -> set[str]:
    if not set(sent) <= {option.value for option in question.choices}:
        raise ValueError(_("Please choose one of the answers offered."))
    return set(sent)


def _read_number(question: Question, text: str) -> float:
    try:
        number = float(text.replace(",", ".").replace("\u2212", "-"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(_("Please enter a number."))
    if question.minimum is not None and number < question.minimum:
        raise ValueError(
            _("Please enter %(least)s or more.") % {"least": number_format(plain(question.minimum))}
        )
    if question.maximum is not None and number > question.maximum:
        raise ValueError(
            _("Please enter %(most)s or less.") % {"most": number_format(plain(question.maximum))}
        )
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def read_answers(
    questions: Sequence[Question], data: QueryDict
) -> tuple[dict[str, AnswerValue], dict[str, str]]:
    """The submitted answers and the problems with them, both by the question's name.

    A required question without an answer is a problem; an optional one is in neither.
    """
    answers: dict[str, AnswerValue] = {}
    problems: dict[str, str] = {}
    for question in questions:
        try:
            answer = read_answer(question, data)
        except ValueError as error:
            problems[question.name] = str(error)
            continue
        if answer is not None:
            answers[question.name] = answer
        elif question.required:
            problems[question.name] = _("Please answer this question.")
    return answers, problems


def store_answers(
    session: Session, questions: Sequence[Question], answers: Mapping[str, AnswerValue]
) -> None:
    """Replace the session's answers to `questions` by `answers`; idempotent."""
    for question in questions:
        if question.name in answers:
            Answer.objects.update_or_create(
                session=session, question=question.name, defaults={"value": answers[question.name]}
            )
        else:
            Answer.objects.filter(session=session, question=question.name).delete()


def check_questionnaire(raw: object) -> list[Question]:
    """Convert `raw`, from a program or a form, to the questions that `Study.questionnaire` stores.

    Raises:
        QuestionnaireError: something is missing or invalid; it lists every problem.
    """
    try:
        return parse(Questionnaire, raw, "questionnaire")
    except BadColumn as error:
        problems = []
        for problem in error.problems:
            at, *rest = problem.where or (-1,)
            message = f"its {rest[0]} {problem.message}" if rest and rest[0] != "choices" else problem.message
            problems.append((int(at) + 1, message))
        raise QuestionnaireError(problems) from None
