"""With real servers: preparation survives killed workers, Redis its own death, and databases keep promises.

That codecs' and metrics' work survives is a part of the main job (`tests/browser/test_main_job.py`).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from kombu import Connection

import codec
from listening.site.embedded_redis import EmbeddedRedis, broker_url, is_running, socket_path
from listening.site.processes import stop_groups
from tests.live import ROOT, Site, children_of, in_site, running_site, wait_for
from tests.postgres import postgresql

__all__ = ["postgresql"]  # a fixture

pytestmark = pytest.mark.service

#: A limit for a machine that is busy with other things; an idle one takes a tenth.
WORK_SECONDS = 300.0


@pytest.fixture
def hasty_site(
    tmp_path: Path, new_database: Callable[[Path], None], django_db_blocker: Any
) -> Iterator[Site]:
    with django_db_blocker.unblock():
        yield from running_site(tmp_path / "home", new_database, JOB_LEASE_SECONDS="2", LOG_FORMAT="json")


#: A study of 40 short excerpts of one clip through one system, beside what MUSHRA adds: 160 stimuli.
MAKE_STUDY = """
import io
import numpy, soundfile
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from evaluation.models import Clip, Rendition
from listening.study.contents import Excerpt
from listening.study.studies import create_study

def wav(audio):
    file = io.BytesIO()
    soundfile.write(file, audio, 16000, format="WAV")
    return ContentFile(file.getvalue())

audio = 0.1 * numpy.random.default_rng(0).standard_normal(6 * 16000)
clip = Clip(owner=User.objects.get(), sha256="0" * 64, title="Noise", seconds=6, source_rate=16000,
            source_channels=1)
clip.audio.save("noise.wav", wav(audio))
for system in ("original", "anchor35", "anchor70", "opus-9k"):
    rendition = Rendition(clip=clip, system=system, status="done")
    rendition.audio.save("noise.wav", wav(audio))
excerpts = [Excerpt(clip, number / 8, number / 8 + 0.5) for number in range(40)]
out = create_study(clip.owner, "Forty items", [], ["opus-9k"], excerpts=excerpts).items.count()
"""


@pytest.mark.rest
def test_a_study_is_prepared_through_kills_each_stimulus_once(hasty_site: Site) -> None:
    """Killed before the first item; then the children that do the work; then all of the worker again."""
    site = hasty_site
    site.redis.start()
    site.start_beat()
    in_site(site, MAKE_STUDY)

    def rendered() -> int:
        [(count,)] = site.rows("SELECT count(*) FROM listening_stimulus WHERE audio != ''")
        return int(count)

    def begun() -> bool:
        return bool(site.rows("SELECT 1 FROM listening_preparation WHERE status = 'running'"))

    def kill(worker: subprocess.Popen[bytes], whole: bool) -> None:
        for pid in children_of(worker.pid):
            os.kill(pid, signal.SIGKILL)
        if whole:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()

    worker = site.start_worker(["prepare", "prompt"], beat=False)
    wait_for("the first claim", begun, WORK_SECONDS, every=0.01)
    kill(worker, whole=True)
    before = rendered()
    for count, whole in ((40, False), (100, True)):
        if worker.poll() is not None:
            worker = site.start_worker(["prepare", "prompt"], beat=False)
        wait_for(f"{count} stimuli", lambda n=count: rendered() >= n, WORK_SECONDS, every=0.01)
        kill(worker, whole)
        assert before <= rendered() < 160, "it was through before the kill"
        before = rendered()
    site.start_worker(["prepare", "prompt"], beat=False)
    wait_for(
        "the study to open",
        lambda: site.rows("SELECT 1 FROM listening_study WHERE status = 'open'"),
        WORK_SECONDS,
    )
    names = [name for (name,) in site.rows("SELECT audio FROM listening_stimulus")]
    assert len(set(names)) == len(names) == 160
    media = site.home / "media"
    files = [path for path in (media / "stimuli").rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(media)) for path in files) == sorted(names)
    assert {soundfile.info(path).frames for path in files} == {8000}
    [(status, error, log)] = site.rows("SELECT status, error, log FROM listening_preparation")
    assert (status, error) == ("done", "")
    # Seen by its parent, at the start of the next worker, or by the sweeper when its lease ran out.
    assert len(re.findall("(?:the|its) worker died", log)) == 3
    [(row, version)] = site.rows("SELECT name, version FROM evaluation_worker")
    assert (row.split("@")[0], version) == ("celery", codec.__version__)
    written = (site.home / "worker.log").read_text().splitlines()
    lines = [json.loads(line) for line in written if line.startswith("{")]
    assert {line["job"].split()[0] for line in lines if line["job"]} >= {"prepare_study"}
    stop_groups([site.processes[-1]], seconds=30)
    assert site.rows("SELECT name FROM evaluation_worker") == []


#: 5000 listeners of one item with four stimuli, whose grades somebody asks for as a file.
ASK_FOR_GRADES = """
from django.contrib.auth.models import User
from listening.delivery.files import ask_for
from listening.models import Assessor, Item, MadeFile, Rating, Session, Stimulus, Study, Trial

