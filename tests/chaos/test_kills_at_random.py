"""A site at work whose processes are killed at random, again and again: what it loses or does twice.

Run it by hand (docs/load.md): ``pytest -m chaos tests/chaos``. The environment says how much: ``CHAOS_KILLS``
(1000), ``CHAOS_SEED``, and ``CHAOS_REPORT``, a file that gets the counters as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.utils import timezone

from evaluation.clips.ingest import ingest
from evaluation.models import Job, Rendition, Score
from evaluation.work import holders
from listening.models import Event, Rating, Session
from listening.site.loadtest.browsers import Gate, Listener, Pace, Tally
from listening.site.loadtest.trial import find_lost, make_study
from listening.study.stimuli import render_item
from tests.evaluation.conftest import make_speech, make_upload, make_wav
from tests.live import Site, children_of, running_site, wait_for

pytestmark = pytest.mark.chaos

KILLS = int(os.environ.get("CHAOS_KILLS", "1000"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
#: After so many kills the site is let alone until it works again, and the time is taken.
IN_A_ROW = 10
LISTENERS = 6
PACE = Pace((0.0, 0.05), 3, 0.02)
#: Quick ones, so that many are made between two kills.
SYSTEMS = ["anchor35", "anchor70", "opus-9k", "opus-12k"]
#: Renditions that wait at any time.
BACKLOG = 8


@pytest.fixture
def site(tmp_path: Path, new_database: Callable[[Path], None], django_db_blocker: Any) -> Iterator[Site]:
    with django_db_blocker.unblock():
        # The usual lease: what comes back sooner does so because a death was seen.
        yield from running_site(tmp_path / "home", new_database, THROTTLING="0", JOB_LEASE_SECONDS="60")


class Victims:
    """The site's processes, each of which is started again as soon as it was killed."""

    def __init__(self, site: Site, chance: random.Random) -> None:
        self.site, self.chance = site, chance
        self.killed: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.seen: set[int] = set()
        site.redis.start()
        self.web = site.start_web(2)
        self.worker = site.start_worker(children=2, beat=False)
        self.beat = site.start_beat()

    def kill_one(self) -> None:
        kinds = {
            "web server": self._kill_web,
            "web worker": lambda: self._kill_child(self.web),
            "worker": self._kill_worker,
            "worker's child": lambda: self._kill_child(self.worker),
            "beat": self._kill_beat,
            "Redis": self._kill_redis,
        }
        kind = self.chance.choice(list(kinds))
        self.killed[kind] += kinds[kind]()

    def _kill_web(self) -> bool:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            os.killpg(self.web.pid, signal.SIGKILL)
        self._forget(self.web)
        self.web = self.site.start_web(2, wait=False)
        return True

    def _kill_worker(self) -> bool:
        """Only the parent: its children have to notice."""
        self.seen.update(children_of(self.worker.pid))
        self.worker.kill()
        self._forget(self.worker)
        self.worker = self.site.start_worker(children=2, beat=False)
        return True

    def _kill_beat(self) -> bool:
        self.beat.kill()
        self._forget(self.beat)
        self.beat = self.site.start_beat()
        return True

    def _kill_redis(self) -> bool:
        assert self.site.redis.process is not None
        self.site.redis.process.kill()
        self.site.redis.process.wait()
        self.site.redis.start()
        return True

    def _kill_child(self, parent: subprocess.Popen[bytes]) -> bool:
        there = children_of(parent.pid)
        self.seen.update(there)
        if not there:
            return False  # it is still starting
        os.kill(self.chance.choice(there), signal.SIGKILL)
        return True

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self.site.processes.remove(process)

    def revive(self) -> None:
        """Start again what ended by itself, as systemd does: a worker whose child dies while it starts."""
        if self.web.poll() is not None:
            self.ended["web server"] += 1
            self._kill_web()
        if self.worker.poll() is not None:
            self.ended["worker"] += 1
            self._kill_worker()
        if self.beat.poll() is not None:
            self.ended["beat"] += 1
            self._kill_beat()

    def orphans(self) -> list[int]:
        """Children of killed workers that live on."""
        now = {*children_of(self.worker.pid), *children_of(self.web.pid)}
        return [child for child in self.seen - now if holders._is_alive(child)]


class Graders(threading.Thread):
    """Listeners who take session after session until they are told to stop."""

    def __init__(self, site: Site, study: str) -> None:
        super().__init__(daemon=True)
        self.url, self.study = site.url, study
        self.tally: Tally | None = None

    def run(self) -> None:
        asyncio.run(self._grade())

    async def _grade(self) -> None:
        self.tally = Tally(Gate(LISTENERS, seconds=1e9, patience=60))
        listeners = [Listener(self.url, self.study, n, PACE, self.tally) for n in range(LISTENERS)]
        await asyncio.gather(*(listener.run() for listener in listeners))

    def stop(self) -> None:
        assert self.tally is not None
        self.tally.gate.seconds = 0
        self.join(timeout=300)
        assert not self.is_alive(), "a grade was not answered for five minutes"

    @property
    def saves(self) -> int:
        return len(self.tally.seconds["save"]) if self.tally else 0


