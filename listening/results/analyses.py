"""The slow part of results: asked for by a page, computed by a worker, kept by the state of the data."""

from __future__ import annotations

from django.db import transaction

from evaluation.contexts import Context
from evaluation.models import Job
from evaluation.work import jobs
from listening.models import Analysis, Study
from listening.results import frames

WAITING = (Job.Status.QUEUED, Job.Status.RUNNING)


def request(study: Study, kind: str, profile: str, fingerprint: str) -> Analysis:
    """The analysis of this state of the data: done, or now on its way.

    While one of an older state is being computed no other is queued: a study that runs would fill the
    queue with states that nobody looks at any more. The page asks again.
    """
    rows = Analysis.objects.filter(study=study, kind=kind, profile=profile)
    found = rows.filter(fingerprint=fingerprint).first() or rows.filter(status__in=WAITING).first()
    if found is not None:
        return found
    with transaction.atomic():
        row, made = Analysis.objects.get_or_create(
            study=study, kind=kind, profile=profile, fingerprint=fingerprint
        )
        if made:
            transaction.on_commit(lambda: jobs.dispatch([row]))
    return row


def current(study: Study, kind: str, profile: str) -> Analysis | None:
    """The analysis of the grades as they are now, done or on its way; None as long as there are none."""
    from listening.results import profiles

    if not frames.ratings_of(study, kind).filter(trial__finished__isnull=False).exists():
        return None
    return request(
        study, kind, profile, frames.fingerprint(study, kind, profiles.settings_of(study, profile))
    )


def latest(study: Study, kind: str, profile: str) -> Analysis | None:
    """The newest that is done, maybe of an older state of the data."""
    rows = Analysis.objects.filter(study=study, kind=kind, profile=profile, status=Job.Status.DONE)
    return rows.order_by("-finished", "-pk").first()


def run(pk: int | str) -> None:
    """What the worker does: claim, compute, store, and drop what is older."""
    row = jobs.claim(Analysis, pk)
    if row is None:
        return
    with jobs.work_on(row, sorry="The tests could not be computed ({error})."):
        data, state = compute(row)
        # Grades may have come in since it was asked for: the row is of the state that was read.
        older = Analysis.objects.filter(study=row.study_id, kind=row.kind, profile=row.profile)
        older.filter(fingerprint=state).exclude(pk=row.pk).delete()
        if jobs.finish(row, data=data, fingerprint=state):
            older.filter(status__in=(Job.Status.DONE, Job.Status.FAILED), pk__lt=row.pk).delete()


def compute(row: Analysis) -> tuple[Context, str]:
    """Data of an analysis, and the fingerprint of the state that it was computed from."""
    from listening.results import heavy, profiles

    study = row.study
    state = frames.fingerprint(study, row.kind, profiles.settings_of(study, row.profile))
    return heavy.compute(study, row.kind, row.profile), state
