"""What can be refused, each with a message for the person who asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.utils.translation import gettext_lazy

from evaluation.columns import BadColumn, parse

T = TypeVar("T")


class StudyError(Exception):
    """A request that a study cannot grant; the message is for the person who made it."""


def read_setting(schema: type[T], value: object, name: str) -> T:
    """What a person or a program says for the column `name`, as its schema describes it.

    Raises:
        StudyError: it does not fit; the message names the column and the place in it.
    """
    try:
        return parse(schema, value, name)
    except BadColumn as error:
        raise StudyError(str(error)) from None


class BadRating(StudyError):
    """A grade, comment or event that is not one."""


class UnknownStimulus(StudyError):
    """A key that is not in the trial."""


class ElsewhereChanged(StudyError):
    """What the page shows is not what is stored: another browser changed it.

    Attributes:
        stored: what is stored, as `listening.session.stored.stored_work` describes it.
    """

    def __init__(self, message: str, stored: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.stored = stored


class TrialFinished(ElsewhereChanged):
    """The trial has been handed in and takes no more changes."""


#: To the listener.
SESSION_GONE = gettext_lazy(
    "This session has been deleted, with all its grades. Nothing that you do here is saved any more."
)


class SessionGone(StudyError):
    """The session was deleted, with all that its listener left."""


class TrialNotOpen(StudyError):
    """The trial is not the one that the listener has to take now."""


class StudyClosed(StudyError):
    """The study does not take listeners, or grades, now.

    Attributes:
        reason: "preparing", "not_yet", "full", "over" or "closed"; the listener's page words it.
    """

    def __init__(self, message: str, reason: str = "closed") -> None:
        super().__init__(message)
        self.reason = reason


class GradesMissing(StudyError):
    """The trial cannot be handed in yet.

    Attributes:
        keys: of the stimuli without a grade, in order of presentation.
    """

    def __init__(self, keys: list[str], message: str = "") -> None:
        counted = (
            "1 recording has no grade yet."
            if len(keys) == 1
            else f"{len(keys)} recordings have no grade yet."
        )
        super().__init__(message or counted)
        self.keys = keys


class GradesUnfit(StudyError):
    """The grades of a trial are all there, but its method does not allow them together."""
