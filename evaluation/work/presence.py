"""Which workers are alive: each says so in the database every few seconds.

A worker that stops takes its row away; the row of one that was killed stays, and is old.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from django.db import DatabaseError, connection

import codec
from evaluation.models import Worker
from evaluation.work.clock import database_time

logger = logging.getLogger(__name__)

#: Seconds between two signs of life.
EVERY = 10.0
#: A worker that has given none for so long is not counted as alive.
SILENCE = timedelta(seconds=45)
#: After so long its row is removed by the next worker that starts.
FORGOTTEN = timedelta(days=7)


class Presence:
    """The signs of life that a worker's parent gives from a thread of its own.

    Args:
        name: Celery's name of the worker.
        queues: queues that it serves.
        children: number of its children.
    """

    def __init__(self, name: str, queues: Sequence[str], children: int) -> None:
        self.name = name
        self._fields = {
            "queues": sorted(queues),
            "children": children,
            "version": codec.__version__,
            "device": os.environ.get("EARSHOT_DEVICE", "")[:40],
        }
        #: Touched at each sign of life, for a container's health check.
        self._file = Path(file) if (file := os.environ.get("WORKER_ALIVE_FILE", "")) else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take the row away: the worker ends as it should."""
        self._stop.set()
        self._thread.join(timeout=EVERY)

    def _run(self) -> None:
        first = True
        while not self._stop.is_set():
            first = not self._write(first) and first
            self._stop.wait(EVERY)
        self._remove()

    def _write(self, first: bool) -> bool:
        try:
            now = database_time()
            fields = {**self._fields, "seen": now, **({"started": now} if first else {})}
            Worker.objects.update_or_create(name=self.name, defaults=fields)
            if self._file:
                self._file.touch()
            if first:
                Worker.objects.filter(seen__lt=now - FORGOTTEN).delete()
            return True
        except DatabaseError:
            logger.warning("Could not tell the database that this worker is alive", exc_info=True)
            return False
        finally:
            connection.close()  # children that are forked later must not share it

    def _remove(self) -> None:
        try:
            Worker.objects.filter(name=self.name).delete()
        except DatabaseError:
            logger.warning("Could not take this worker's row away", exc_info=True)
        finally:
            connection.close()


def workers_alive() -> list[Worker]:
    """The workers that gave a sign of life a short while ago."""
    return list(Worker.objects.filter(seen__gt=database_time() - SILENCE))
