"""As many threads as cores are free; those that wait for each other sleep."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from codec import threads
from tests.conftest import ROOT

# The first line of /proc/stat: ticks of user, nice, system, idle, iowait, irq, softirq, steal.
BEFORE = "cpu  1000 500 200 8000 100 10 20 30 0 0\ncpu0 1 2 3\n"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EARSHOT_TORCH_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("after", "free"),
    [
        ("cpu  1000 500 200 8020 100 10 20 30 0 0\n", 1.0),  # idle
        ("cpu  1010 500 200 8010 100 10 20 30 0 0\n", 0.5),  # one of two works
        ("cpu  1020 500 200 8000 100 10 20 30 0 0\n", 0.0),
        ("cpu  1010 510 200 8000 100 10 20 30 0 0\n", 0.5),  # one at low priority, which makes way
        ("cpu  1000 500 200 8005 105 10 20 40 0 0\n", 0.5),  # half was taken by another machine
        (BEFORE, 1.0),
    ],
)
def test_what_is_idle_or_of_low_priority_is_free(after: str, free: float) -> None:
    assert threads.measure_free_share(BEFORE, after) == free


@pytest.mark.parametrize(("free", "chosen"), [(0, 1), (1, 1), (2, 2), (4, 4), (32, 4)])
def test_there_are_no_more_threads_than_count_free_cores(
    monkeypatch: pytest.MonkeyPatch, free: int, chosen: int
) -> None:
    monkeypatch.setattr(threads, "count_free_cores", lambda: free)
    assert threads.choose_threads() == threads.choose_threads(60.0) == chosen
    assert threads.choose_threads(2.9) == threads.choose_threads(searching=True) == 1


def test_what_the_environment_says_counts_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "count_free_cores", lambda: 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.choose_threads(60.0) == threads.choose_threads(searching=True) == 3
    monkeypatch.setenv("EARSHOT_TORCH_THREADS", "2")
    assert threads.choose_threads(1.0) == 2
    monkeypatch.setenv("EARSHOT_TORCH_THREADS", "0")
    assert threads.choose_threads() == 3


def test_free_cores_are_those_that_the_process_may_use() -> None:
    assert 0 <= threads.count_free_cores() <= len(os.sched_getaffinity(0))


def test_torch_is_told_and_its_threads_sleep() -> None:
    program = (
        "import codec.bpgan.network.model, os, torch\n"
        "from codec.threads import use_threads\n"
        "print(os.environ['OMP_WAIT_POLICY'], use_threads(3), torch.get_num_threads())\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    assert done.stdout.split() == ["PASSIVE", "3", "3"]
