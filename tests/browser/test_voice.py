"""A visitor's own voice, from the microphone that Chromium feigns to the deleted page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from django.contrib.auth.models import User

from evaluation.clips.removal import list_files
from evaluation.clips.stored import load_audio
from evaluation.models import Clip
from listening.demos import drafts, voices
from listening.demos.publishing import publish
from listening.models import Demo, VoiceTrial
from listening.tasks import hear_voice, publish_demo
from tests.browser.conftest import Errors, spend
from tests.listening.conftest import make_clip, processed
from tests.rows import some

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["make_clip", "processed"]  # fixtures
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LEVEL = "document.querySelector('[data-time]').textContent"
PLAYING = "document.querySelector('[data-play-system=\"{}\"].playing') !== null"


def front_page(monkeypatch: pytest.MonkeyPatch, alice: User, processed: Callable[..., Clip]) -> str:
    monkeypatch.setattr(voices, "SYSTEMS", ("codec2-2.4k",))
    return "/"


def demo_page(monkeypatch: pytest.MonkeyPatch, alice: User, processed: Callable[..., Clip]) -> str:
    """A published page with one system, whose owner lets visitors record themselves."""
    clip = processed(alice, ["codec2-2.4k"], sound=True, credit="My own, CC BY 4.0")
    demo = drafts.new_demo(alice, clip)
    drafts.save_draft(demo, demo.draft.model_copy(update={"voice": True}))
    Demo.objects.update(visibility=Demo.Visibility.UNLISTED)
    publish_demo(publish(demo).pk)
    return f"/d/{demo.token}/"


@pytest.mark.parametrize("place", some([front_page, demo_page], lambda place: place is demo_page))
def test_a_voice_is_recorded_heard_and_deleted(
    page: Page,
    live_server: Any,
    alice: User,
    processed: Callable[..., Clip],
    monkeypatch: pytest.MonkeyPatch,
    place: Callable[..., str],
) -> None:
    page.goto(live_server.url + place(monkeypatch, alice, processed))
    page.wait_for_selector("[data-recorder][data-ready]")
    # Nothing before consent.
    assert page.is_disabled("[data-record]")
    assert page.is_disabled("[name=file]")
    assert page.is_disabled("[data-send]")
    page.check("[name=consent]")
    page.click("[data-record]")
    page.wait_for_function(f"parseFloat({LEVEL}) > 1.2")  # Chromium's microphone beeps once a second
    page.click("[data-record]")
    page.click("[data-send]")
    page.wait_for_url("**/voice/*/")
    trial = VoiceTrial.objects.get()
    recorded, rate = load_audio(trial.sounds.get(system="original").audio)
    assert trial.seconds == len(recorded) / rate > 1.2
    # The beep as it is: loud and short, in silence.
    assert np.abs(recorded).max() > 0.1
    assert np.mean(np.abs(recorded) > 0.01) < 0.5

    assert page.is_disabled("[data-play-system='codec2-2.4k']")
    hear_voice(str(trial.pk))
    page.click("[data-play-system='codec2-2.4k']:enabled")
    page.wait_for_function(PLAYING.format("codec2-2.4k"))
    kbps = trial.sounds.get(system="codec2-2.4k").kbps
    assert f"{kbps:.1f}\xa0kbit/s" in page.inner_text("[data-play-system='codec2-2.4k']")
    page.click("[data-play-system=original]")
    page.wait_for_function(PLAYING.format("original"))
    painted = "document.querySelector('[data-lane=original] [data-spectrogram]').width > 300"
    page.wait_for_function(painted)  # the width of a canvas that nobody has drawn

    page.once("dialog", lambda dialog: dialog.accept())
    page.click("[data-delete] button")
    page.wait_for_selector("h1:text-is('Deleted')")
    assert not VoiceTrial.objects.exists()
    assert not list(list_files("voices"))


def test_without_a_microphone_the_page_says_why(page: Page, live_server: Any, errors: Errors) -> None:
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false });")
    spend(page.context)
    errors.allow("422")
    page.goto(f"{live_server.url}/")
    page.wait_for_selector("[data-recorder][data-ready]")
    page.check("[name=consent]")
    assert "only to pages by HTTPS or on localhost" in page.inner_text("[data-status]")
    assert page.is_disabled("[data-record]")
    # A file can be chosen all the same, and what the server says is shown beside it.
    file = {"name": "long.txt", "mimeType": "text/plain", "buffer": b"no recording"}
    page.set_input_files("[name=file]", [file])  # type: ignore[list-item]
    page.click("[data-send]")
    page.wait_for_selector("[data-status]:has-text('This is a text file')")
