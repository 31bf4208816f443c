"""Deleting an assessor's data: it is gone, and a note says that something was there."""

from __future__ import annotations

from django.db import transaction

from listening.models import Assessor, Deletion, Rating, Session


@transaction.atomic
def delete_session(session: Session, reason: str = "") -> Deletion:
    """Delete all that a session left: grades, choices, comments, events, answers, and who took part.

    What stays is a note with the session's number, how many grades went and `reason` (at most 200
    characters are kept), so that a report can say why numbers are missing. The session's number is
    not given again while the note stands (`listening.session.sessions`).
    """
    locked = Session.objects.select_for_update(of=("self",)).select_related("assessor").get(pk=session.pk)
    note = Deletion.objects.create(
        study_id=locked.study_id,
        number=locked.number,
        ratings=Rating.objects.filter(trial__session=locked).count(),
        reason=reason[:200],
    )
    assessor = locked.assessor
    locked.delete()
    if not assessor.sessions.exists():
        Assessor.objects.filter(pk=assessor.pk).delete()
    return note


def withdraw(session: Session) -> Deletion:
    """The listener takes the consent back."""
    return delete_session(session, "withdrawn by the listener")
