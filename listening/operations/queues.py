"""What waits, runs and has failed, by kind of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, Min

from evaluation.models import Job
from evaluation.work.clock import database_time
from evaluation.work.jobs import KINDS

Status = Job.Status


@dataclass(frozen=True)
class Queue:
    """The work of one kind.

    Attributes:
        kind: name of the model, in lower case.
        title: the same for people.
        queue: name of the queue that carries its messages.
        queued, running, failed: numbers of rows.
        oldest: how long the oldest queued row has waited, in seconds; 0 if none waits.
    """

    kind: str
    title: str
    queue: str
    queued: int
    running: int
    failed: int
    oldest: float


def list_queues() -> list[Queue]:
    """The work of every kind, as the database has it now."""
    now = database_time()
    found = []
    for model, task in KINDS.items():
        # Finished rows, the most by far, are neither read nor counted: the index leaves them out.
        open_rows = model._default_manager.filter(status__in=[*Job.UNFINISHED, Status.FAILED])
        rows = open_rows.order_by().values("status").annotate(count=Count("pk"), since=Min("queued"))
        counts = {row["status"]: row["count"] for row in rows}
        since = next((row["since"] for row in rows if row["status"] == Status.QUEUED), None)
        found.append(
            Queue(
                kind=str(model._meta.model_name),
                title=str(model._meta.verbose_name).capitalize(),
                queue=settings.CELERY_TASK_ROUTES[task]["queue"],
                queued=counts.get(Status.QUEUED, 0),
                running=counts.get(Status.RUNNING, 0),
                failed=counts.get(Status.FAILED, 0),
                oldest=max(0.0, (now - since) / timedelta(seconds=1)) if since else 0.0,
            )
        )
    return found


def oldest_wait() -> float:
    """How long the oldest queued row of any kind has waited, in seconds; 0 if none waits."""
    return max((queue.oldest for queue in list_queues()), default=0.0)


def latest_failures(most: int) -> Sequence[Job]:
    """The rows that failed last, of all kinds, newest first."""
    rows: list[Job] = []
    for model in KINDS:
        failed = model._default_manager.filter(status=Status.FAILED, finished__isnull=False)
        rows += failed.order_by("-finished")[:most]
    rows.sort(key=lambda row: row.finished or row.queued, reverse=True)
    return rows[:most]
