"""Waiting for work that a site does."""

from __future__ import annotations

import time
from collections.abc import Sequence

from terminal.site import Site

#: Seconds between polls.
POLL_SECONDS = 2.0


def pause() -> None:
    """Wait until it is time to ask again."""
    time.sleep(POLL_SECONDS)


def wait_while(site: Site, path: str, statuses: Sequence[str] = ("queued", "running")) -> None:
    """Poll `path` until its status changes or it has an error."""
    while (found := site.get(path))["status"] in statuses and not found.get("error"):
        pause()