owner = User.objects.get()
study = Study.objects.create(owner=owner, name="Large", systems=[], seed=1)
item = Item.objects.create(study=study, position=1, end=1.0)
stimuli = [Stimulus.objects.create(item=item, system=f"system-{number}") for number in range(4)]
people = Assessor.objects.bulk_create(Assessor(code=f"a{number}") for number in range(5000))
sessions = Session.objects.bulk_create(
    [Session(study=study, assessor=person, number=n, seed=n, completion_code=f"{n}")
     for n, person in enumerate(people, start=1)], batch_size=500)
order = [{"key": f"k{each.pk}", "stimulus": each.pk} for each in stimuli]
trials = Trial.objects.bulk_create(
    [Trial(session=session, item=item, position=1, order=order) for session in sessions], batch_size=500)
Rating.objects.bulk_create(
    [Rating(trial=trial, stimulus=each, score=50, sequence=1) for trial in trials for each in stimuli],
    batch_size=500)
out = str(ask_for(owner, MadeFile.Kind.EXPORT, study, name="ratings.csv", kind="real", personal="no").pk)
"""


@pytest.mark.rest
def test_a_large_export_is_made_once_though_its_worker_is_killed(hasty_site: Site) -> None:
    site = hasty_site
    site.redis.start()
    site.start_beat()
    in_site(site, ASK_FOR_GRADES)

    def state() -> tuple[str, str]:
        [(status, file)] = site.rows("SELECT status, file FROM listening_madefile")
        return str(status), str(file)

    worker = site.start_worker(["prompt"], beat=False)
    wait_for("the claim", lambda: state()[0] == "running", WORK_SECONDS, every=0.01)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    assert state() == ("running", ""), "it was through before the kill"
    site.start_worker(["prompt"], beat=False)
    wait_for("the file", lambda: state()[0] == "done", WORK_SECONDS)
    assert [path.relative_to(site.home / "media") for path in (site.home / "media/made").iterdir()] == [
        Path(state()[1])
    ]
    lines = (site.home / "media" / state()[1]).read_text().splitlines()
    assert len(lines) == 1 + 4 * 5000
    assert len({line.split(",")[1] for line in lines[1:]}) == 5000


def test_two_starters_share_one_redis_and_only_the_first_stops_it(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as first:
        assert first.process is not None
        with EmbeddedRedis(tmp_path) as second:
            assert second.process is None
        assert is_running(tmp_path)
        assert socket_path(tmp_path).stat().st_mode & 0o077 == 0
    assert not is_running(tmp_path)


def test_messages_survive_sigkill_of_redis_in_a_home_with_a_long_name(tmp_path: Path) -> None:
    home = tmp_path / ("a folder with a long name and 100 % more " * 3)
    assert len(os.fsencode(socket_path(home))) <= 103 < len(os.fsencode(home))
    redis = EmbeddedRedis(home)
    try:
        redis.start()
        with Connection(broker_url(home)) as connection:
            connection.SimpleQueue("words").put("a message")
            # The file is synced once a second; what was written reaches it in order.
            connection.default_channel.client.set("marker", "written after the message")
        file = home / "redis" / "appendonly.aof"
        wait_for("the append-only file", lambda: b"written after the message" in file.read_bytes(), 5)
        assert redis.process is not None
        redis.process.kill()
        redis.process.wait()
        redis.start()
        with Connection(broker_url(home)) as connection:
            assert connection.SimpleQueue("words").get(timeout=5).payload == "a message"
    finally:
        redis.stop()


def race(site: Site) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.race"]
    done = subprocess.run(
        command, cwd=ROOT, env=site.environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def check_race(outcome: dict[str, Any]) -> None:
    assert outcome["claims"] == {"claimed": 10, "rows": 10}
    assert [outcome["ratings"]["sequence"], outcome["ratings"]["score"]] == outcome["ratings"]["expected"]
    assert outcome["sessions"] == {"sessions": 16, "numbers": 16, "places": 16}
    assert outcome["files"] == {"asked": 16, "rows": 1}
    assert outcome["deletions"] == {"left": 0, "clips": True, "outputs": True}


def test_postgresql_keeps_claims_grades_and_sessions_apart(tmp_path: Path, postgresql: str) -> None:
    outcome = race(Site(tmp_path, DATABASE_URL=postgresql))
    assert outcome["vendor"] == "postgresql"
    check_race(outcome)


def test_sqlite_keeps_claims_grades_and_sessions_apart(
    tmp_path: Path, new_database: Callable[[Path], None]
) -> None:
    site = Site(tmp_path)
    new_database(site.database)
    outcome = race(site)
    assert outcome["vendor"] == "sqlite"
    # FULL: in WAL mode, SQLite's default would lose the last grades with the power.
    assert outcome["synchronous"] == 2
    check_race(outcome)
