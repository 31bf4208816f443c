"""Speech, or music and other sound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from codec.registry import SYSTEMS
from evaluation.clips.ingest import ingest, queue_renditions
from evaluation.clips.kinds import set_speech
from evaluation.metrics import defaults_for
from evaluation.models import Clip, Rendition, Score
from evaluation.tasks import make_rendition, make_score
from tests.evaluation.conftest import make_speech, make_upload, make_wav, script_of


@pytest.fixture
def measured(alice: User, make_clip: Callable[..., Clip]) -> Rendition:
    rendition = Rendition.objects.create(
        clip=make_clip(alice), system="opus-64k", status=Rendition.Status.DONE
    )
    for metric in ("pesq_nb", "pesq_wb", "stoi", "visqol"):
        Score.objects.create(rendition=rendition, metric=metric, status=Score.Status.DONE, value=1.0)
    return rendition


def metrics_of(rendition: Rendition) -> set[str]:
    return set(rendition.scores.values_list("metric", flat=True))


def test_music_is_not_judged_by_measures_of_speech(measured: Rendition) -> None:
    set_speech(measured.clip, False)
    assert metrics_of(measured) == {"visqol", *defaults_for(speech=False)}
    assert not {"pesq_nb", "pesq_wb", "stoi"} & set(defaults_for(speech=False))
    set_speech(measured.clip, True)
    assert metrics_of(measured) == {"visqol", *defaults_for(speech=True)}
    queued = measured.scores.filter(status=Score.Status.QUEUED)
    assert set(queued.values_list("metric", flat=True)) == set(defaults_for(speech=True))


def test_music_is_judged_in_its_full_band(alice: User, make_clip: Callable[..., Clip]) -> None:
    """By ViSQOL's audio mode and log-spectral distance, through the worker's own way; PESQ says why not."""
    rng = np.random.default_rng(5)
    audio = 0.1 * rng.standard_normal((48_000, 2)).astype(np.float32)
    clip = make_clip(alice, audio, rate=48_000, speech=False)
    found: dict[str, dict[str, Score]] = {}
    for system in ("original", "anchor35"):
        rendition = Rendition.objects.create(clip=clip, system=system)
        make_rendition(str(rendition.pk))
        Score.objects.create(rendition=rendition, metric="pesq_wb")
        for score in rendition.scores.all():
            make_score(score.pk)
        found[system] = {score.metric: score for score in rendition.scores.all()}
        assert set(found[system]) == {"visqol_audio", "lsd", "pesq_wb"}
        assert found[system]["pesq_wb"].value is None
        assert "judges speech only" in str(found[system]["pesq_wb"].note)
    values = {system: {m: s.value for m, s in scores.items()} for system, scores in found.items()}
    assert values["original"]["lsd"] == pytest.approx(0.0, abs=1e-6)
    assert values["original"]["visqol_audio"] > 4.5 > 3.0 > values["anchor35"]["visqol_audio"]
    assert values["anchor35"]["lsd"] > 20


def test_its_owner_says_what_it_is_by_page_and_api(
    client: Client, measured: Rendition, alice: User, bob: User
) -> None:
    address = reverse("clip_kind", args=[measured.clip_id])
    client.force_login(bob)
    assert client.post(address, {"speech": "no"}).status_code == 404
    client.force_login(alice)
    assert client.post(address, {"speech": "no"}).status_code == 302
    answer = client.get(reverse("clip", args=[measured.clip_id]))
    page = answer.content.decode()
    assert "PESQ and STOI judge speech only" in page
    assert "PESQ-WB" not in page
    assert {metric.slug for metric in answer.context["offers"]} == {"si_sdr"}
    script, url = script_of(alice), f"/api/clips/{measured.clip_id}"
    assert script.get(url).json()["speech"] is False
    assert script.patch(url, {"speech": True}, content_type="application/json").status_code == 200
    assert Clip.objects.get().speech
    assert "PESQ-WB" in client.get(reverse("clip", args=[measured.clip_id])).content.decode()


def test_a_clip_says_what_its_systems_processed(
    client: Client, alice: User, make_clip: Callable[..., Clip]
) -> None:
    clip = make_clip(alice, rate=44_100)
    for system in ("original", "opus-9k", "opus-64k", "aac-64k"):
        Rendition.objects.create(clip=clip, system=system)
    rows = script_of(alice).get(f"/api/clips/{clip.pk}").json()["renditions"]
    assert {row["system"]: row["note"].rpartition("; ")[2] for row in rows} == {
        "original": "16-bit PCM",
        "opus-9k": "processed in mono at 16 kHz",
        "opus-64k": "processed in mono at 48 kHz",
        "aac-64k": "ffmpeg's encoder, constant bit rate",
    }
    client.force_login(alice)
    page = client.get(reverse("clip", args=[clip.pk])).content.decode()
    assert "heard in mono at 44.1\xa0kHz" in page
    assert 'data-rate="44100"' in page
    assert "<span>22.05\xa0kHz</span><span>16.5</span><span>11</span><span>5.51</span><span>0</span>" in page


def test_its_owner_renames_and_publishes_it_on_its_page(
    client: Client, measured: Rendition, alice: User, bob: User
) -> None:
    clip, address = measured.clip, reverse("clip_describe", args=[measured.clip_id])
    page = reverse("clip", args=[clip.pk])
    client.force_login(bob)
    assert client.post(address, {"public": "yes"}).status_code == 404
    client.force_login(alice)
    assert 'id="publish"' in client.get(page).content.decode()
    client.post(address, {"title": " A\nviolin\u202e ", "credit": "CC0\nby me"})
    client.post(address, {"public": "yes"})
    clip.refresh_from_db()
    assert (clip.title, clip.credit, clip.public) == ("A violin", "CC0\nby me", True)
    refused = client.post(address, {"title": " \u202e "}, follow=True)
    assert "Give the clip a title" in refused.content.decode()
    assert 'id="publish"' not in refused.content.decode()
    client.post(address, {"public": "no"})
    clip.refresh_from_db()
    assert (clip.title, clip.public) == ("A violin", False)
    # By the API, the same rules.
    assert (
        script_of(alice).patch(f"/api/clips/{clip.pk}", {"title": "\u202e"}, "application/json").status_code
        == 400
    )


def test_speech_is_put_through_the_codecs_for_music_when_its_owner_asks(
    client: Client, alice: User, bob: User, make_clip: Callable[..., Clip]
) -> None:
    clip = make_clip(alice, make_speech(1.0))
    queue_renditions(clip)
    music = [slug for slug, system in SYSTEMS.items() if system.general]
    assert "opus-32k" in music
    assert set(SYSTEMS) - set(clip.renditions.values_list("system", flat=True)) == set(music)
    client.force_login(bob)
    address, page = reverse("clip_systems", args=[clip.pk]), reverse("clip", args=[clip.pk])
    assert client.post(address).status_code == 404
    client.force_login(alice)
    assert f"{len(music)} codecs have not processed this clip" in client.get(page).content.decode()
    assert client.post(address, {"system": music}).status_code == 302
    assert clip.renditions.count() == len(SYSTEMS)
    assert f'action="{address}"' not in client.get(page).content.decode()
    rendition = clip.renditions.get(system="opus-32k")
    make_rendition(str(rendition.pk))
    for score in rendition.scores.all():
        make_score(score.pk)
    rendition.refresh_from_db()
    assert rendition.kbps == pytest.approx(32, rel=0.3)
    # Opus at this rate codes the full band: nearly nothing of wide-band speech is lost.
    assert rendition.scores.get(metric="pesq_wb").value > 4.2


def test_a_program_puts_a_clip_through_more_systems(alice: User, make_clip: Callable[..., Clip]) -> None:
    clip = make_clip(alice)
    script, address = script_of(alice), f"/api/clips/{clip.pk}/renditions"
    answer = script.post(address, {"systems": ["opus-64k", "nobody"]}, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"path": "systems.1", "message": "'nobody' is not a system that runs here."}
    ]
    for queued in (2, 0):
        answer = script.post(address, {"systems": ["opus-64k", "mp3-64k"]}, content_type="application/json")
        assert answer.json() == {"queued": queued}
    assert set(clip.renditions.values_list("system", flat=True)) == {"opus-64k", "mp3-64k"}


def test_stereo_is_put_through_every_system(alice: User, media: Path) -> None:
    tones = np.stack([make_speech(0.5, 48_000, seed) for seed in (1, 2)], axis=1)
    clip, _ = ingest(alice, make_upload(make_wav(tones, 48_000)))
    assert not clip.speech
    assert set(clip.renditions.values_list("system", flat=True)) == set(SYSTEMS)
