"""Metrics that are asked for, and scores that are brought along."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse

from evaluation.metrics import METRICS
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.tasks import make_rendition, make_score
from evaluation.web.presentation import rendition_rows
from evaluation.work.scores import ScoreProblem, request_scores, store_scores
from tests.evaluation.conftest import make_speech, make_wav

pytestmark = pytest.mark.django_db

MakeClip = Callable[..., Clip]


def made(clip: Clip, system: str = "anchor35", status: str = Job.Status.DONE) -> Rendition:
    rendition = Rendition(clip=clip, system=system, status=status)
    rendition.audio.save("audio.wav", ContentFile(make_wav(make_speech(1.0))), save=False)
    rendition.save()
    return rendition


@pytest.fixture
def clip(alice: User, make_clip: MakeClip) -> Clip:
    return make_clip(alice, title="Two sentences")


def test_what_is_asked_for_is_queued_once_and_only_where_there_is_audio(clip: Clip) -> None:
    rendition = made(clip)
    made(clip, "opus-9k", Job.Status.FAILED)
    everything = clip.renditions.all()
    assert request_scores(everything, ["phones", "plcmos"]) == 2
    assert request_scores(everything, ["phones"]) == 0
    queued = sorted(rendition.scores.values_list("metric", "status"))
    assert queued == [("phones", "queued"), ("plcmos", "queued")]


def test_what_failed_is_queued_again(clip: Clip) -> None:
    rendition = made(clip)
    score = Score.objects.create(rendition=rendition, metric="visqol", status=Job.Status.FAILED, error="no")
    assert request_scores([rendition], ["visqol"]) == 1
    score.refresh_from_db()
    assert (score.status, score.error) == (Job.Status.QUEUED, "")


def test_polqa_cannot_be_asked_for(clip: Clip) -> None:
    with pytest.raises(ScoreProblem, match="POLQA cannot be computed here"):
        request_scores([made(clip)], ["polqa"])


def test_a_worker_measures_what_was_asked_for(
    clip: Clip, django_capture_on_commit_callbacks: Callable[..., object], eager: None
) -> None:
    if missing := METRICS["phones"].missing:
        pytest.skip(missing)
    rendition = made(clip)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
        request_scores([rendition], ["phones"])
    score = rendition.scores.get()
    assert (score.status, score.version) == (Job.Status.DONE, METRICS["phones"].version)


def test_a_missing_library_is_named_and_nothing_else_fails(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendition = made(clip)
    Score.objects.create(rendition=rendition, metric="stoi", value=0.9, status=Job.Status.DONE)
    request_scores([rendition], ["visqol"])
    monkeypatch.setattr("evaluation.metrics.find_spec", lambda name: None)
    score = rendition.scores.get(metric="visqol")
    make_score(score.pk)
    score.refresh_from_db()
    assert score.status == Job.Status.FAILED
    assert score.error.startswith("ViSQOL needs visqol")
    (row,) = rendition_rows(clip)
    assert (row["status"], row["error"], row["stoi"]) == ("done", "", 0.9)
    assert row["others"]["visqol"]["error"] == score.error


def test_a_rendition_made_anew_is_measured_by_the_same_metrics(clip: Clip) -> None:
    rendition = made(clip)
    request_scores([rendition], ["phones"])
    store_scores(b"clip,system,polqa\nTwo sentences,anchor35,3.5\n", [clip])
    Rendition.objects.update(status=Job.Status.QUEUED)
    make_rendition(str(rendition.pk))
    found = set(rendition.scores.values_list("metric", flat=True))
    assert found == {"pesq_nb", "pesq_wb", "stoi", "phones"}  # POLQA was of other audio


def test_polqa_comes_in_a_table(clip: Clip) -> None:
    first, second = made(clip), made(clip, "opus-9k")
    table = f"\ufeffItem;System;Value\nTwo sentences;anchor35;3.25\n\n{clip.pk};opus-9k;4.1\n".encode()
    stored = store_scores(table, [clip], source="polqa.csv")
    assert (stored.created, stored.replaced) == (2, 0)
    score = first.scores.get()
    assert (score.metric, score.value, score.version, score.status) == ("polqa", 3.25, "uploaded", "done")
    assert score.note.endswith("from polqa.csv")
    again = store_scores(b"clip,system,polqa\nspeech.wav,opus-9k,2\n", [clip])
    assert (again.created, again.replaced) == (0, 1)
    assert second.scores.get().value == 2


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("Two sentences,anchor35,3\nNowhere,anchor35,3", "Line 3: There is no clip called 'Nowhere'."),
        (
            "Two sentences,anchor35,3\nTwo sentences,opus-9k,3",
            "Line 3: There is no finished output of 'opus-9k'",
        ),
        ("Two sentences,anchor35,good", "Line 2: 'good' is not a number."),
        ('Two sentences,anchor35,"3,5"', "Line 2: '3,5' is not a number."),
        ("Two sentences,anchor35,nan", "Line 2: 'nan' is not a number."),
        ("Two sentences,anchor35,", "Line 2: The value is missing."),
        ("Two sentences,anchor35,47", "Line 2: POLQA ranges from 1 to 4.75; this is 47."),
        ("Two sentences,anchor35", "Line 2: 2 cells where the header has 3."),
        (
            "Two sentences,anchor35,3\nTwo sentences,anchor35,4",
            "Line 3: anchor35 of Two sentences occurs twice",
        ),
        ('Two sentences,anchor35,"3', "The table cannot be read"),
        ("", "only a header"),
    ],
)
def test_a_table_with_a_mistake_is_refused_whole(clip: Clip, rows: str, problem: str) -> None:
    made(clip)
    with pytest.raises(ScoreProblem) as caught:
        store_scores(f"clip,system,polqa\n{rows}\n".encode(), [clip])
    assert problem in str(caught.value)
    assert not Score.objects.exists()


def test_a_name_of_two_clips_is_not_guessed(alice: User, make_clip: MakeClip, clip: Clip) -> None:
    other = make_clip(alice, title="Two sentences")
    made(clip)
    with pytest.raises(ScoreProblem, match="Several clips are called"):
        store_scores(b"clip,system,value\nTwo sentences,anchor35,3\n", [clip, other])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "needs the columns clip, system and value"),
        (b"name,codec\n", "This one has name, codec"),
        (b"clip,system,polqa\n\xff\xfe,anchor35,3\n", "Line 2: The table is not UTF-8"),
    ],
)
def test_what_is_no_such_table_is_named(clip: Clip, content: bytes, problem: str) -> None:
    with pytest.raises(ScoreProblem) as caught:
        store_scores(content, [clip])
    assert problem in str(caught.value)


@pytest.mark.parametrize("metric", ["pesq_wb", "visqol", "Bad Name", ""])
def test_what_is_computed_here_cannot_be_brought_along(clip: Clip, metric: str) -> None:
    with pytest.raises(ScoreProblem):
        store_scores(b"clip,system,value\nTwo sentences,anchor35,3\n", [clip], metric=metric)


def test_the_owner_asks_on_the_clips_page_and_a_stranger_cannot(
    client: Client, clip: Clip, alice: User, bob: User
) -> None:
    made(clip)
    address = reverse("clip_metrics", args=[clip.pk])
    client.force_login(bob)
    assert client.post(address, {"metric": "phones"}).status_code == 404
    clip.public = True
    clip.save()
    assert client.post(address, {"metric": "phones"}).status_code == 403  # known, but not his to work on
    assert b"other-metrics" not in client.get(reverse("clip", args=[clip.pk])).content
    assert not Score.objects.exists()

    client.force_login(alice)
    assert "Phoneme error" in client.get(reverse("clip", args=[clip.pk])).content.decode()
    assert client.post(address, {"metric": ["phones", "plcmos"]}).status_code == 302
    waiting = client.get(address)
    assert "every 2s" in waiting.content.decode()
    assert waiting["Cache-Control"] == "no-store"
    Score.objects.update(status=Job.Status.DONE, value=0.25, version="x 1")
    page = client.get(reverse("clip", args=[clip.pk])).content.decode()
    assert "0.25" in page
    assert "every 2s" not in page
    assert (
        client.post(address, {"metric": "polqa"}, follow=True).content.count(b"cannot be computed here") == 1
    )
