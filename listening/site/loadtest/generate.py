"""A process that makes load: ``python -m listening.site.loadtest.generate``, with an `Order` on its input.

Several of them make more load than one, which has a single processor.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TypedDict

from listening.site.loadtest.browsers import PACES, Tally, knock, listen


class Order(TypedDict):
    """What a process does.

    Attributes:
        site: URL of the site.
        study: token of the study's link; "": ask for `path` again and again.
        path: address of the empty page.
        browsers: number of browsers.
        first: number of the first of them among all processes.
        pace: name in `PACES`.
        seconds: duration, once all have the sounds of their first trial.
    """

    site: str
    study: str
    path: str
    browsers: int
    first: int
    pace: str
    seconds: float


class Made(TypedDict):
    """What a process saw.

    Attributes:
        latencies: seconds, by kind of request.
        confirmed: session token, position, key, sequence number and score of every confirmed grade.
        refused, broken: as in `Tally`.
        waited: seconds until all had their sounds.
        seconds: duration from then on.
        processor: share of one processor that this process used meanwhile, 0 to 1.
        sessions: sessions that came to their end.
    """

    latencies: dict[str, list[float]]
    confirmed: list[tuple[str, int, str, int, float]]
    refused: dict[str, int]
    broken: dict[str, int]
    waited: float
    seconds: float
    processor: float
    sessions: int


async def carry_out(order: Order) -> Made:
    """Carry out an order."""
    if order["study"]:
        pace = PACES[order["pace"]]
        work = listen(
            order["site"], order["study"], order["browsers"], pace, order["seconds"], first=order["first"]
        )
    else:
        work = knock(order["site"], order["path"], order["browsers"], order["seconds"])
    before = time.process_time()
    tally: Tally = await work
    used = time.process_time() - before
    ended = time.monotonic()
    opened = ended if tally.gate.opened is None else tally.gate.opened
    return {
        "latencies": dict(tally.seconds),
        "confirmed": [(*which, *grade) for which, grade in tally.confirmed.items()],
        "refused": dict(tally.refused),
        "broken": dict(tally.broken),
        "waited": opened - tally.gate.made,
        "seconds": ended - opened,
        "processor": used / max(1e-3, ended - tally.gate.made),
        "sessions": tally.sessions,
    }


if __name__ == "__main__":
    json.dump(asyncio.run(carry_out(json.load(sys.stdin))), sys.stdout)
