"""Which systems process an upload, in which order, for how long, and how the rest is cancelled."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from codec.registry import SYSTEMS
from evaluation.clips.choosing import favourites_of
from evaluation.clips.ingest import queue_renditions
from evaluation.models import Clip, Job, Rendition
from evaluation.web.presentation import time_left
from evaluation.work import jobs
from evaluation.work.expecting import paces, quickest_first, seconds_left
from tests.evaluation.conftest import SPEECH_SYSTEMS, make_speech, make_upload, make_wav, script_of

pytestmark = pytest.mark.django_db

MakeClip = Callable[..., Clip]


def systems_of(clip: Clip) -> set[str]:
    return set(clip.renditions.values_list("system", flat=True))


def took(clip: Clip, system: str, seconds: float, **fields: object) -> Rendition:
    """A rendition that took `seconds` of work."""
    now = timezone.now()
    return Rendition.objects.create(
        clip=clip,
        system=system,
        status=Job.Status.DONE,
        started=now - timedelta(seconds=seconds),
        finished=now,
        **{"encode_seconds": seconds, **fields},
    )


@pytest.mark.parametrize(
    ("sent", "made"),
    [
        ({}, set(SPEECH_SYSTEMS)),
        ({"which": "fitting"}, set(SPEECH_SYSTEMS)),
        ({"which": "speech"}, {slug for slug, system in SYSTEMS.items() if not system.general}),
        ({"which": "favourites"}, {"original", "opus-9k", "mp3-64k"}),
        ({"which": "none"}, {"original"}),
        ({"which": "listed", "system": ["celp-8k"]}, {"original", "celp-8k"}),
        ({"which": "listed", "system": ["celp-8k", "nobody"]}, None),
        ({"which": "listed"}, None),
        ({"which": "anything"}, None),
    ],
)
def test_an_upload_goes_through_the_systems_that_are_chosen(
    client: Client, alice: User, sent: dict[str, object], made: set[str] | None
) -> None:
    client.force_login(alice)
    client.post(reverse("favourites"), {"system": ["opus-9k", "mp3-64k"]})
    file = make_upload(make_wav(make_speech(1.0)))
    client.post(reverse("clips"), {**sent, "file": file}, headers={"Accept": "application/json"})
    assert [systems_of(clip) for clip in Clip.objects.all()] == ([made] if made else [])


def test_a_form_without_scripts_says_why_it_is_refused(client: Client, alice: User) -> None:
    client.force_login(alice)
    sent = {"which": "listed", "file": make_upload(make_wav(make_speech(1.0)))}
    answer = client.post(reverse("clips"), sent, follow=True)
    assert "Choose at least one system." in answer.content.decode()
    assert not Clip.objects.exists()


def test_favourites_are_a_persons_own(client: Client, alice: User, bob: User) -> None:
    client.force_login(alice)
    page = reverse("clips")
    assert 'value="favourites"' not in client.get(page).content.decode()
    client.post(reverse("favourites"), {"system": ["mp3-64k", "opus-9k"]})
    client.post(reverse("favourites"), {"system": ["nobody"]})
    assert (favourites_of(alice), favourites_of(bob)) == (["opus-9k", "mp3-64k"], [])
    html = client.get(page).content.decode()
    assert 'value="favourites"' in html
    assert html.count('name="system"') == len(SYSTEMS)
    assert html.count(" checked>") == 3, "two favourites, and what was the choice before"


def test_a_program_names_the_systems_of_an_upload(alice: User) -> None:
    script = script_of(alice)

    def send(*systems: str) -> int:
        file = make_upload(make_wav(make_speech(1.0)))
        answer = script.post("/api/clips", {"file": file, "systems": list(systems)})
        return answer.status_code if answer.status_code != 422 else answer.json()["errors"][0]["path"]

    assert send("opus-9k", "nobody") == "systems.1"
    assert send("opus-9k", "amrwb-6.6k") == 201
    assert systems_of(Clip.objects.get()) == {"original", "opus-9k", "amrwb-6.6k"}
    assert send("celp-8k") == 200
    assert systems_of(Clip.objects.get()) == {"original", "opus-9k", "amrwb-6.6k", "celp-8k"}


def test_the_pace_is_the_median_of_the_last_renditions(alice: User, make_clip: MakeClip) -> None:
    clip = make_clip(alice, seconds=10.0)
    for seconds in (20.0, 30.0, 400.0):
        took(make_clip(alice, seconds=10.0), "opus-9k", seconds)
    took(clip, "own-x", 5.0, encode_seconds=None)
    assert paces(["opus-9k", "own-x", "celp-8k"]) == {"opus-9k": pytest.approx(3.0)}


def test_what_is_quick_is_queued_first(alice: User, make_clip: MakeClip) -> None:
    assert quickest_first(["bpgan-2k", "original", "celp-8k"]) == ["original", "celp-8k", "bpgan-2k"]
    clip = make_clip(alice, seconds=10.0)
    for system, seconds in (("original", 0.1), ("celp-8k", 40.0), ("bpgan-2k", 30.0)):
        took(clip, system, seconds)
    assert quickest_first(["bpgan-2k", "original", "celp-8k"]) == ["original", "bpgan-2k", "celp-8k"]


def test_time_left_counts_what_waits_before(alice: User, bob: User, make_clip: MakeClip) -> None:
    for system, seconds in (("opus-9k", 20.0), ("bpgan-2k", 300.0)):
        took(make_clip(bob, seconds=10.0), system, seconds)
    first, second, unknown = (make_clip(alice, seconds=length) for length in (10.0, 20.0, 10.0))
    now = timezone.now()
    queue = [(first, "bpgan-2k"), (second, "opus-9k"), (unknown, "celp-8k"), (unknown, "opus-9k")]
    for place, (clip, system) in enumerate(queue):
        Rendition.objects.create(clip=clip, system=system, dispatched=now + timedelta(seconds=place))
    every = [first.pk, second.pk, unknown.pk]
    assert seconds_left(every) == {first.pk: pytest.approx(300), second.pk: pytest.approx(300 + 40)}
    running = first.renditions.filter(system="bpgan-2k")
    running.update(status=Job.Status.RUNNING, started=timezone.now() - timedelta(seconds=100))
    left = seconds_left([first.pk, second.pk])
    assert left == {first.pk: pytest.approx(200, abs=2), second.pk: pytest.approx(200 + 40, abs=2)}
    running.update(status=Job.Status.DONE, encode_seconds=None)
    Rendition.objects.update(dispatched=now - timedelta(hours=1))
    assert seconds_left(every) == {}, "nobody takes anything"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.0, "less than a minute left"),
        (44.0, "less than a minute left"),
        (45.0, "about 1 min left"),
        (170.0, "about 3 min left"),
        (5 * 3600.0, "about 5 h left"),
    ],
)
def test_time_left_in_words(seconds: float | None, words: str) -> None:
    assert time_left(seconds) == words


def test_what_waits_is_cancelled_and_asked_for_again(
    client: Client, alice: User, bob: User, make_clip: MakeClip
) -> None:
    took(make_clip(bob, seconds=1.0), "opus-6k", 150.0)
    clip = make_clip(alice, seconds=1.0)
    queue_renditions(clip, ["original", "opus-9k", "opus-6k", "celp-8k"])
    clip.renditions.filter(system__in=["original", "celp-8k"]).delete()
    queue_renditions(clip, ["original"])
    assert jobs.claim(Rendition, clip.renditions.get(system="opus-9k").pk)
    Rendition.objects.create(clip=make_clip(bob), system="opus-9k")
    address, page = reverse("clip_cancel", args=[clip.pk]), reverse("clip", args=[clip.pk])
    client.force_login(bob)
    assert client.post(address).status_code == 404
    client.force_login(alice)
    for shown in (page, reverse("clips")):
        assert f'action="{address}"' in client.get(shown).content.decode()
    answer = client.post(address, {"back": "clips"}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("clips")
    assert "1 system is cancelled." in answer.content.decode()
    assert systems_of(clip) == {"original", "opus-9k"}, "what runs is finished, and the original stays"
    assert Rendition.objects.filter(clip__owner=bob, status="queued").count() == 1
    assert f'action="{address}"' not in client.get(reverse("clips")).content.decode()
    assert "Nothing waited any more." in client.post(address, follow=True).content.decode()
    script, path = script_of(alice), f"/api/clips/{clip.pk}/renditions"
    again = script.post(path, {"systems": ["opus-6k"]}, content_type="application/json")
    assert again.json() == {"queued": 1}
    assert script.delete(path).json() == {"cancelled": 1}
    client.post(reverse("clip_systems", args=[clip.pk]), {"system": ["opus-6k"]})
    assert systems_of(clip) == {"original", "opus-9k", "opus-6k"}


def test_pages_say_how_long_it_takes(client: Client, alice: User, make_clip: MakeClip) -> None:
    took(make_clip(alice, seconds=10.0), "opus-9k", 170.0)
    clip = make_clip(alice, seconds=10.0)
    queue_renditions(clip, ["opus-9k"])
    client.force_login(alice)
    for shown in (reverse("clip", args=[clip.pk]), reverse("clips")):
        assert "about 3\xa0min left" in client.get(shown).content.decode()
    queue_renditions(clip, ["celp-8k"])
    for shown in (reverse("clip", args=[clip.pk]), reverse("clips")):
        html = client.get(shown).content.decode()
        assert not re.search("min(ute)? left", html), "celp-8k has made nothing here"
