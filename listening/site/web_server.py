"""How gunicorn serves the site: ``gunicorn --config python:listening.site.web_server``.

Options on its command line win.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

wsgi_app = "listening.site.wsgi:application"
bind = os.environ.get("WEB_BIND") or f"127.0.0.1:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_WORKERS") or 4)
#: They mostly wait for a disk or a listener, and let many grades share a commit.
threads = int(os.environ.get("WEB_THREADS") or 16)
preload_app = True
control_socket_disable = True
#: A worker touches a file every second: in memory, so that a slow disk is not taken for a dead worker.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def when_ready(server: Any) -> None:
    """Forget what web processes that are gone have counted."""
    from listening.operations.counters import remove_counts_of_the_dead

    remove_counts_of_the_dead()
