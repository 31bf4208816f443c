"""Listeners grade while web processes are killed: what was confirmed to them is stored, and they go on."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from listening.site.loadtest.browsers import Gate, Listener, Pace, Tally
from tests.live import Site, children_of, in_site
from tests.postgres import postgresql

__all__ = ["postgresql"]  # a fixture

pytestmark = pytest.mark.service

LISTENERS = 6
#: Fast, with pauses: a request is under way at almost any moment, and sessions last through all the kills.
PACE = Pace((0.0, 0.02), 3, 0.01)


@pytest.fixture
def sqlite_site(tmp_path: Path, new_database: Callable[[Path], None]) -> Iterator[Site]:
    yield from _site(Site(tmp_path / "home", THROTTLING="0"), new_database)


@pytest.fixture
def postgresql_site(tmp_path: Path, postgresql: str, new_database: Callable[[Path], None]) -> Iterator[Site]:
    yield from _site(Site(tmp_path / "home", THROTTLING="0", DATABASE_URL=postgresql), new_database)


def _site(site: Site, new_database: Callable[[Path], None]) -> Iterator[Site]:
    site.make_database(new_database)
    try:
        yield site
    finally:
        site.stop()


MAKE = """
from listening.site.loadtest.trial import make_study
from listening.study.stimuli import render_item
systems = ("original", "anchor35", "anchor70", "opus-9k")
out = make_study(render_item, items=2, seconds=0.3, systems=systems).token
"""
CHECK = """
from listening.site.loadtest.trial import find_lost
from listening.models import Rating, Study
study = Study.objects.get()
def confirmed(grades):
    return {(token, position, key): tuple(grade) for token, position, key, grade in grades}
ratings = Rating.objects.values_list("trial", "stimulus")
out = {
    "lost": [find_lost(study, confirmed(grades)) for grades in given],
    "twice": len(ratings) - len(set(ratings)),
    "finished": study.sessions.exclude(finished=None).count(),
    "ungraded": sum(
        len(trial.order) != trial.ratings.count()
        for session in study.sessions.exclude(finished=None)
        for trial in session.trials.all()
    ),
}
"""


async def grade_through_kills(site: Site, study: str) -> Tally:
    """Let listeners take one session each while a worker, and then all of the server, is killed."""
    tally = Tally(Gate(LISTENERS, seconds=300, patience=120))
    listeners = [Listener(site.url, study, number, PACE, tally) for number in range(LISTENERS)]
    tasks = [asyncio.create_task(listener.run(1)) for listener in listeners]

    async def confirmed(count: int) -> None:
        while len(tally.seconds["save"]) < count and not all(task.done() for task in tasks):
            await asyncio.sleep(0.005)

    server = site.processes[-1]
    await confirmed(30)
    os.kill(children_of(server.pid)[0], signal.SIGKILL)
    await confirmed(70)
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    assert not all(task.done() for task in tasks), "the listeners were through before the kill"
    await asyncio.to_thread(site.start_web, 2)
    await confirmed(110)
    for worker in children_of(site.processes[-1].pid):
        os.kill(worker, signal.SIGKILL)
    await asyncio.gather(*tasks)
    return tally


def check_nothing_is_lost(site: Site) -> None:
    study = in_site(site, MAKE)
    site.start_web(2)
    # In a thread of its own: a browser test before this one has left its event loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        tally = pool.submit(asyncio.run, grade_through_kills(site, study)).result()
    assert sum(tally.broken.values()) > 0, "no request was under way when a process was killed"
    assert tally.sessions == LISTENERS
    # 4xx would be a grade refused that should have been taken; 409 may answer a repeated hand-in.
    assert {kind for kind in tally.refused if not kind.endswith(" 409")} <= {"save 500", "save 503"}
    grades = [[*which, grade] for which, grade in tally.confirmed.items()]
    # It would be seen if one were lost, or an older one stored.
    wrong = copy.deepcopy(grades)
    wrong[0][3] = [wrong[0][3][0] + 1, wrong[0][3][1]]
    wrong[1][3] = [wrong[1][3][0], wrong[1][3][1] + 1]
    wrong[2][2] = "another key"
    found = in_site(site, CHECK, [grades, wrong])
    assert found["lost"][0] == []
    assert len(found["lost"][1]) == 3
    assert found["twice"] == found["ungraded"] == 0
    # A listener whose joining was cut off joins again: more sessions may be begun, each goes to its end.
    assert found["finished"] == LISTENERS


def test_no_confirmed_grade_is_lost_on_sqlite(sqlite_site: Site) -> None:
    check_nothing_is_lost(sqlite_site)
    integrity = sqlite_site.rows("PRAGMA integrity_check")
    assert integrity == [("ok",)]


def test_no_confirmed_grade_is_lost_on_postgresql(postgresql_site: Site) -> None:
    check_nothing_is_lost(postgresql_site)
