"""Listeners grade while web processes are killed: what was confirmed to them is stored, and they go on."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from evaluation.models import Clip, Rendition
from evaluation.work import jobs
from listening.models import Rating, Study
from listening.site.loadtest.browsers import Gate, Listener, Pace, Tally
from listening.site.loadtest.trial import find_lost, make_study
from listening.study.stimuli import render_item
from tests.database import connected_to
from tests.live import Site, children_of, running_site
from tests.postgres import postgresql

__all__ = ["postgresql"]  # a fixture

pytestmark = pytest.mark.service

LISTENERS = 6
#: Fast, with pauses: a request is under way at almost any moment, and sessions last through all the kills.
PACE = Pace((0.0, 0.02), 2, 0.01)


@pytest.fixture
def sqlite_site(
    tmp_path: Path, new_database: Callable[[Path], None], django_db_blocker: Any
) -> Iterator[Site]:
    with django_db_blocker.unblock():
        yield from running_site(tmp_path / "home", new_database, THROTTLING="0")


@pytest.fixture
def postgresql_site(
    tmp_path: Path, postgresql: str, new_database: Callable[[Path], None], django_db_blocker: Any
) -> Iterator[Site]:
    with django_db_blocker.unblock():
        yield from running_site(tmp_path / "home", new_database, THROTTLING="0", DATABASE_URL=postgresql)


Confirmed = dict[tuple[str, int, str], tuple[int, float]]


def count_twice_and_ungraded() -> tuple[int, int]:
    """Grades of one stimulus beyond the first, and finished sessions' trials without all of their grades."""
    ratings = Rating.objects.values_list("trial", "stimulus")
    finished = Study.objects.get().sessions.exclude(finished=None)
    trials = [trial for session in finished for trial in session.trials.all()]
    return len(ratings) - len(set(ratings)), sum(len(t.order) != t.ratings.count() for t in trials)


async def grade_through_kills(site: Site, study: str, *, drill: bool) -> tuple[Tally, Confirmed]:
    """Let listeners take one session each while a worker, and then all of the server, is killed.

    With `drill`, a backup is made while they grade; the second result is what was confirmed before it began.
    """
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
    backed_up = (
        asyncio.create_task(asyncio.to_thread(site.manage, "backup", str(site.home / "backup")))
        if drill
        else None
    )
    confirmed_before = dict(tally.confirmed)
    for worker in children_of(site.processes[-1].pid):
        os.kill(worker, signal.SIGKILL)
    await asyncio.gather(*tasks)
    if backed_up is not None:
        assert "is complete" in await backed_up
    return tally, confirmed_before


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check_the_drill(site: Site, study: Study, confirmed: Confirmed, database: Path | str) -> None:
    """Restore the backup into an empty database: what was confirmed before it is there, and every file."""
    folder = site.home / "restored"
    with connected_to(database), override_settings(MEDIA_ROOT=folder):
        call_command("restore", str(site.home / "backup"), stdout=io.StringIO())
        assert len(confirmed) >= 20  # 110 grades, of some of which only the last counts
        assert find_lost(study, confirmed) == []
        assert count_twice_and_ungraded() == (0, 0)
    assert files_of(folder) == files_of(site.home / "media")


def check_nothing_is_lost(site: Site, restored: Path | str | None) -> None:
    """Nor in a backup, if it is to be `restored` into another database."""
    systems = ("original", "anchor35", "anchor70", "opus-9k")
    with site.here():
        study = make_study(render_item, items=2, seconds=0.3, systems=systems)
    site.start_web(2)
    # In a thread of its own: a browser test before this one has left its event loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        grading = grade_through_kills(site, study.token, drill=restored is not None)
        tally, before = pool.submit(asyncio.run, grading).result()
    assert sum(tally.broken.values()) > 0, "no request was under way when a process was killed"
    assert tally.sessions == LISTENERS
    # 4xx would be a grade refused that should have been taken; 409 may answer a repeated hand-in.
    assert {kind for kind in tally.refused if not kind.endswith(" 409")} <= {"save 500", "save 503"}
    # It would be seen if one were lost, or an older one stored.
    wrong: Confirmed = dict(tally.confirmed)
    one, two, three, *_ = tally.confirmed
    wrong[one] = (wrong[one][0] + 1, wrong[one][1])
    wrong[two] = (wrong[two][0], wrong[two][1] + 1)
    wrong[three[0], three[1], "another key"] = wrong.pop(three)
    with site.here():
        assert find_lost(study, tally.confirmed) == []
        assert len(find_lost(study, wrong)) == 3
        assert count_twice_and_ungraded() == (0, 0)
        # A listener whose joining was cut off joins again: more sessions may be begun, each goes to its end.
        assert study.sessions.exclude(finished=None).count() == LISTENERS
    if restored is not None:
        check_the_drill(site, study, before, restored)


def test_no_confirmed_grade_is_lost_on_sqlite(sqlite_site: Site) -> None:
    check_nothing_is_lost(sqlite_site, None)
    integrity = sqlite_site.rows("PRAGMA integrity_check")
    assert integrity == [("ok",)]


@pytest.mark.rest
def test_no_confirmed_grade_is_lost_on_sqlite_nor_in_a_backup(sqlite_site: Site, postgresql: str) -> None:
    check_nothing_is_lost(sqlite_site, postgresql)
    integrity = sqlite_site.rows("PRAGMA integrity_check")
    assert integrity == [("ok",)]


@pytest.mark.rest
def test_no_confirmed_grade_is_lost_on_postgresql_nor_in_a_backup(
    postgresql_site: Site, tmp_path: Path
) -> None:
    check_nothing_is_lost(postgresql_site, tmp_path / "restored.sqlite3")


def test_leases_go_by_the_databases_clock(postgresql_site: Site) -> None:
    """A worker whose clock is 70 s behind takes a row with a lease of 10 s; the sweeper's clock is right.

    Then the worker's lease really ends.
    """
    with postgresql_site.here():
        owner = User.objects.create(username="slow")
        clip = Clip.objects.create(
            owner=owner, sha256="5" * 64, seconds=1.0, source_rate=16000, source_channels=1
        )
        row = Rendition.objects.create(clip=clip, system="original", dispatched=timezone.now())
        slow = timezone.now() - timedelta(seconds=70)
        with override_settings(JOB_LEASE_SECONDS=10):
            with patch.object(timezone, "now", lambda: slow):
                held = jobs.claim(Rendition, row.pk)
            assert held is not None
            jobs._requeue_stale(Rendition)
            assert jobs.renew(held)
            Rendition.objects.update(lease_until=jobs.database_time())
            jobs._requeue_stale(Rendition)
        row.refresh_from_db()
        assert row.status == Rendition.Status.QUEUED
