"""Clip -> rendition -> score, with real systems and metrics, called as a worker calls them."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import User
from django.db import OperationalError, connection

from codec import container, registry
from codec.base import Audio, Codec, Parameters, Progress
from codec.reference import Original
from evaluation import tasks
from evaluation.clips import rendering
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.web.presentation import rendition_rows
from evaluation.work import jobs, pipeline
from evaluation.work.pipeline import METRICS, measure, process
from listening.site.celery import app
from tests.evaluation.conftest import RATE, make_speech

Status = Job.Status
MakeClip = Callable[..., Clip]


class Broken(Original):
    """Fails as only a fault of ours fails."""

    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        raise ZeroDivisionError("a fault in the codec")


class Deleting(Original):
    """Its clip is deleted while it works."""

    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        Clip.objects.all().delete()
        return super()._encode(audio)


class Sluggish(Original):
    """So slow that its lease runs out and another worker takes over, quicker, before it is through."""

    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        if Rendition.objects.get().attempts == 1:
            Rendition.objects.update(status=Status.QUEUED, claim=None, lease_until=None)
            tasks.make_rendition(str(Rendition.objects.get().pk))
        return super()._encode(audio)


class Slow(Original):
    """It says how far it is, and looks at what the page shows of that."""

    def _encode_with(self, audio: Audio, progress: Progress) -> tuple[bytes, int, Parameters]:
        shown = []
        for done in (len(audio) // 4, len(audio) // 2):
            progress(done, len(audio))
            shown += [row["percent"] for clip in Clip.objects.all() for row in rendition_rows(clip)]
        payload, bits, parameters = super()._encode(audio)
        return payload, bits, {**parameters, "shown": shown}


class Locked(Original):
    """The database goes away while it works."""

    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        raise OperationalError("database is locked")


class TooSlow(Original):
    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        raise SoftTimeLimitExceeded


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[Codec]], str]]:
    """Register a codec for one test; its slug is ``test``."""

    def register(codec: type[Codec]) -> str:
        target = f"{codec.__module__}:{codec.__name__}"
        monkeypatch.setitem(registry.SYSTEMS, "test", registry.System("test", "Test", "test", 1.0, target))
        forget()
        return "test"

    def forget() -> None:
        registry.load.cache_clear()
        pipeline._load.cache_clear()

    yield register
    forget()


def files(media: Path) -> list[str]:
    return sorted(
        str(path.relative_to(media)) for path in (media / "renditions").rglob("*") if path.is_file()
    )


def test_a_slow_system_shows_how_far_it_is(
    alice: User, make_clip: MakeClip, system: Callable[[type[Codec]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "REPORT_SECONDS", 0.0)
    row = Rendition.objects.create(clip=make_clip(alice), system=system(Slow))
    tasks.make_rendition(str(row.pk))
    row.refresh_from_db()
    assert row.parameters.to_json()["shown"] == [25, 50]
    assert row.percent is None


def test_rendition_is_made_stored_and_described(rendition: Rendition, media: Path) -> None:
    tasks.make_rendition(str(rendition.pk))
    rendition.refresh_from_db()
    assert (rendition.status, rendition.error, rendition.attempts) == (Status.DONE, "", 1)
    assert rendition.kbps == pytest.approx(256.0)
    assert rendition.payload_bits == 256_000
    assert rendition.encode_seconds is not None
    assert rendition.decode_seconds is not None
    assert rendition.parameters == process(make_speech(1.0), "anchor35").encoded.parameters
    for word in (
        "attempt 1 on",
        "loaded anchor35 in",
        "encoded 1.000 s",
        "256.000 kbit/s",
        "decoded in",
        "parameters",
    ):
        assert word in rendition.log
    assert files(media) == sorted([rendition.audio.name, rendition.bitstream.name])


def test_stored_audio_is_what_the_stored_bitstream_decodes_to(rendition: Rendition) -> None:
    tasks.make_rendition(str(rendition.pk))
    rendition.refresh_from_db()
    audio, rate = soundfile.read(rendition.audio.path, dtype="float32")
    encoded = container.loads(Path(rendition.bitstream.path).read_bytes())
    assert rate == RATE
    assert soundfile.info(rendition.audio.path).subtype == "PCM_16"
    assert encoded.payload_bits == rendition.payload_bits
    decoded = registry.load("anchor35").decode(encoded)
    np.testing.assert_allclose(audio, decoded, atol=1 / 32768)


def test_scores_are_queued_with_the_rendition_and_measured(rendition: Rendition) -> None:
    tasks.make_rendition(str(rendition.pk))
    scores = list(rendition.scores.all())
    assert sorted(score.metric for score in scores) == sorted(METRICS)
    assert {score.status for score in scores} == {Status.QUEUED}
    rendition.refresh_from_db()
    reference, _ = soundfile.read(rendition.clip.audio.path, dtype="float32")
    degraded, _ = soundfile.read(rendition.audio.path, dtype="float32")
    for score in scores:
        tasks.make_score(score.pk)
        score.refresh_from_db()
        expected = measure(reference, degraded, RATE, score.metric)
        assert (score.status, score.value, score.version) == (Status.DONE, expected.value, expected.version)


def test_a_message_leads_to_scores_without_further_ado(
    rendition: Rendition, eager: None, django_capture_on_commit_callbacks: Any
) -> None:
    """The chain of messages: the rendition's commit sends those of its scores."""
    with django_capture_on_commit_callbacks(execute=True):
        assert jobs.dispatch([rendition]) == 1
    assert {score.status for score in Score.objects.all()} == {Status.DONE}
    assert all(score.value is not None for score in Score.objects.all())


