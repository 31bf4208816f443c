"""A study of clips that lack recordings: one button has them made, for whoever may process the clips."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from codec.base import Note
from evaluation.models import Clip, Rendition
from evaluation.outputs.batches import save_system
from listening.models import Study
from listening.study.lacking import find_lacking, have_made, processable
from tests.listening.study.test_studies import what

#: What is missing of a clip that was uploaded for one codec, in the order of the method and then the study.
NEEDED = ["anchor35", "anchor70", "opus-12k"]


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def clip(alice: User, processed: Callable[..., Clip]) -> Clip:
    """A clip uploaded with "These: Opus 9k": without the anchors that MUSHRA has in each trial."""
    made = processed(alice, ["opus-9k"], title="Harvard 1")
    made.renditions.filter(system__startswith="anchor").delete()
    return made


def send(owner: Client, clip: Clip, **more: Any) -> Any:
    chosen = {"systems-chosen": ["opus-9k", "opus-12k"]}
    return owner.post(reverse("study_new"), what([clip], **chosen) | more)


def made(clip: Clip) -> dict[str, str]:
    return dict(clip.renditions.values_list("system", "status"))


def test_clips_that_no_system_has_processed_yet_are_announced(
    owner: Client, clip: Clip, alice: User, processed: Callable[..., Clip]
) -> None:
    late = processed(alice, ["opus-9k"], title="Late 2")
    late.renditions.update(status="queued")
    page = owner.get(reverse("study_new")).content.decode()
    assert "Late 2" not in page
    assert "1 more clip is still being processed" in page
    assert "(Griffin-Lim only)" in page  # what is said of a system is said to its end
    found = owner.get(reverse("study_clips"), {"search": "late"}).content.decode()
    assert "No clip has" not in found  # it has, and can't be added yet
    assert "1 clip is still being processed" in found  # of none that is listed is it one more
    assert (
        "still being processed"
        not in owner.get(reverse("study_clips"), {"search": "harvard"}).content.decode()
    )
    late.renditions.update(status="done")
    assert "still being processed" not in owner.get(reverse("study_new")).content.decode()


def test_what_is_missing_is_offered_by_one_button(owner: Client, clip: Clip) -> None:
    answer = send(owner, clip, then="who")
    assert answer.status_code == 400
    html = unescape(answer.content.decode())
    assert "3 recordings of this study are missing" in html
    for title in ("Anchor 3.5 kHz", "Anchor 7 kHz", "Opus 12k"):
        assert title in html
    assert 'name="process" value="who">Process what is missing, then save' in html
    assert set(made(clip)) == {"original", "opus-9k"}  # nothing is made unasked
    assert not Study.objects.exists()


def test_the_button_makes_it_and_then_the_study_is_saved(owner: Client, clip: Clip) -> None:
    answer = send(owner, clip, process="who")
    assert answer.status_code == 202
    assert "3 recordings are being processed" in answer.content.decode()
    assert {slug: made(clip)[slug] for slug in NEEDED} == dict.fromkeys(NEEDED, "queued")
    shown = answer.context["lacking"]["address"]
    assert 'hx-trigger="every 2s"' in owner.get(shown).content.decode()
    assert not Study.objects.exists()

    clip.renditions.update(status=Rendition.Status.DONE)
    html = owner.get(shown).content.decode()
    assert "hx-trigger" not in html
    assert 'name="process" value="who" data-ready' in html
    answer = send(owner, clip, process="who")
    study = Study.objects.get()
    assert answer["Location"] == reverse("study_setup", args=[study.pk, "who"])
    assert study.systems == ["opus-9k", "opus-12k"]


def test_what_failed_is_named_and_tried_again(owner: Client, clip: Clip) -> None:
    send(owner, clip, process="who")
    clip.renditions.filter(system__in=NEEDED).update(status="done")
    clip.renditions.filter(system="anchor70").update(status="failed", error=Note("Out of memory."))
    html = unescape(send(owner, clip).content.decode())
    assert "1 recording of this study is missing" in html
    assert "Anchor 7\xa0kHz failed on “Harvard 1”" in html
    assert send(owner, clip, process="who").status_code == 202
    assert made(clip)["anchor70"] == "queued"


def test_what_cannot_be_made_here_is_not_offered(owner: Client, clip: Clip) -> None:
    for slug in NEEDED:
        Rendition.objects.create(clip=clip, system=slug, status="done")
    clip.renditions.filter(system="opus-12k").update(status="failed", unavailable=True)
    for more in ({}, {"process": "who"}):
        answer = send(owner, clip, **more)
        assert answer.status_code == 400
        html = unescape(answer.content.decode())
        assert "Opus 12k failed on “Harvard 1”" in html
        assert "Process what is missing" not in html
    assert made(clip)["opus-12k"] == "failed"


def test_a_strangers_public_clip_is_processed_by_nobody_else(bob: User, clip: Clip) -> None:
    Clip.objects.update(public=True)
    client = Client()
    client.force_login(bob)
    answer = send(client, clip, process="who")
    assert answer.status_code == 400
    assert "“Harvard 1” has not been processed by Anchor 3.5\xa0kHz" in unescape(answer.content.decode())
    assert set(made(clip)) == {"original", "opus-9k"}
    lacking = find_lacking([clip], NEEDED)
    assert [each.system for each in lacking] == NEEDED
    assert processable(bob, lacking) == []
    have_made(bob, lacking)
    assert set(made(clip)) == {"original", "opus-9k"}


def test_how_far_it_is_tells_nobody_of_other_peoples_clips(alice: User, bob: User, clip: Clip) -> None:
    client = Client()
    client.force_login(bob)
    own = save_system(alice, "Nobody else's")
    asked = {"clip": [str(clip.pk), "x"], "system": [*NEEDED, own.slug, "\x00"], "then": "who"}
    assert "Harvard 1" not in client.get(reverse("study_lacking"), asked).content.decode()
    Clip.objects.update(public=True)
    html = unescape(client.get(reverse("study_lacking"), asked).content.decode())
    assert ("Harvard 1" in html, own.title in html) == (True, False)
