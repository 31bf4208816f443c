"""Rules for setting and moving a seal, so that what the report says about it is true."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Message, Text
from listening.models import Choice, Rating, Session, Study
from listening.study.errors import StudyError

_COUNTED = (Session.Kind.REAL, Session.Kind.IMPORTED)


def check_seal(study: Study, until: datetime | None) -> None:
    """Raise `StudyError` unless the stored seal of `study` may be changed to `until`.

    An active seal can only be prolonged. No seal may be set once grades were visible: because there was no
    seal, or it had expired, or it was broken.
    """
    sealed = study.sealed_until
    if until == sealed:
        return
    now = timezone.now()
    if study.unsealed is not None:
        raise _refusal(_("The seal was broken. That cannot be undone, and the report says so."))
    if sealed is not None and sealed > now:
        if until is None or until < sealed:
            moment = timezone.localtime(sealed)
            raise _refusal(
                _("Sealed until %(moment)s: the seal can only be prolonged."),
                moment=f"{moment:%d %B %Y, %H:%M}",
            )
        return
    if _has_grades(study):
        raise _refusal(
            _("There are grades already, and they could be seen: the seal can no longer be set or moved.")
        )
    if until is not None and until <= now:
        raise _refusal(_("The seal would end in the past: choose a later time."))


def _refusal(message: Text, **values: object) -> StudyError:
    detail = Message(message, **values)
    return StudyError(detail, fields={"sealed_until": detail})


def _has_grades(study: Study) -> bool:
    return any(
        model._default_manager.filter(trial__session__study=study, trial__session__kind__in=_COUNTED).exists()
        for model in (Rating, Choice)
    )
