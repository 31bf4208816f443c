"""Rendering a study's stimuli in the background: a lease on the study's row, as in `evaluation.work.jobs`."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from listening.models import Study

logger = logging.getLogger(__name__)


def dispatch_study(study: Study) -> None:
    """Send a worker the message to prepare `study`. Without a broker the sweeper sends it later."""
    from listening.tasks import prepare_study

    try:
        prepare_study.delay(str(study.pk))
    except (KombuError, RedisError, OSError) as error:
        logger.warning("Could not send study %s to the workers, the sweeper will: %s", study.pk, error)


def claim_study(study_id: str) -> Study | None:
    """Take the work of preparing a study for one lease; None if it is done, failed or somebody else's."""
    now = timezone.now()
    waiting = Study.objects.filter(pk=study_id, status=Study.Status.PREPARING, error="")
    free = waiting.filter(Q(lease_until=None) | Q(lease_until__lt=now))
    lease = now + timedelta(seconds=settings.JOB_LEASE_SECONDS)
    # One conditional update: of two workers only one counts a row.
    if not free.update(lease_until=lease, attempts=F("attempts") + 1):
        return None
    return Study.objects.get(pk=study_id)


def _rendered_by(study: Study) -> QuerySet[Study]:
    """The row of `study`, if its lease is still the one that was given: items may have been changed since."""
    return Study.objects.filter(pk=study.pk, status=Study.Status.PREPARING, lease_until=study.lease_until)


def renew_study_lease(study: Study) -> bool:
    """Keep the work for another lease; False if the study has been changed or given to somebody else."""
    lease = timezone.now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)
    renewed = _rendered_by(study).update(lease_until=lease)
    if renewed:
        study.lease_until = lease
    return bool(renewed)


def open_prepared_study(study: Study) -> None:
    """All stimuli are rendered: let listeners in, or wait for the researcher to."""
    for at_once, status in ((True, Study.Status.OPEN), (False, Study.Status.READY)):
        _rendered_by(study).filter(open_when_ready=at_once).update(status=status, lease_until=None, error="")


def fail_preparing(study: Study, message: str) -> None:
    """Keep why a study could not be prepared; its page shows it and offers to try again."""
    _rendered_by(study).update(error=message, lease_until=None)


def retry_preparing(study: Study) -> None:
    """Forget the failure and send the study to the workers again."""
    changed = (
        Study.objects.filter(pk=study.pk, status=Study.Status.PREPARING)
        .exclude(error="")
        .update(error="", attempts=0, lease_until=None)
    )
    if changed:
        transaction.on_commit(lambda: dispatch_study(study))


def sweep_studies() -> int:
    """Send again every study that nobody prepares, give up on one that takes its workers down.

    Returns how many were sent.
    """
    now = timezone.now()
    idle = Study.objects.filter(status=Study.Status.PREPARING, error="").filter(
        Q(lease_until=None) | Q(lease_until__lt=now)
    )
    idle.filter(attempts__gte=settings.JOB_MAX_ATTEMPTS).update(
        error=f"The worker that rendered the stimuli died {settings.JOB_MAX_ATTEMPTS} times without a word.",
        lease_until=None,
    )
    # A study younger than the period has its first message under way.
    stuck = list(idle.filter(attempts__lt=settings.JOB_MAX_ATTEMPTS, created__lt=now - timedelta(seconds=10)))
    for study in stuck:
        dispatch_study(study)
    return len(stuck)
