"""What a study refuses, to its researcher and to its listeners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.utils.translation import gettext_lazy as _

from evaluation.columns import BadColumn, parse
from evaluation.refusals import Refusal, Text

T = TypeVar("T")


class StudyError(Refusal):
    """A request that a study cannot grant."""


def read_setting(schema: type[T], value: object, name: str) -> T:
    """What a person or a program says for the column `name`, as its schema describes it.

    Raises:
        StudyError: it does not fit; the message names the column and the place in it.
    """
    try:
        return parse(schema, value, name)
    except BadColumn as error:
        raise StudyError(str(error), fields=error.fields) from None


class BadRating(StudyError):
    """A grade, comment or event that is not one."""


class UnknownStimulus(StudyError):
    """A key that is not in the trial."""

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
    def more(self) -> dict[str, Any]:
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
    """The trial is not the one that the listener has to take now."""

    status = 409


class StudyClosed(StudyError):
    """The study does not take listeners, or grades, now.

    Attributes:
        reason: "preparing", "not_yet", "full", "over" or "closed"; the listener's page words it.
    """

    status = 410

    def __init__(self, message: Text, reason: str = "closed") -> None:
        super().__init__(message)
        self.reason = reason


class GradesMissing(StudyError):
    """The trial cannot be handed in yet.

    Attributes:
        keys: of the stimuli without a grade, in order of presentation.
    """

    status = 409

    def __init__(self, keys: list[str], message: Text | None = None) -> None:
        super().__init__(message or _("Recordings without a grade: %(count)s."), count=len(keys))
        self.keys = keys

    @property
    def more(self) -> dict[str, Any]:
        return {"missing": self.keys}


class GradesUnfit(StudyError):
    """The grades of a trial are all there, but its method does not allow them together."""

    status = 409
