"""Whether the site can do its work: each part that it needs, looked at now."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from kombu.connection import Connection

from listening.operations.queues import oldest_wait

logger = logging.getLogger(__name__)

#: Seconds for which the broker may keep a check waiting.
BROKER_SECONDS = 2.0


class NotReady(Exception):
    """A part does not work; the message says what is wrong and, where it can, what to do."""


@dataclass(frozen=True)
class Part:
    """One part of the site as a check found it.

    Attributes:
        name: database, broker, storage, migrations or queue.
        is_ok: whether it works.
        text: what was found, for the operator only.
    """

    name: str
    is_ok: bool
    text: str


def _check_database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return connection.vendor


def _check_broker() -> str:
    with Connection(
        settings.CELERY_BROKER_URL, transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS
    ) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)
        broker.default_channel.client.ping()
    return "answers"


def free_percent(folder: Path | str) -> float:
    """How much of the disk of a folder, or of its nearest parent that exists, is free."""
    usage = disk_of(folder)
    return 100 * usage.free / usage.total


def disk_of(folder: Path | str) -> shutil._ntuple_diskusage:
    """Bytes of the disk of a folder, or of its nearest parent that exists."""
    path = Path(folder)
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path)


def is_local() -> bool:
    """Whether media are files of this machine."""
    return isinstance(default_storage, FileSystemStorage)


def _check_storage() -> str:
    if not is_local():
        default_storage.exists("ready")  # raises if the bucket or its server does not answer, or refuses
        return "answers"
    folder = settings.MEDIA_ROOT
    os.makedirs(folder, exist_ok=True)
    # It has no name, so that nothing is left of it.
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"ready")
        file.flush()
    free = free_percent(folder)
    if free < settings.READY_DISK_PERCENT:
        raise NotReady(f"only {free:.1f} % of the disk is free")
    return f"{free:.0f} % of the disk is free"


@cache
def newest_migrations() -> frozenset[tuple[str, str]]:
    """App and name of the last migration of each app in the code. A process never sees other code."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes())


def missing_migrations() -> list[str]:
    """Those of the newest migrations that are not applied, as ``app.name``."""
    missing = newest_migrations() - set(MigrationRecorder(connection).applied_migrations())
    return [f"{app}.{name}" for app, name in sorted(missing)]


def _check_migrations() -> str:
    if missing := missing_migrations():
        raise NotReady(f"not applied: {', '.join(missing)}; run manage.py migrate")
    return "all are applied"


def _check_queue() -> str:
    wait = oldest_wait()
    if wait > settings.READY_QUEUE_SECONDS:
        raise NotReady(f"a job has waited for {wait:.0f} s; is a worker alive for its queue?")
    return f"the oldest job has waited for {wait:.0f} s" if wait else "nothing waits"


#: The parts in the order in which they are looked at.
CHECKS: dict[str, Callable[[], str]] = {
    "database": _check_database,
    "broker": _check_broker,
    "storage": _check_storage,
    "migrations": _check_migrations,
    "queue": _check_queue,
}


def look_at_parts(without: frozenset[str] = frozenset()) -> list[Part]:
    """Look at every part but those named; a part that raises anything does not work."""
    return [_look_at(name, check) for name, check in CHECKS.items() if name not in without]


def _look_at(name: str, check: Callable[[], str]) -> Part:
    try:
        return Part(name, True, check())
    except NotReady as error:
        return Part(name, False, str(error))
    except Exception as error:  # each library of a database, broker or storage has errors of its own
        logger.warning("The check of the %s failed", name, exc_info=True)
        if isinstance(error, DatabaseError):
            connection.close()  # the next request opens another, once the database is back
        return Part(name, False, f"{type(error).__name__}: {error}".strip().splitlines()[0])
