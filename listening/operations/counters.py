"""What web processes count: requests, grades and how long they took.

Each process counts in a memory-mapped file of its own under PROMETHEUS_MULTIPROC_DIR, so that counting takes
microseconds and whichever process is asked for /metrics adds all of them up.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from django.conf import settings  # sets PROMETHEUS_MULTIPROC_DIR, which the next import reads

FOLDER = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]) if settings.configured else Path()
FOLDER.mkdir(parents=True, exist_ok=True)

from prometheus_client import Counter, Histogram  # noqa: E402

#: Upper ends, in seconds.
BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_REQUESTS = Counter("earshot_requests", "Requests answered, without grades", ["status"])
_REQUEST_SECONDS = Histogram("earshot_request_seconds", "How long they took", buckets=BUCKETS)
_SAVES = Counter(
    "earshot_saves",
    "Grades and choices that pages sent: stored, refused with a reason (4xx), or failed (5xx)",
    ["outcome"],
)
_SAVE_SECONDS = Histogram("earshot_save_seconds", "How long they took", buckets=BUCKETS)

_STORED, _REFUSED, _FAILED = (_SAVES.labels(outcome) for outcome in ("stored", "refused", "failed"))
_BY_STATUS = {hundred: _REQUESTS.labels(f"{hundred}xx") for hundred in range(1, 6)}


def count_save(status: int, seconds: float) -> None:
    """Count the answer to a page that sent a grade or a choice."""
    (_STORED if status < 400 else _REFUSED if status < 500 else _FAILED).inc()
    _SAVE_SECONDS.observe(seconds)


def count_request(status: int, seconds: float) -> None:
    """Count any other answer."""
    _BY_STATUS[status // 100].inc()
    _REQUEST_SECONDS.observe(seconds)


def remove_counts_of_the_dead() -> None:
    """Remove the files of processes that do not run any more; for a web server that starts.

    Those of its own workers that die later stay, so that what they counted is not lost.
    """
    for path in FOLDER.glob("*.db"):
        found = re.fullmatch(r"[a-z_]+_(\d+)\.db", path.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            path.unlink(missing_ok=True)
