"""What is under way in this thread, for its log lines: a web process's request or a worker's job."""

from __future__ import annotations

import logging
from contextvars import ContextVar

#: Id of the request that is being answered; empty outside one.
REQUEST: ContextVar[str] = ContextVar("request", default="")
#: Name of the task that is being done and the id of its row; empty outside one.
JOB: ContextVar[str] = ContextVar("job", default="")


class TracingFilter(logging.Filter):
    """Puts both ids on every record of a log; lets all of them through."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id, record.job = REQUEST.get(), JOB.get()
        return True
