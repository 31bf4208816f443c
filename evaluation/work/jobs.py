"""A job queue that survives crashes: rows are claimed, held by a lease, finished once, and re-queued when
lost.

The row in the database holds the state and a queue only carries its id, so a message that is lost, late or
delivered twice does no harm:

* `restart` queues the work of a row, `dispatch` sends its message.
* `claim` is one conditional UPDATE: of any number of workers, one gets the row and a token.
* `keep_alive` renews the lease from a thread while the work goes on.
* `advance`, `finish` and `fail` write only while the row still has the token, so a worker that lost its
  claim writes nothing; work in several steps stores each step in one transaction with `advance`.
* `work_on` is the block in which a task works: it keeps the row alive and stores errors in it.
* `withdraw` deletes rows that no worker has claimed yet.
* `give_back` re-queues the row of a worker's child whose death was seen; `sweep` re-queues those of workers
  that died whole or are not heard from any more, and sends lost messages again.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from celery import current_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Max, Q, QuerySet, TextField, Value
from django.db.models.functions import Concat, Greatest
from django.utils import timezone
from django.utils.module_loading import import_string

from codec.base import Note, gettext_noop
from evaluation.models import Job
from evaluation.refusals import note_of
from evaluation.work import broker
from evaluation.work.clock import database_time
from evaluation.work.holders import holder_of, is_orphan, token_of

logger = logging.getLogger(__name__)

J = TypeVar("J", bound=Job)

#: The kinds of work, each with the name of its Celery task; apps register their kinds in `ready`.
KINDS: dict[type[Job], str] = {}

Status = Job.Status

#: Pause of work that writes without end, seconds. SQLite has no queue of writers: whoever waits for its lock
#: looks every tenth of a second whether it is free.
_PAUSE_SECONDS = 0.15

#: Message for people about an unexpected error.
SORRY = gettext_noop("Something went wrong here (%(error)s). See the log for details; you can retry.")
TOO_LONG = gettext_noop("This took longer than %(limit)s s and was stopped.")
DIED = gettext_noop(
    "The worker died %(times)s times while doing this. It may have run out of memory; the server's log says "
    "more. Retry when that is fixed."
)


def register(tasks: str, **kinds: type[Job]) -> None:
    """Register kinds of work by the Celery tasks, in the module `tasks`, that do it."""
    KINDS.update({model: f"{tasks}.{task}" for task, model in kinds.items()})


def kind_of(name: str) -> type[Job] | None:
    """The kind of work with this name, the model's name in lower case; None if there is none."""
    return next((model for model in KINDS if model._meta.model_name == name), None)


# -- For workers


def claim(model: type[J], pk: Any) -> J | None:
    """Claim the queued row `pk` and return it; None if it is deleted, claimed or finished."""
    token = uuid.uuid4()
    if _is_in_task():
        token = token_of(current_task.request.id, os.getpid(), os.getppid())
    now = database_time()
    taken = model._default_manager.filter(pk=pk, status=Status.QUEUED).update(
        status=Status.RUNNING,
        claim=token,
        lease_until=now + _lease(),
        attempts=F("attempts") + 1,
        started=now,
        finished=None,
        error="",
    )
    if not taken:
        return None
    row = model._default_manager.filter(pk=pk, claim=token).first()
    if row is not None:
        note(row, f"attempt {row.attempts} on {socket.gethostname()}, process {os.getpid()}")
    return row


def _is_in_task() -> bool:
    return bool(current_task and current_task.request.id)


def note(row: Job, line: str) -> None:
    """Add a line to the log of a claimed row; it is stored by `finish` or `fail`."""
    row.log += log_line(line)


def log_line(line: str) -> str:
    return f"{timezone.now():%Y-%m-%d %H:%M:%S} {line}\n"


def renew(row: Job) -> bool:
    """Extend the lease of a claimed row. False: the claim is lost (re-queued, restarted or deleted)."""
    return bool(_rows_held(row).update(lease_until=database_time() + _lease()))