def test_repeated_messages_do_nothing(rendition: Rendition, media: Path) -> None:
    tasks.make_rendition(str(rendition.pk))
    before = (Rendition.objects.values().get(), list(Score.objects.values()), files(media))
    tasks.make_rendition(str(rendition.pk))
    assert (Rendition.objects.values().get(), list(Score.objects.values()), files(media)) == before
    score = Score.objects.first()
    assert score is not None
    tasks.make_score(score.pk)
    finished = Score.objects.get(pk=score.pk).finished
    tasks.make_score(score.pk)
    assert Score.objects.get(pk=score.pk).finished == finished


def test_messages_for_rows_that_are_gone_do_nothing(db: None) -> None:
    tasks.make_rendition(str(uuid.uuid4()))
    tasks.make_score(123456)


@pytest.mark.usefixtures("transactional_db")
def test_workers_at_the_same_time_make_it_once(alice: User, make_clip: MakeClip, media: Path) -> None:
    rendition = Rendition.objects.create(clip=make_clip(alice), system="codec2-3.2k")
    start = threading.Barrier(4)

    def worker() -> None:
        try:
            start.wait()
            tasks.make_rendition(str(rendition.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rendition.refresh_from_db()
    assert (rendition.status, rendition.attempts) == (Status.DONE, 1)
    assert Score.objects.count() == len(METRICS)
    assert len(files(media)) == 2


def test_unavailable_system_fails_with_the_reason(
    rendition: Rendition, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    missing = registry.System("test", "Test codec", "test", 1.0, "no_such_library:Codec")
    monkeypatch.setitem(registry.SYSTEMS, "test", missing)
    Rendition.objects.update(system="test")
    tasks.make_rendition(str(rendition.pk))
    rendition.refresh_from_db()
    assert (rendition.status, rendition.unavailable) == (Status.FAILED, True)
    assert rendition.error.startswith("Test codec is not available here")
    assert "Traceback" not in rendition.log + caplog.text
    Rendition.objects.update(system="gone-1k", status=Status.QUEUED)
    tasks.make_rendition(str(rendition.pk))
    rendition.refresh_from_db()
    assert (rendition.status, rendition.unavailable) == (Status.FAILED, False), "another reason by now"


def test_unknown_system_fails_with_the_reason(rendition: Rendition) -> None:
    Rendition.objects.update(system="gone-1k")
    tasks.make_rendition(str(rendition.pk))
    rendition.refresh_from_db()
    assert rendition.status == Status.FAILED
    assert "There is no system 'gone-1k'" in rendition.error


def test_a_fault_of_ours_keeps_its_traceback_in_the_log(
    rendition: Rendition, system: Callable[[type[Codec]], str], media: Path
) -> None:
    Rendition.objects.update(system=system(Broken))
    tasks.make_rendition(str(rendition.pk))
    rendition.refresh_from_db()
    assert rendition.status == Status.FAILED
    assert "ZeroDivisionError" in rendition.error
    assert "Traceback" not in rendition.error
    assert "Traceback" in rendition.log
    assert "a fault in the codec" in rendition.log
    assert files(media) == []
    assert not Score.objects.exists()


def test_time_limit_says_so(
    rendition: Rendition, system: Callable[[type[Codec]], str], settings: Any
) -> None:
    Rendition.objects.update(system=system(TooSlow))
    tasks.make_rendition(str(rendition.pk))
    rendition.refresh_from_db()
    assert rendition.error == f"This took longer than {settings.JOB_MAX_SECONDS} s and was stopped."


def test_database_away_is_not_the_renditions_fault(
    rendition: Rendition, system: Callable[[type[Codec]], str]
) -> None:
    """It stays claimed until its lease runs out; the sweeper queues it again."""
    Rendition.objects.update(system=system(Locked))
    with pytest.raises(OperationalError):
        tasks.make_rendition(str(rendition.pk))
    rendition.refresh_from_db()
    assert (rendition.status, rendition.error) == (Status.RUNNING, "")


def test_clip_deleted_meanwhile_stops_quietly(
    rendition: Rendition, system: Callable[[type[Codec]], str], media: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Rendition.objects.update(system=system(Deleting))
    tasks.make_rendition(str(rendition.pk))
    assert not Rendition.objects.exists()
    assert not Score.objects.exists()
    assert files(media) == []
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_who_lost_the_claim_leaves_the_others_result_alone(
    rendition: Rendition, system: Callable[[type[Codec]], str], media: Path
) -> None:
    Rendition.objects.update(system=system(Sluggish))
    tasks.make_rendition(str(rendition.pk))
    rendition.refresh_from_db()
    assert (rendition.status, rendition.attempts) == (Status.DONE, 2)
    assert files(media) == sorted([rendition.audio.name, rendition.bitstream.name])
    assert Score.objects.count() == len(METRICS)


def test_making_it_again_replaces_files_and_scores(rendition: Rendition, media: Path) -> None:
    tasks.make_rendition(str(rendition.pk))
    Score.objects.update(status=Status.DONE, value=1.0)
    first = files(media)
    (media / "renditions" / str(rendition.pk) / "left-by-a-killed-worker.wav").write_bytes(b"x")
    Rendition.objects.update(status=Status.QUEUED)
    tasks.make_rendition(str(rendition.pk))
    rendition.refresh_from_db()
    assert files(media) == sorted([rendition.audio.name, rendition.bitstream.name])
    assert not set(first) & set(files(media))
    assert {(score.status, score.value) for score in Score.objects.all()} == {(Status.QUEUED, None)}


def test_missing_audio_fails_the_score_with_a_message(rendition: Rendition) -> None:
    tasks.make_rendition(str(rendition.pk))
    rendition.refresh_from_db()
    Path(rendition.audio.path).unlink()
    score = Score.objects.filter(metric="stoi").get()
    tasks.make_score(score.pk)
    score.refresh_from_db()
    assert score.status == Status.FAILED
    assert "FileNotFoundError" in score.error
    assert "Traceback" in score.log


def test_score_of_a_rendition_deleted_meanwhile_stops_quietly(
    rendition: Rendition, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tasks.make_rendition(str(rendition.pk))
    score = Score.objects.filter(metric="stoi").get()

    def delete_first(*args: Any) -> pipeline.Measured:
        Clip.objects.all().delete()
        return measure(*args)

    monkeypatch.setattr(rendering, "measure", delete_first)
    tasks.make_score(score.pk)
    assert not Score.objects.exists()
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_silence_goes_all_the_way(alice: User, make_clip: MakeClip) -> None:
    clip = make_clip(alice, np.zeros(RATE, dtype=np.float32))
    for slug in ("original", "anchor35", "codec2-2.4k"):
        rendition = Rendition.objects.create(clip=clip, system=slug)
        tasks.make_rendition(str(rendition.pk))
        for score in rendition.scores.all():
            tasks.make_score(score.pk)
        assert Rendition.objects.get(pk=rendition.pk).status == Status.DONE
        for score in rendition.scores.all():
            assert (score.status, score.value) == (Status.DONE, None)
            assert "silent" in score.note


def test_the_web_process_never_imports_heavy_libraries() -> None:
    """Importing tasks, API and downloads brings in neither PyTorch nor a codec nor a metric."""
    program = (
        "import os, sys\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "import django\n"
        "django.setup()\n"
        "import evaluation.tasks, evaluation.web.api, evaluation.web.views.downloads\n"
        "import evaluation.clips.ingest, evaluation.work.scores, evaluation.web.views.metrics\n"
        "import listening.web.urls\n"
        "from evaluation.analysis.statistics import agreement, anova, comparisons, mixed, planning\n"
        "import evaluation.metrics; evaluation.metrics.list_available()\n"
        "heavy = {'torch', 'librosa', 'pesq', 'pystoi', 'pycodec2', 'codec.codec2', 'codec.ffmpeg',\n"
        "  'scipy.stats', 'statsmodels', 'visqol', 'speechmos', 'onnxruntime', 'pocketsphinx',\n"
        "  'distillmos'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.rest
def test_torch_keeps_to_the_threads_it_is_given() -> None:
    program = (
        "import torch\n"
        "from evaluation.work.pipeline import process\n"
        "import numpy as np\n"
        "process(np.zeros(160, dtype=np.float32), 'original')\n"
        "print(torch.get_num_threads())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"EARSHOT_TORCH_THREADS": "1", "PATH": ""},
    )
    assert done.stdout.strip() == "1"


def test_a_worker_serves_the_queue_of_every_task(settings: Any) -> None:
    """And nobody who waits does so behind codecs and measurements, nor a study behind anything else."""
    app.loader.import_default_modules()  # as a worker does
    routes = settings.CELERY_TASK_ROUTES
    ours = {name for name in app.tasks if name.startswith(("evaluation.", "listening."))}
    assert set(routes) == ours
    assert {route["queue"] for route in routes.values()} == set(settings.WORKER_QUEUES)
    waited_for = {
        name for name in ours if name.split(".")[-1] not in ("make_rendition", "make_score", "make_analysis")
    }
    quick = {routes[name]["queue"] for name in waited_for}
    assert quick == set(settings.QUICK_QUEUES) == {"prepare", "prompt"}
    assert [name for name in ours if routes[name]["queue"] == "prepare"] == ["listening.tasks.prepare_study"]
    by_the_clock = {"evaluation.tasks.sweep"}
    by_the_clock |= {f"listening.tasks.{name}" for name in ("remove_voices", "remove_made_files", "notify")}
    assert by_the_clock == {each["task"] for each in settings.CELERY_BEAT_SCHEDULE.values()}
    assert set(jobs.KINDS.values()) == ours - by_the_clock  # one task for each kind of work
