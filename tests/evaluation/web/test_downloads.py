"""Files of clips and renditions: who gets them, in parts and whole."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.test import Client

from codec import container
from evaluation import tasks
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.web.views.downloads import safe_stem
from evaluation.work import jobs
from evaluation.work.benchmark import COLUMNS
from tests.evaluation.conftest import RATE

MakeClip = Callable[..., Clip]
FILES = (
    "renditions/{r}/audio.wav",
    "renditions/{r}/bitstream.ear",
    "clips/{c}/audio.wav",
    "clips/{c}/everything.zip",
)
ADDRESSES = (*FILES, "clips/{c}/outline.json")


@pytest.fixture
def made(rendition: Rendition) -> Rendition:
    """Alice's rendition, made and measured."""
    tasks.make_rendition(str(rendition.pk))
    for score in Score.objects.all():
        tasks.make_score(score.pk)
    rendition.refresh_from_db()
    return rendition


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def address(pattern: str, rendition: Rendition) -> str:
    return "/" + pattern.format(r=rendition.pk, c=rendition.clip_id)


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


# -- The outline


@pytest.mark.parametrize("samples", [48_000, 601, 100])
def test_an_outline_has_the_extremes_of_all_channels(
    owner: Client, alice: User, make_clip: MakeClip, samples: int
) -> None:
    rng = np.random.default_rng(samples)
    audio = rng.uniform(-0.5, 0.5, (samples, 2)).astype(np.float32)
    clip = make_clip(alice, audio, rate=48_000)
    found = owner.get(f"/clips/{clip.pk}/outline.json").json()
    assert len(found["low"]) == len(found["high"]) == 600
    # By another way: each sample belongs to the column in which its place, as a share of all, lies.
    columns: dict[int, list[float]] = {}
    for place, frame in enumerate(audio):
        columns.setdefault(place * 600 // samples, []).extend(frame)
    for column, values in columns.items():
        assert found["low"][column] == pytest.approx(min(values), abs=1e-4)
        assert found["high"][column] == pytest.approx(max(values), abs=1e-4)
    assert max(found["high"]) <= 0.5


# -- Who


@pytest.mark.parametrize("pattern", FILES)
def test_owner_gets_files(owner: Client, made: Rendition, pattern: str) -> None:
    response = owner.get(address(pattern, made))
    assert response.status_code == 200
    assert len(body(response)) == int(response["Content-Length"]) > 100


@pytest.mark.parametrize("pattern", ADDRESSES)
def test_others_find_nothing(client: Client, bob: User, made: Rendition, pattern: str) -> None:
    assert client.get(address(pattern, made)).status_code == 404
    client.force_login(bob)
    assert client.get(address(pattern, made)).status_code == 404
    assert client.head(address(pattern, made)).status_code == 404


@pytest.mark.parametrize("pattern", ADDRESSES)
def test_public_clips_are_for_everybody(client: Client, made: Rendition, pattern: str) -> None:
    Clip.objects.update(public=True)
    assert client.get(address(pattern, made)).status_code == 200


@pytest.mark.parametrize("pattern", ADDRESSES)
def test_reading_only(owner: Client, made: Rendition, pattern: str) -> None:
    assert owner.post(address(pattern, made)).status_code == 405


def test_what_is_not_there_is_not_found(owner: Client, rendition: Rendition) -> None:
    for pattern in FILES[:2]:
        assert owner.get(address(pattern, rendition)).status_code == 404, "not made yet"
    assert owner.get(f"/renditions/{uuid4()}/audio.wav").status_code == 404
    assert owner.get(f"/clips/{uuid4()}/everything.zip").status_code == 404


def test_lost_file_is_not_found(owner: Client, made: Rendition) -> None:
    Path(made.audio.path).unlink()
    assert owner.get(f"/renditions/{made.pk}/audio.wav").status_code == 404
    assert owner.get(f"/clips/{made.clip_id}/everything.zip").status_code == 404


# -- What


def test_wav_is_the_decoded_audio(owner: Client, made: Rendition) -> None:
    response = owner.get(f"/renditions/{made.pk}/audio.wav")
    content = body(response)
    assert content == Path(made.audio.path).read_bytes()
    assert response["Content-Type"] == "audio/wav"
    assert "inline" in response["Content-Disposition"]
    assert response["Cache-Control"] == "private"
    assert soundfile.info(io.BytesIO(content)).samplerate == RATE


def test_bitstream_is_an_attachment_that_decodes(owner: Client, made: Rendition) -> None:
    response = owner.get(f"/renditions/{made.pk}/bitstream.ear")
    assert response["Content-Disposition"] == 'attachment; filename="Clip-0_anchor35.ear"'
    assert container.loads(body(response)).system == "anchor35"


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-50", -50, None), ("bytes=44-44", 44, 45),
     ("bytes=30000-99999999", 30000, None)],
)  # fmt: skip
def test_parts(owner: Client, made: Rendition, header: str, start: int, stop: int | None) -> None:
    whole = Path(made.audio.path).read_bytes()
    response = owner.get(f"/renditions/{made.pk}/audio.wav", headers={"Range": header})
    part = whole[start:stop]
    assert response.status_code == 206
    assert body(response) == part
    assert response["Content-Length"] == str(len(part))
    first = start % len(whole)
    assert response["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(whole)}"


@pytest.mark.parametrize("header", ["bytes=1-2,5-6", "lines=1-2", "bytes=-", "bytes=9-3", "bytes=a-b"])
def test_ranges_that_mean_nothing_get_everything(owner: Client, made: Rendition, header: str) -> None:
    response = owner.get(f"/renditions/{made.pk}/audio.wav", headers={"Range": header})
    assert response.status_code == 200
    assert response["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("header", ["bytes=99999999-", "bytes=-0"])
def test_ranges_beyond_the_end(owner: Client, made: Rendition, header: str) -> None:
    response = owner.get(f"/renditions/{made.pk}/audio.wav", headers={"Range": header})
    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{made.audio.size}"


# -- Everything as a zip


def test_zip_has_original_decoded_bitstreams_and_scores(owner: Client, made: Rendition) -> None:
    Rendition.objects.create(clip=made.clip, system="opus-6k", status=Job.Status.FAILED, error="no")
    response = owner.get(f"/clips/{made.clip_id}/everything.zip")
    assert response["Content-Disposition"] == 'attachment; filename="Clip-0.zip"'
    archive = zipfile.ZipFile(io.BytesIO(body(response)))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == [
        "bitstreams/anchor35.ear",
        "decoded/anchor35.wav",
        "original/Clip-0.wav",
        "original/Clip-0_16k.wav",
        "scores.csv",
    ]
    assert archive.read("original/Clip-0.wav") == Path(made.clip.upload.path).read_bytes()
    assert archive.read("decoded/anchor35.wav") == Path(made.audio.path).read_bytes()
    rows = list(csv.DictReader(io.StringIO(archive.read("scores.csv").decode())))
    assert tuple(rows[0]) == COLUMNS
    assert [row["system"] for row in rows] == ["anchor35", "opus-6k"]
    assert float(rows[0]["kbps"]) == pytest.approx(256.0)
    assert float(rows[0]["pesq_nb"]) == pytest.approx(Score.objects.get(metric="pesq_nb").value, rel=1e-5)
    assert (rows[1]["kbps"], rows[1]["stoi"]) == ("", "")


@pytest.mark.parametrize(
    ("title", "stem"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        ("=cmd|' /C calc'!A0", "cmd-C-calc-A0"),
        ('a";\r\nX: y', "a-X-y"),
        ("Élan vital", "Elan-vital"),
        ("語", "clip"),
        ("..", "clip"),
        ("x" * 200, "x" * 80),
    ],
)
def test_hostile_titles_are_harmless_everywhere(
    owner: Client, made: Rendition, title: str, stem: str
) -> None:
    Clip.objects.update(title=title, original_name=title)
    assert safe_stem(Clip.objects.get()) == stem
    response = owner.get(f"/clips/{made.clip_id}/everything.zip")
    assert response["Content-Disposition"] == f'attachment; filename="{stem}.zip"'
    archive = zipfile.ZipFile(io.BytesIO(body(response)))
    assert f"original/{stem}.wav" in archive.namelist()
    assert archive.read("scores.csv").decode().splitlines()[1].startswith(f"anchor35,{stem},1.0,")


# -- Retry


def retry(client: Client, rendition: Rendition) -> Any:
    return client.post(f"/renditions/{rendition.pk}/retry/")


def test_retry_queues_a_failed_rendition(owner: Client, rendition: Rendition) -> None:
    Rendition.objects.update(status=Job.Status.FAILED, error="no", attempts=3)
    response = retry(owner, rendition)
    assert (response.status_code, response["Location"]) == (302, f"/clips/{rendition.clip_id}/#systems")
    rendition.refresh_from_db()
    assert (rendition.status, rendition.error, rendition.attempts) == (Job.Status.QUEUED, "", 0)


def test_retry_queues_failed_scores_and_leaves_the_others(owner: Client, made: Rendition) -> None:
    Score.objects.filter(metric="stoi").update(status=Job.Status.FAILED)
    retry(owner, made)
    assert dict(Score.objects.values_list("metric", "status")) == {
        "pesq_nb": Job.Status.DONE,
        "pesq_wb": Job.Status.DONE,
        "stoi": Job.Status.QUEUED,
    }
    made.refresh_from_db()
    assert made.status == Job.Status.DONE


def test_retry_of_what_has_not_failed_changes_nothing(owner: Client, made: Rendition) -> None:
    before = Rendition.objects.values().get()
    assert retry(owner, made).status_code == 302
    assert Rendition.objects.values().get() == before


def test_retry_is_the_owners(client: Client, bob: User, rendition: Rendition) -> None:
    Clip.objects.update(public=True)
    Rendition.objects.update(status=Job.Status.FAILED)
    assert retry(client, rendition).status_code == 403
    client.force_login(bob)
    assert retry(client, rendition).status_code == 403
    assert client.get(f"/renditions/{rendition.pk}/retry/").status_code == 302
    assert Rendition.objects.get().status == Job.Status.FAILED


def test_retry_needs_the_forms_token(alice: User, rendition: Rendition) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert retry(client, rendition).status_code == 403


def test_retry_leads_to_a_rendition(owner: Client, rendition: Rendition) -> None:
    Rendition.objects.update(status=Job.Status.FAILED)
    retry(owner, rendition)
    jobs_row = jobs.claim(Rendition, rendition.pk)
    assert jobs_row is not None