def advance(row: Job) -> bool:
    """Renew the lease of a claimed row and reset its attempts, because a step is done.

    Call it first in the transaction that stores the step: it locks the claim until the end of the
    transaction, so only the holder can store the step. `JOB_MAX_ATTEMPTS` workers may die in each step.

    Returns:
        False if the claim is lost: then the step must not be stored.
    """
    return bool(_rows_held(row).update(lease_until=database_time() + _lease(), attempts=1))


def let_others_write() -> None:
    """Pause between two transactions of work that does nothing but write, where writers do not queue.

    Without it the next transaction takes SQLite's lock back before anybody who waits for it looks again, and
    a listener's grade or a researcher's click fails when the time to wait for the lock is over.
    """
    if connection.vendor == "sqlite":
        time.sleep(_PAUSE_SECONDS)


@contextmanager
def keep_alive(row: Job) -> Iterator[None]:
    """Renew the lease of `row` every third of it from a thread, while the block runs.

    It stops after JOB_MAX_SECONDS: then the worker is taken to hang, and the sweeper may re-queue the row.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_renew_until, args=(row, stop), name=f"lease of {row.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _renew_until(row: Job, stop: threading.Event) -> None:
    beats = int(settings.JOB_MAX_SECONDS / (settings.JOB_LEASE_SECONDS / 3))
    try:
        for _ in range(beats):
            if stop.wait(settings.JOB_LEASE_SECONDS / 3):
                return
            try:
                if not renew(row):
                    return
            except DatabaseError:
                # Two more renewals fit into the lease; if they fail too, the sweeper takes over.
                logger.warning("Could not renew the lease of %s", row.pk, exc_info=True)
                connection.close()
    finally:
        connection.close()  # Django keeps one connection per thread; this thread's must be closed here


@contextmanager
def work_on(
    row: Job,
    refusal: type[Exception] | tuple[type[Exception], ...] = (),
    sorry: str = SORRY,
) -> Iterator[None]:
    """Keep a claimed row alive while the block runs, and store an error in the row.

    Args:
        refusal: errors whose messages are for people.
        sorry: message for people about any other error, with ``%(error)s`` for its name; the
            log gets its traceback.

    Raises:
        Exception: the database or the store of files is away (`is_outage`). The lease runs out, and the
            sweeper re-queues the work.
    """
    with keep_alive(row):
        try:
            yield
        except refusal as error:
            fail(row, note_of(error))
        except Exception as error:
            if is_outage(error):
                raise
            if is_gone(row):
                logger.info("%s %s was deleted while a worker had it.", type(row).__name__, row.pk)
                return
            logger.exception("%s %s failed", type(row).__name__, row.pk)
            note(row, "".join(traceback.format_exception(error)))
            if isinstance(error, SoftTimeLimitExceeded):
                fail(row, Note(TOO_LONG, limit=settings.JOB_MAX_SECONDS))
            else:
                fail(row, Note(sorry, error=type(error).__name__))


def is_outage(error: Exception) -> bool:
    """Whether an error says that the database or an S3 server is away, and nothing about the work itself."""
    if isinstance(error, (OperationalError, InterfaceError)):
        return True
    if (s3 := sys.modules.get("botocore.exceptions")) is None:  # files are on a disk
        return False
    if isinstance(error, s3.ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500
    return isinstance(error, (s3.ConnectionError, s3.HTTPClientError))


def is_gone(row: Job) -> bool:
    """Whether a row was deleted while a worker had it, so that its result is not needed any more."""
    return not type(row)._default_manager.filter(pk=row.pk).exists()


def finish(row: Job, **fields: Any) -> bool:
    """Store results and mark a claimed row done. False, with nothing stored, if the claim is lost."""
    return _close(row, Status.DONE, error="", **fields)


def fail(row: Job, message: str, **fields: Any) -> bool:
    """Mark a claimed row failed with a message for people. False if the claim is lost."""
    return _close(row, Status.FAILED, error=message, **fields)


def _close(row: Job, status: str, **fields: Any) -> bool:
    fields |= {"status": status, "finished": database_time(), "log": row.log}
    fields |= {"claim": None, "lease_until": None}
    if not _rows_held(row).update(**fields):
        return False
    for name, value in fields.items():
        setattr(row, name, value)
    return True


def _rows_held(row: Job) -> Any:
    return type(row)._default_manager.filter(pk=row.pk, status=Status.RUNNING, claim=row.claim)


def _lease() -> timedelta:
    return timedelta(seconds=settings.JOB_LEASE_SECONDS)


# -- For the site


@dataclass(frozen=True)
class Silence:
    """A worker that has not been heard from `since`; when its lease ends, `until`, another may take over."""

    since: datetime
    until: datetime


def silence_of(row: Job) -> Silence | None:
    """The silence of the worker of a running row; None while it renews its lease.

    It does so every third of the lease; after half of it a renewal is overdue.
    """
    if row.status != Status.RUNNING or row.lease_until is None:
        return None
    silence = Silence(row.lease_until - _lease(), row.lease_until)
    return silence if database_time() - silence.since > _lease() / 2 else None


def restart(row: Job, *conditions: Q, **fields: Any) -> bool:
    """Queue the work of a stored row, whatever its status, and send its message after the transaction.

    A worker that has claimed the row loses its claim. Attempts are reset; the log continues.

    Args:
        conditions: conditions on the row in the database; unless they hold, nothing happens.
        fields: other columns to set.

    Returns:
        Whether it was queued.
    """
    fields |= {"status": Status.QUEUED, "claim": None, "lease_until": None, "attempts": 0}
    fields |= {"queued": database_time(), "dispatched": None, "finished": None, "error": ""}
    if not type(row)._default_manager.filter(*conditions, pk=row.pk).update(**fields):
        return False
    for name, value in fields.items():
        setattr(row, name, value)
    transaction.on_commit(lambda: dispatch([row]))
    return True


def withdraw(rows: QuerySet[J]) -> int:
    """Delete those of `rows` that are queued; what a worker has claimed goes on.

    Returns:
        How many were deleted.
    """
    token = uuid.uuid4()
    with transaction.atomic():
        # One conditional UPDATE, as in `claim`: a row goes to a worker or is withdrawn, never both.
        model = rows.model._default_manager
        rows.filter(status=Status.QUEUED).update(status=Status.FAILED, claim=token)
        return model.filter(claim=token).delete()[1].get(rows.model._meta.label, 0)


def retry(row: Job) -> bool:
    """Queue a failed row again. False if it has not failed."""
    return restart(row, Q(status=Status.FAILED))


def dispatch(rows: Iterable[Job]) -> int:
    """Send a message for each queued row unless another process just did; returns how many were sent.

    An unavailable broker is not an error: the rows stay queued and the sweeper sends them later. The first
    failure ends the loop, so that a request waits for at most one timeout.
    """
    sent = 0
    for row in rows:
        # Mark it before sending: a worker may finish it before a later mark. The update is conditional
        # so that only one of several sweepers sends it.
        queued = type(row)._default_manager.filter(pk=row.pk, status=Status.QUEUED)
        if not queued.filter(dispatched=row.dispatched).update(dispatched=database_time()):
            continue
        try:
            _task(type(row)).apply_async((str(row.pk),), retry=False)
        except Exception as error:  # noqa: BLE001 - each transport has its own errors
            logger.warning("The message broker cannot be reached (%s); the sweeper sends later.", error)
            queued.update(dispatched=None)
            break
        sent += 1
    return sent


def sweep() -> None:
    """Find lost work and re-queue it. Several sweeps may run at the same time."""
    _requeue_orphans()
    with broker.noticing_a_new_one() as is_new:
        for model in KINDS:
            _requeue_stale(model)
            if is_new:  # it may have lost what was sent to the one before; a message too many does no harm
                queued = model._default_manager.filter(status=Status.QUEUED)
                dispatch(queued.order_by(F("dispatched").asc(nulls_first=True), "pk"))
            else:
                dispatch(_overdue_rows(model)[: settings.JOB_SWEEP_BATCH])


def give_back(task: str, token: uuid.UUID) -> bool:
    """Take a row from a worker that is known to be dead, without waiting for its lease to end.

    Args:
        task: name of the Celery task that it did.
        token: of its claim.

    Returns:
        Whether it held a row.
    """
    for model in (model for model, name in KINDS.items() if name == task):
        held = model._default_manager.filter(status=Status.RUNNING, claim=token)
        pk = held.values_list("pk", flat=True).first()
        if pk is None:
            continue
        _requeue(held, "the worker died")
        dispatch(model._default_manager.filter(pk=pk))
        return True
    return False


def _requeue_orphans() -> None:
    """Re-queue the rows of workers that died whole on this host, where nobody else saw it.

    None of several rows in a worker is known to have killed it, so that no attempt is counted.
    """
    lost: dict[tuple[int, int], list[tuple[type[Job], uuid.UUID]]] = {}
    for model in KINDS:
        for token in model._default_manager.filter(status=Status.RUNNING).values_list("claim", flat=True):
            if token is not None and is_orphan(holder := holder_of(token)):
                lost.setdefault((holder.host, holder.parent), []).append((model, token))
    for held in lost.values():
        for model, token in held:
            rows = model._default_manager.filter(status=Status.RUNNING, claim=token)
            _requeue(rows, "its worker died", counts=len(held) == 1)


def _requeue_stale(model: type[Job]) -> None:
    """Re-queue the rows of workers that died or hang."""
    stale = model._default_manager.filter(status=Status.RUNNING, lease_until__lt=database_time())
    _requeue(stale, "the worker died or hung: its lease ran out")


def _requeue(stale: QuerySet[Any], why: str, *, counts: bool = True) -> None:
    """Re-queue rows, or fail those that killed too many workers; note why in their logs.

    Args:
        counts: whether the death counts towards giving up.
    """
    line = Value(log_line(why))
    log = Concat("log", line, output_field=TextField())
    again = {"status": Status.QUEUED, "claim": None, "lease_until": None, "dispatched": None, "log": log}
    if not counts:
        stale.update(attempts=Greatest(F("attempts") - 1, 0), **again)
        return
    stale.filter(attempts__gte=settings.JOB_MAX_ATTEMPTS).update(
        status=Status.FAILED,
        claim=None,
        lease_until=None,
        finished=database_time(),
        log=log,
        error=Note(DIED, times=settings.JOB_MAX_ATTEMPTS),
    )
    stale.filter(attempts__lt=settings.JOB_MAX_ATTEMPTS).update(**again)


def _overdue_rows(model: type[Job]) -> Any:
    """Queued rows whose message was never sent or must have been lost.

    A row that has waited long may be in a long queue, and sending it repeatedly would flood the queue.
    Queues are first in, first out: the message is lost if later messages were taken, or if no work of the
    kind was done for a while.
    """
    queued = model._default_manager.filter(status=Status.QUEUED)
    limit = database_time() - timedelta(seconds=settings.JOB_REDISPATCH_SECONDS)
    lost = Q(dispatched__lt=limit)
    lively = Q(status=Status.RUNNING) | Q(finished__gt=database_time() - _lease())
    if model._default_manager.filter(lively).exists():
        newest = model._default_manager.filter(started__isnull=False).exclude(status=Status.QUEUED)
        reached = newest.aggregate(newest=Max("dispatched"))["newest"]
        # A worker may be about to claim a row whose message was sent shortly before.
        lost &= Q(dispatched__lt=reached - _lease()) if reached else Q(pk=None)
    return queued.filter(Q(dispatched=None) | lost).order_by(F("dispatched").asc(nulls_first=True), "pk")


def _task(model: type[Job]) -> Any:
    return import_string(KINDS[model])
