"""How long renditions will take, from how long the last ones took, and in which order they are queued."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from statistics import median
from uuid import UUID

from django.conf import settings
from django.db.models import F

from codec import registry
from evaluation.models import Job, Rendition
from evaluation.work.clock import database_time

#: How many of a system's last renditions tell how long the next will take.
LAST = 20


def paces(systems: Collection[str]) -> dict[str, float]:
    """Seconds of work per second of audio: the median of each system's last renditions here.

    Loading, encoding, decoding and storing count. A system that has made nothing here is left out.
    """
    made = Rendition.objects.filter(
        status=Job.Status.DONE, encode_seconds__isnull=False, started__isnull=False
    ).order_by("-finished")
    found: dict[str, list[float]] = defaultdict(list)
    for system in systems:  # a query each, which the index answers; one for all would read every rendition
        last = made.filter(system=system)[:LAST]
        for started, finished, seconds in last.values_list("started", "finished", "clip__seconds"):
            if started is not None and finished is not None and seconds > 0:
                found[system].append(max(0.0, (finished - started).total_seconds()) / seconds)
    return {system: median(values) for system, values in found.items()}


def quickest_first(systems: Iterable[str]) -> list[str]:
    """`systems` in the order in which to queue them.

    A system that has made nothing here counts as quick, unless it is known to take its time.
    """
    given = list(systems)
    known = paces(given) if given else {}

    def expected(slug: str) -> float:
        described = registry.SYSTEMS.get(slug)
        return known.get(slug, float("inf") if described is not None and described.slow else 0.0)

    return sorted(given, key=expected)


def seconds_left(clips: Collection[UUID]) -> dict[UUID, float]:
    """Seconds until the renditions of each of `clips` that are queued or running are made.

    What other clips have in the queue before them counts, too, and is divided among as many workers as are
    busy now; measurements are not counted. A clip is left out where nothing is under way, where the pace of
    a system before its end is not known, and while no worker takes anything from the queue.
    """
    now = database_time()
    busy = Rendition.objects.filter(status__in=Job.UNFINISHED)
    rows = list(
        busy.order_by(F("dispatched").asc(nulls_last=True), "pk").values_list(
            "clip", "system", "status", "started", "dispatched", "clip__seconds"
        )
    )
    if not rows:
        return {}
    known = paces({row[1] for row in rows})
    running = [row for row in rows if row[2] == Job.Status.RUNNING]
    queued = [row for row in rows if row[2] == Job.Status.QUEUED]
    still = timedelta(seconds=settings.JOB_LEASE_SECONDS)
    if not running and queued[0][4] is not None and queued[0][4] < now - still:
        return {}
    found: dict[UUID, float | None] = {}
    ahead: float | None = 0.0
    for clip, system, _, started, _, seconds in running:
        left = _expected(known, system, seconds)
        if left is not None and started is not None:
            left = max(0.0, left - (now - started).total_seconds())
        found[clip] = _greater(found.get(clip, 0.0), left)
        ahead = None if ahead is None or left is None else ahead + left
    workers = max(1, len(running))
    for clip, system, _, _, _, seconds in queued:
        own = _expected(known, system, seconds)
        ahead = None if ahead is None or own is None else ahead + own
        found[clip] = _greater(found.get(clip, 0.0), None if ahead is None else ahead / workers)
    return {clip: left for clip, left in found.items() if left is not None and clip in clips}


def _expected(known: Mapping[str, float], system: str, seconds: float) -> float | None:
    return known[system] * seconds if system in known else None


def _greater(one: float | None, other: float | None) -> float | None:
    """The greater of two times; None if one of them is not known."""
    return None if one is None or other is None else max(one, other)
