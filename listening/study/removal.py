"""Deleting an assessor's data and recording that it was deleted."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from evaluation.clips.removal import delete_files_later
from evaluation.models import Job
from evaluation.work import jobs
from listening.models import Assessor, DeletedSession, Deletion, Rating, Session, Study, token_digest
from listening.study.errors import SessionGone
from listening.study.versions import apply_version


def remember_links(sessions: QuerySet[Session]) -> None:
    """Note that the links of these sessions led somewhere; call it before the sessions are deleted."""
    met = sessions.filter(kind__in=[Session.Kind.REAL, Session.Kind.PILOT])
    DeletedSession.objects.bulk_create(
        [
            DeletedSession(digest=token_digest(session.token), language=apply_version(session).study.language)
            for session in met.select_related("study")
        ],
        ignore_conflicts=True,
    )


def language_of_deleted(token: str) -> str:
    """The language of the session whose link this was; "" if it never was one."""
    found = DeletedSession.objects.filter(digest=token_digest(token)).values_list("language", flat=True)
    return found.first() or ""


def check_exists(token: str) -> None:
    """Raises `SessionGone` if this was the link of a session that has been deleted."""
    if language_of_deleted(token):
        raise SessionGone()


@transaction.atomic
def delete_session(session: Session, reason: str = "") -> Deletion:
    """Delete a session with its grades, choices, comments, events, answers and participation.

    A `Deletion` stays, with the session's number, the number of grades and `reason` (its first 200
    characters), so that a report can say why numbers are missing. The session's number is not used
    again as long as the `Deletion` exists (`listening.session.sessions`). Files of the study that a worker
    made before are made anew, without the session.
    """
    locked = Session.objects.select_for_update(of=("self",)).select_related("assessor").get(pk=session.pk)
    note = Deletion.objects.create(
        study_id=locked.study_id,
        number=locked.number,
        ratings=Rating.objects.filter(trial__session=locked).count(),
        reason=reason[:200],
    )
    assessor = locked.assessor
    remember_links(Session.objects.filter(pk=locked.pk))
    locked.delete()
    if not assessor.sessions.exists():
        Assessor.objects.filter(pk=assessor.pk).delete()
    _make_files_again(locked.study)
    return note


def _make_files_again(study: Study) -> None:
    rows = list(study.made_files.exclude(status=Job.Status.FAILED))
    delete_files_later(row.file.name for row in rows)
    for row in rows:
        jobs.restart(row, file="")


def withdraw(session: Session) -> Deletion:
    """Delete the session because the listener withdraws consent."""
    return delete_session(session, "withdrawn by the listener")
