"""Deleting an assessor's data and recording that it was deleted."""

from __future__ import annotations

from django.db import transaction

from listening.models import Assessor, Deletion, Rating, Session


@transaction.atomic
def delete_session(session: Session, reason: str = "") -> Deletion:
    """Delete a session with its grades, choices, comments, events, answers and participation.

    A `Deletion` stays, with the session's number, the number of grades and `reason` (its first 200
    characters), so that a report can say why numbers are missing. The session's number is not used
    again as long as the `Deletion` exists (`listening.session.sessions`).
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
    """Delete the session because the listener withdraws consent."""
    return delete_session(session, "withdrawn by the listener")
