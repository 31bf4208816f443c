"""Waiting for work that a site does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from terminal.progress import Work
from terminal.site import Site

#: Seconds between polls.
POLL_SECONDS = 2.0
#: Of work in the background.
UNFINISHED = ("queued", "running")

#: How much is done of how much, by what the site answers.
Count = Callable[[Any], tuple[int, int]]


def pause() -> None:
    """Wait until it is time to ask again."""
    time.sleep(POLL_SECONDS)


def wait_until(
    site: Site, path: str, is_done: Callable[[Any], bool], work: Work, count: Count | None = None
) -> Any:
    """Poll `path` until `is_done` of its answer, which is returned; meanwhile show how far the work is."""
    try:
        while not is_done(found := site.get(path)):
            work.show(*(count(found) if count else ()))
            pause()
    finally:
        work.end()
    return found


def wait_while(
    site: Site,
    path: str,
    name: str,
    statuses: Sequence[str] = UNFINISHED,
    *,
    unit: str = "",
    count: Count | None = None,
) -> Any:
    """Poll `path` until its status is none of `statuses` or it has an error; returns the last answer."""

    def is_done(found: Any) -> bool:
        return found["status"] not in statuses or bool(found.get("error"))

    return wait_until(site, path, is_done, Work(name, unit), count)
