"""Errors that a study reports to its researcher and to its listeners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.utils.translation import gettext_lazy as _

from evaluation.columns import BadColumn, parse
from evaluation.refusals import Refusal, Text, TryLater

T = TypeVar("T")


class StudyError(Refusal):
    """A request that a study cannot fulfil."""


def read_setting(schema: type[T], value: object, name: str) -> T:
    """Parse a submitted value of the column `name` by its schema.

    Raises:
        StudyError: the value is invalid; the message names the column and the place in it.
    """
    try:
        return parse(schema, value, name)
    except BadColumn as error:
        raise StudyError(str(error), fields=error.fields) from None


class BadRating(StudyError):
    """An invalid grade, comment or event."""


class TooManyEvents(StudyError, TryLater):
    """More events of a page than anybody makes; more are taken after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(_("This page sends too much. Please try again in %(seconds)s s."), seconds=seconds)


class UnknownStimulus(StudyError):
    """A key that does not belong to the trial."""

    status = 404


class ElsewhereChanged(StudyError):
    """What the page shows is not what is stored: another browser changed it.

    Attributes:
        stored: what is stored, as `listening.session.stored.stored_work` describes it.
    """

    status = 409

    def __init__(self, message: Text, stored: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.stored = stored

    @property
    def more(self) -> dict[str, object]:
        return {"stored": dict(self.stored)}


class TrialFinished(ElsewhereChanged):
    """The trial has been handed in and takes no more changes."""


class SessionGone(StudyError):
    """The session was deleted, with all that its listener left."""

    status = 410
    title = _("This session has been deleted")

    def __init__(self) -> None:
        super().__init__(
            _(
                "This session has been deleted, with all its grades. "
                "Nothing that you do here is saved any more."
            )
        )


class TrialNotOpen(StudyError):
    """The trial is not the current trial of its session."""

    status = 409


class StudyClosed(StudyError):
    """The study does not accept listeners, or grades, at present.

    Attributes:
        reason: "preparing", "not_yet", "full", "over" or "closed"; selects the text of the listener's page.
    """

    status = 410

    def __init__(self, message: Text, reason: str = "closed") -> None:
        super().__init__(message)
        self.reason = reason


class GradesMissing(StudyError):
    """The trial cannot be submitted yet.

    Attributes:
        keys: keys of the stimuli without a grade, in order of presentation.
    """

    status = 409

    def __init__(self, keys: list[str], message: Text | None = None) -> None:
        super().__init__(message or _("Recordings without a grade: %(count)s."), count=len(keys))
        self.keys = keys

    @property
    def more(self) -> dict[str, object]:
        return {"missing": self.keys}


class GradesUnfit(StudyError):
    """The trial has all grades, but its method does not allow this combination."""

    status = 409
