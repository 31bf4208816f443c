"""What a worker's parent does when it sees a child die: the child's row goes back into the queue at once."""

from __future__ import annotations

import logging
import os
from typing import Any

from billiard.einfo import ExceptionWithTraceback
from billiard.exceptions import WorkerLostError
from celery.worker import request
from django.db import DatabaseError, connection

from evaluation.work import jobs
from evaluation.work.holders import token_of

logger = logging.getLogger(__name__)


class Request(request.Request):  # type: ignore[misc]  # Celery has no types
    """A message that a worker received; lives in the parent of the worker's children."""

    def on_failure(self, exc_info: Any, *arguments: Any, **options: Any) -> Any:
        error = exc_info.exception
        error = error.exc if isinstance(error, ExceptionWithTraceback) else error
        if isinstance(error, WorkerLostError | SystemExit) and self.worker_pid:
            try:
                jobs.give_back(self.name, token_of(self.id, self.worker_pid, os.getpid()))
            except DatabaseError:
                logger.warning(
                    "Could not give back what task %s held; the sweeper will.", self.id, exc_info=True
                )
            finally:
                connection.close()  # children that are forked later must not share it
        return super().on_failure(exc_info, *arguments, **options)
