"""The figures of the load test; `test_kills` lets its browsers take a study on real servers."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.test import Client

from listening.site.loadtest.generate import Made
from listening.site.loadtest.measure import summarize, table
from listening.site.loadtest.server import WebServer


def made(saves: list[float], seconds: float, **more: Any) -> Made:
    usual = {
        "confirmed": [],
        "refused": {},
        "broken": {},
        "waited": 1.0,
        "processor": 0.5,
        "sessions": 1,
    }
    return {"latencies": {"save": saves}, "seconds": seconds, **usual, **more}  # type: ignore[typeddict-item]


def test_processes_are_summarized() -> None:
    first = made([0.001 * n for n in range(1, 101)], 10.0, refused={"save 500": 1}, processor=0.2)
    second = made([0.2] * 100, 20.0, refused={"save 500": 2}, broken={"save": 1}, waited=3.0)
    figures = summarize([first, second], "save", 0.4)
    assert figures["per_second"] == {"save": 15.0}  # 100 in 10 s, and 100 in 20 s
    # Of 200 in order, the first hundred from 1 to 100 ms.
    assert figures["latency"]["save"] == {"count": 200, "p50": 200.0, "p95": 200.0, "p99": 200.0}
    assert summarize([first], "save", 0.4)["latency"]["save"] == {
        "count": 100,
        "p50": 51.0,
        "p95": 96.0,
        "p99": 100.0,
    }
    assert figures["processor_ms"] == 2.0
    assert (figures["refused"], figures["broken"]) == ({"save 500": 3}, {"save": 1})
    assert (figures["waited"], figures["generator"], figures["sessions"]) == (3.0, 0.5, 2)


def test_a_table_is_aligned() -> None:
    assert (
        table([{"a": 1, "name": "x"}, {"a": 100, "name": "longer"}])
        == "  a    name\n  1       x\n100  longer"
    )


def test_processor_time_is_that_of_the_whole_group() -> None:
    busy = "\n".join([
        "import os, time",
        "os.fork()",
        "while time.process_time() < .3: pass",
        "print(1, flush=True)",
        "time.sleep(60)",
    ])  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", busy], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for _ in range(2):
            process.stdout.readline()
        used = WebServer("", process).processor_seconds()  # type: ignore[arg-type]
        os.killpg(process.pid, 9)
    assert 0.58 <= used < 5


@pytest.mark.parametrize("method", ["get", "head"])
def test_health_needs_no_database(client: Client, method: str) -> None:
    answer = getattr(client, method)("/healthz")  # a test without a database fails where it is asked
    assert (answer.status_code, answer["Cache-Control"].split(",")[0]) == (200, "max-age=0")
