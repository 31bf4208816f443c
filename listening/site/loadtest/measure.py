"""One measurement: load on a running site from one or more processes, and what became of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict

from listening.site.loadtest.generate import Made, Order
from listening.site.loadtest.server import WebServer

#: A process that makes load and uses more of its processor than this may be what limits the rate.
BUSY = 0.85


class Latency(TypedDict):
    """Of one kind of request: how many there were, and percentiles in milliseconds."""

    count: int
    p50: float
    p95: float
    p99: float


class Figures(TypedDict):
    """What a number of browsers did to the site.

    Attributes:
        browsers: how many at once.
        seconds: duration of the measurement.
        waited: seconds until all had joined and had the sounds of their first trial.
        per_second: requests answered a second, by kind.
        latency: by kind of request.
        processor_ms: processor time of the server for each request of the kind that was measured,
            milliseconds.
        generator: largest share of its processor that a process making load used; see `BUSY`.
        refused: answers of 400 and above, by kind and status.
        broken: requests without an answer, by kind.
        sessions: that came to their end.
    """

    browsers: int
    seconds: float
    waited: float
    per_second: dict[str, float]
    latency: dict[str, Latency]
    processor_ms: float
    generator: float
    refused: dict[str, int]
    broken: dict[str, int]
    sessions: int


#: Sequence number and score of confirmed grades by session token, position and key.
Confirmed = dict[tuple[str, int, str], tuple[int, float]]


def make_load(order: Order, processes: int, folder: Path) -> list[Made]:
    """Let processes share the browsers of an order among them.

    Args:
        order: for all of them together.
        processes: how many.
        folder: with the site's source.
    """
    shares = [len(range(number, order["browsers"], processes)) for number in range(processes)]

    def run(number: int) -> Made:
        own: Order = {**order, "browsers": shares[number], "first": sum(shares[:number])}
        done = subprocess.run(
            [sys.executable, "-m", "listening.site.loadtest.generate"],
            input=json.dumps(own),
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        made: Made = json.loads(done.stdout)
        return made

    with ThreadPoolExecutor(processes) as pool:
        return list(pool.map(run, range(processes)))


def measure(
    server: WebServer, order: Order, kind: str, processes: int, folder: Path
) -> tuple[Figures, Confirmed]:
    """Measure how the site answers requests of a kind.

    Args:
        server: the site.
        order: the load.
        kind: of the requests that the processor time is counted for: "save" or "empty".
        processes: that make the load.
        folder: with the site's source.
    """
    before = server.processor_seconds()
    made = make_load(order, processes, folder)
    used = server.processor_seconds() - before
    return summarize(made, kind, used), {
        (token, position, key): (sequence, score)
        for each in made
        for token, position, key, sequence, score in each["confirmed"]
    }


def summarize(made: Sequence[Made], kind: str, processor_seconds: float) -> Figures:
    """The figures of several processes together."""
    latencies: dict[str, list[float]] = {}
    refused: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    for each in made:
        for of, seconds in each["latencies"].items():
            latencies.setdefault(of, []).extend(seconds)
        refused.update(each["refused"])
        broken.update(each["broken"])
    rates = {
        of: sum(len(each["latencies"].get(of, ())) / max(1e-3, each["seconds"]) for each in made)
        for of in latencies
    }
    return {
        "browsers": 0,
        "seconds": round(max(each["seconds"] for each in made), 1),
        "waited": round(max(each["waited"] for each in made), 1),
        "per_second": {of: round(rate, 1) for of, rate in rates.items()},
        "latency": {of: _latency(seconds) for of, seconds in latencies.items()},
        "processor_ms": round(1000 * processor_seconds / max(1, len(latencies.get(kind, ()))), 2),
        "generator": round(max(each["processor"] for each in made), 2),
        "refused": dict(refused),
        "broken": dict(broken),
        "sessions": sum(each["sessions"] for each in made),
    }


def _latency(seconds: Sequence[float]) -> Latency:
    ordered = sorted(seconds)

    def percentile(share: float) -> float:
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {"count": len(ordered), "p50": percentile(0.5), "p95": percentile(0.95), "p99": percentile(0.99)}


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows with the same keys as text: a header and a line each."""
    names = list(rows[0])
    cells = [names, *([str(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells
    )
