"""When a seal may be set and moved: its promise in the report must be true."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Message, Text
from listening.models import Choice, Rating, Session, Study
from listening.study.errors import StudyError

_COUNTED = (Session.Kind.REAL, Session.Kind.IMPORTED)


def check_seal(study: Study, until: datetime | None) -> None:
    """Raise `StudyError` unless the seal of `study`, as it is stored, may become `until`.

    A seal that holds can only be prolonged. Where grades could be seen already, because there was no seal,
    because its time was over or because it was broken, nothing may say that they were sealed.
    """
    sealed = study.sealed_until
    if until == sealed:
        return
    now = timezone.now()
    if study.unsealed is not None:
        raise _refused(_("The seal was broken: that stays as it is, and stands in the report."))
    if sealed is not None and sealed > now:
        if until is None or until < sealed:
            moment = timezone.localtime(sealed)
            raise _refused(
                _("Sealed until %(moment)s: the seal can only be prolonged."),
                moment=f"{moment:%d %B %Y, %H:%M}",
            )
        return
    if _graded(study):
        raise _refused(
            _(
                "Somebody has graded already, and the grades could be seen: the seal cannot be set "
                "or moved now."
            )
        )
    if until is not None and until <= now:
        raise _refused(_("The seal would be over already: choose a time to come."))


def _refused(message: Text, **values: object) -> StudyError:
    told = Message(message, **values)
    return StudyError(told, fields={"sealed_until": told})


def _graded(study: Study) -> bool:
    return any(
        model._default_manager.filter(trial__session__study=study, trial__session__kind__in=_COUNTED).exists()
        for model in (Rating, Choice)
    )
