"""What can be refused, each with a message for the person who asked."""

from __future__ import annotations

from typing import TypeVar

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


class TrialFinished(StudyError):
    """The trial has been handed in and takes no more changes."""


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
