"""The slow part of results: requested by a page, computed by a worker, stored by state of the data."""

from __future__ import annotations

from django.db import transaction

from codec.base import gettext_noop
from evaluation.contexts import Context
from evaluation.models import Job
from evaluation.work import jobs
from listening.models import Analysis, Study
from listening.results import frames

_FAILED = gettext_noop("The tests could not be computed (%(error)s).")


def request(study: Study, kind: str, profile: str, fingerprint: str) -> Analysis:
    """Return the analysis of this state of the data, finished or queued now.

    While an analysis of an older state is being computed, none is queued: an open study would fill the
    queue with outdated states. The page repeats the request.
    """
    rows = Analysis.objects.filter(study=study, kind=kind, profile=profile)
    found = rows.filter(fingerprint=fingerprint).first() or rows.filter(status__in=Job.UNFINISHED).first()
    if found is not None:
        return found
    with transaction.atomic():
        row, made = Analysis.objects.get_or_create(
            study=study, kind=kind, profile=profile, fingerprint=fingerprint
        )
        if made:
            transaction.on_commit(lambda: jobs.dispatch([row]))
    return row


def current_analysis(study: Study, kind: str, profile: str) -> Analysis | None:
    """The analysis of the present grades, finished or in progress; None if there are no grades."""
    from listening.results import profiles

    if not frames.has_answers(study, kind):
        return None
    return request(
        study, kind, profile, frames.fingerprint(study, kind, profiles.settings_of(study, profile))
    )


def latest_analysis(study: Study, kind: str, profile: str) -> Analysis | None:
    """The newest finished analysis, possibly of an older state of the data."""
    rows = Analysis.objects.filter(study=study, kind=kind, profile=profile, status=Job.Status.DONE)
    return rows.order_by("-finished", "-pk").first()


def run(pk: int | str) -> None:
    """Claim, compute and store an analysis, and delete older ones: the worker's task."""
    row = jobs.claim(Analysis, pk)
    if row is None:
        return
    with jobs.work_on(row, sorry=_FAILED):
        data, state = compute(row)
        # Grades may have been added since the request: label the row with the state that was read.
        older = Analysis.objects.filter(study=row.study_id, kind=row.kind, profile=row.profile)
        older.filter(fingerprint=state).exclude(pk=row.pk).delete()
        if jobs.finish(row, data=data, fingerprint=state):
            older.filter(status__in=(Job.Status.DONE, Job.Status.FAILED), pk__lt=row.pk).delete()


def compute(row: Analysis) -> tuple[Context, str]:
    """The data of an analysis, and the fingerprint of the state from which it was computed."""
    from listening.results import heavy, profiles

    study = row.study
    state = frames.fingerprint(study, row.kind, profiles.settings_of(study, row.profile))
    return heavy.compute(study, row.kind, row.profile), state