class Work:
    """Recordings that are uploaded as fast as the workers are through with them."""

    def __init__(self, owner: User) -> None:
        self.owner, self.clips = owner, 0

    def top_up(self) -> None:
        waiting = Rendition.objects.filter(status__in=Job.UNFINISHED).count()
        if waiting < BACKLOG:
            self.clips += 1
            audio = make_wav(make_speech(1.0, seed=self.clips))
            ingest(self.owner, make_upload(audio, f"{self.clips}.wav"), systems=SYSTEMS)

    def finished_since(self, moment: datetime) -> bool:
        return Rendition.objects.filter(finished__gt=moment, status=Job.Status.DONE).exists()

    def is_through(self) -> bool:
        waits = Job.UNFINISHED
        return not any(model.objects.filter(status__in=waits).exists() for model in (Rendition, Score))


def test_nothing_is_lost_or_doubled(site: Site) -> None:
    chance = random.Random(SEED)
    with site.here():
        study = make_study(render_item, items=2, seconds=0.3, systems=("original", "anchor35", "opus-9k"))
        work = Work(User.objects.get(username="alice"))
        victims = Victims(site, chance)
        graders = Graders(site, study.token)
        graders.start()
        _recover(victims, work, graders)
        recoveries: list[Recovery] = []
        started = time.monotonic()
        while victims.killed.total() < KILLS:
            time.sleep(chance.uniform(0.0, 3.0))
            _patiently(work.top_up)
            victims.revive()
            victims.kill_one()
            if victims.killed.total() % IN_A_ROW == 0:
                recoveries.append(_recover(victims, work, graders))
        hours = (time.monotonic() - started) / 3600
        graders.stop()
        wait_for("all work", lambda: _patiently(work.is_through), 600, every=1.0)
        assert graders.tally is not None
        counters = _count(study, graders.tally, work) | {
            "hours": round(hours, 2),
            "kills": dict(victims.killed),
            "ended by themselves and started again": dict(victims.ended),
            "seconds to the next grade": _spread([each.grade for each in recoveries]),
            "seconds to the next rendition": _spread([each.rendition for each in recoveries]),
            "load": _spread([each.load for each in recoveries]),
            "processes left over": len(victims.orphans()),
        }
    print(json.dumps(counters, indent=1))  # noqa: T201
    if report := os.environ.get("CHAOS_REPORT"):
        Path(report).write_text(json.dumps(counters, indent=1) + "\n")
    wrong = ("renditions lost", "scores lost", "grades lost", "grades doubled", "events doubled")
    assert {name: counters[name] for name in (*wrong, "failed", "processes left over")} == dict.fromkeys(
        (*wrong, "failed", "processes left over"), 0
    )


@dataclass
class Recovery:
    """Seconds from the last kill until a grade is confirmed, and until a rendition is finished.

    `load` counts processes that run or want to, over the last minute.
    """

    grade: float
    rendition: float
    load: float


def _recover(victims: Victims, work: Work, graders: Graders) -> Recovery:
    """Leave the site alone until it works again."""
    began, since, saves = time.monotonic(), timezone.now(), graders.saves
    took: dict[str, float] = {}

    def works() -> bool:
        victims.revive()
        _patiently(work.top_up)
        now = time.monotonic() - began
        if graders.saves > saves:
            took.setdefault("grade", now)
        if _patiently(lambda: work.finished_since(since)):
            took.setdefault("rendition", now)
        return len(took) == 2

    try:
        wait_for("a grade and a rendition", works, 300, every=0.2)
    except AssertionError as error:
        raise AssertionError(f"{error}; there was: {took}") from error
    return Recovery(**took, load=os.getloadavg()[0])


def _spread(values: list[float]) -> dict[str, float]:
    """Median and maximum."""
    if not values:
        return {}
    return {"median": round(statistics.median(values), 1), "most": round(max(values), 1)}


def _patiently(act: Callable[[], Any]) -> Any:
    """Act on the database, which many processes write to."""
    for _ in range(20):
        try:
            return act()
        except OperationalError:
            time.sleep(0.2)
    return act()


def _count(study: Any, tally: Tally, work: Work) -> dict[str, Any]:
    made = Rendition.objects.filter(clip__owner=work.owner)
    wanted = work.clips * len(SYSTEMS)
    stored = made.filter(status=Job.Status.DONE).exclude(audio="")
    done = [row for row in stored if row.audio.storage.exists(row.audio.name)]
    ratings = list(Rating.objects.values_list("trial", "stimulus"))
    events = list(Event.objects.values_list("trial", "sequence"))
    sessions = Session.objects.filter(study=study).exclude(finished=None)
    ungraded = sum(
        len(trial.order) != trial.ratings.count() for session in sessions for trial in session.trials.all()
    )
    scores = Score.objects.filter(rendition__clip__owner=work.owner)
    return {
        "renditions": len(done),
        "renditions lost": wanted - len(done),
        "scores": scores.filter(status=Job.Status.DONE).count(),
        "scores lost": scores.exclude(status=Job.Status.DONE).count()
        + sum(not row.scores.exists() for row in done if row.system != "original"),
        "failed": made.filter(status=Job.Status.FAILED).count(),
        "renditions made again after a death": made.filter(log__contains="died").count(),
        "grades confirmed": len(tally.seconds["save"]),
        "grades stored": len(ratings),
        "grades lost": len(find_lost(study, tally.confirmed)) + ungraded,
        "grades doubled": len(ratings) - len(set(ratings)),
        "events doubled": len(events) - len(set(events)),
        "requests cut off and sent again": sum(tally.broken.values()),
        "refused": dict(tally.refused),
        "sessions finished": sessions.count(),
    }
