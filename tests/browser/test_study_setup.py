"""Making a study in its three steps, coming back to them, opening it, and what is locked afterwards."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client

from evaluation.access import Role
from evaluation.models import Clip, Rendition
from listening import tasks
from listening.models import Session, Share, Study
from listening.session.sessions import start_session
from listening.simulation import runs as simulation
from listening.study.studies import create_study
from tests.browser.rating import RATE, speech_like
from tests.browser.test_policy import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Errors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SYSTEMS = ("original", "anchor35", "anchor70", "opus-9k", "bpgan-2k", "celp-8k")


def wav(audio: Any) -> ContentFile[bytes]:
    file = io.BytesIO()
    soundfile.write(file, audio, RATE, format="WAV", subtype="PCM_16")
    return ContentFile(file.getvalue())


def make_clip(owner: User, number: int, seconds: float) -> Clip:
    audio = speech_like(seconds)
    clip = Clip(
        owner=owner, sha256=f"{number:064}", title=f"Sentence {number}", original_name="s.wav",
        seconds=seconds, source_rate=RATE, source_channels=1, source_format="WAV",
    )  # fmt: skip
    clip.upload.save("s.wav", wav(audio), save=False)
    clip.audio.save("s.wav", wav(audio), save=False)
    clip.save()
    for at, slug in enumerate(SYSTEMS):
        noise = 0.002 * at * np.random.default_rng(at).standard_normal(audio.size)
        row = Rendition(clip=clip, system=slug, status=Rendition.Status.DONE)
        row.audio.save("r.wav", wav(audio + noise), save=False)
        row.save()
    return clip


@pytest.fixture
def researcher(page: Page, live_server: Any, alice: User, media: Any) -> Page:
    """Alice, signed in, with three short clips and one of 14 s."""
    for number, seconds in enumerate((2.0, 2.5, 3.0, 14.0), start=1):
        make_clip(alice, number, seconds)
    client = Client()
    client.force_login(alice)
    value = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": value, "url": live_server.url}])
    return page


def test_three_steps_to_an_open_study_and_back(researcher: Page, live_server: Any) -> None:
    page = researcher
    page.goto(f"{live_server.url}/studies/new/")
    page.get_by_label("Name", exact=True).fill("Speech at 2 kbit/s")
    for title in ("Opus 9k", "BPGAN 2k", "CELP 8k (Speex)", "AMR-WB 6.6k", "Unified GAN 2k"):
        page.locator(f'[data-title="{title}"]').set_checked(title in ("Opus 9k", "BPGAN 2k"))

    for number in (1, 2, 4):
        page.get_by_role("button", name=f"Add Sentence {number}").click()
    rows = page.locator("[data-item]:visible")
    assert rows.count() == 3
    assert rows.nth(0).get_by_label("Use of the item").input_value() == "both"
    assert "about" in (page.locator("[data-sum]").text_content() or "")

    long = rows.nth(2)
    warning = long.get_by_text("over 12 s")
    assert warning.is_visible()
    long.locator(".excerpt.ready").wait_for()
    handle = long.get_by_role("slider", name="End")
    box, at = long.locator(".excerpt").bounding_box(), handle.bounding_box()
    assert box
    assert at
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20, steps=4)
    page.mouse.up()
    assert float(long.get_by_label("to", exact=True).input_value()) == pytest.approx(7, abs=0.1)
    assert warning.is_hidden()
    long.get_by_label("from", exact=True).fill("1,5")
    long.get_by_label("to", exact=True).fill("4")
    long.get_by_label("to", exact=True).press("Tab")
    start = long.get_by_role("slider", name="Start")
    start.focus()
    start.press("ArrowRight")
    assert long.get_by_label("from", exact=True).input_value() == "1.55"
    long.get_by_role("button", name="Play").click()
    long.get_by_role("button", name="Stop").click()
    long.get_by_role("button", name="Add another excerpt").click()
    assert rows.count() == 4
    rows.nth(3).get_by_role("button", name="Remove").click()
    assert rows.count() == 3

    page.get_by_role("button", name="Create study").click()
    page.get_by_role("heading", name="Listeners and dates").wait_for()
    study = Study.objects.get()
    cuts = list(study.items.values_list("start", "end", "training"))
    assert cuts == [(0.0, 2.0, True), (0.0, 2.0, False), (0.0, 2.5, False), (1.55, 4.0, False)]
    tasks.prepare_study(str(study.pk))
    page.get_by_label("Maximum number of listeners").fill("20")
    page.get_by_role("button", name="Next: review").click()

    page.get_by_role("heading", name="BS.1534-3 checklist").wait_for()
    assert page.locator(".rules tbody tr").count() == 30
    assert page.get_by_text("3 items for 2 systems: 5 or more are asked for.").is_visible()
    page.get_by_label("Items per listener").fill("2")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("3 blocks").wait_for()
    study.refresh_from_db()
    assert (study.design, study.max_sessions, study.status) == ({"items_per_session": 2}, 20, "ready")

    page.get_by_role("link", name="1 Content").click()
    page.get_by_label("Name", exact=True).fill("Speech at 2 kbit/s, once more")
    page.locator('[data-title="CELP 8k (Speex)"]').check()
    page.get_by_role("link", name="3 Review").click()  # on the way to another step, too
    page.get_by_text("Saved.").wait_for()
    study.refresh_from_db()
    assert (study.status, study.systems) == ("preparing", ["opus-9k", "celp-8k", "bpgan-2k"])
    tasks.prepare_study(str(study.pk))

    page.get_by_role("link", name="3 Review").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_text("Published: listeners can take part.").wait_for()
    assert page.get_by_role("heading", name="Listener link").is_visible()
    assert page.locator(".qr svg").is_visible()
    study.refresh_from_db()
    assert study.status == Study.Status.OPEN

    start_session(study)
    page.get_by_role("link", name="1 Content").click()
    assert page.get_by_text("A listener has begun.").is_visible()
    assert page.locator('[data-title="CELP 8k (Speex)"]').is_disabled()
    assert page.locator("[data-remove]").first.is_disabled()
    page.get_by_label("Name", exact=True).fill("Renamed")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved.").wait_for()
    study.refresh_from_db()
    assert (study.name, len(study.systems), study.items.count()) == ("Renamed", 3, 4)


@pytest.mark.rest
def test_simulated_listeners_come_while_one_watches(researcher: Page, live_server: Any, alice: User) -> None:
    clips = list(Clip.objects.order_by("title")[:2])
    study = create_study(alice, "Tried", clips, ["opus-9k", "bpgan-2k"], open_when_ready=False)
    tasks.prepare_study(str(study.pk))
    page = researcher
    page.goto(f"{live_server.url}/studies/{study.pk}/setup/check/")
    page.get_by_label("Listeners", exact=True).fill("6")
    page.get_by_role("button", name="Simulate").click()
    page.get_by_text("0 of 6 simulated listeners have finished.").wait_for()
    simulation.run(str(study.pk))
    page.get_by_text("6 simulated listeners, no people.").wait_for()
    page.get_by_label("Listeners for a 95 % interval of ±").fill("3")
    page.get_by_role("button", name="Calculate").click()
    page.get_by_text("with 80 % assurance").wait_for()
    page.get_by_role("button", name="Delete the simulated sessions").click()
    page.get_by_text("6 simulated sessions deleted.").wait_for()
    assert not Session.objects.exists()


def test_what_is_missing_of_a_clip_is_made_and_the_study_saved(
    researcher: Page, live_server: Any, errors: Errors
) -> None:
    errors.allow("status of 400")  # what it says first
    page = researcher
    clip = Clip.objects.get(title="Sentence 1")
    clip.renditions.filter(system__startswith="anchor").delete()  # uploaded for chosen codecs only
    page.goto(f"{live_server.url}/studies/new/")
    page.get_by_label("Name", exact=True).fill("One sentence")
    for box in page.locator("[data-systems] input").all():
        box.set_checked(box.get_attribute("value") == "opus-9k")
    page.get_by_role("button", name="Add Sentence 1").click()
    note = page.locator("[data-item]:visible [data-missing]")
    assert note.text_content() == "not processed yet by Anchor 3.5 kHz, Anchor 7 kHz"
    page.get_by_label("Method", exact=True).select_option("acr")
    assert note.is_hidden()  # a method without anchors
    page.get_by_label("Method", exact=True).select_option("mushra")
    page.get_by_role("button", name="Create study").click()
    page.get_by_role("button", name="Process what is missing, then save").click()
    page.get_by_text("2 recordings are being processed").wait_for()
    assert page.get_by_label("Name", exact=True).input_value() == "One sentence"
    made = Rendition.objects.get(clip=clip, system="opus-9k")
    with page.expect_navigation(url="**/setup/who/"):
        clip.renditions.exclude(status="done").update(status="done", audio=made.audio.name)
    study = Study.objects.get()
    assert (study.name, study.items.count()) == ("One sentence", 2)  # it is for training, too


def test_who_cannot_change_the_items_sees_them_all_the_same(
    researcher: Page, live_server: Any, alice: User, bob: User
) -> None:
    """Somebody who may only look at the study, and its owner when a listener has begun."""
    page = researcher
    study = create_study(alice, "Speech", list(Clip.objects.order_by("title")[:2]), ["opus-9k"], seed=1)
    tasks.prepare_study(str(study.pk))
    study.refresh_from_db()
    Share.objects.create(study=study, user=bob, role=Role.VIEWER)
    for user in (bob, alice):
        if user == alice:
            start_session(study)
        sign_in(page.context, user, live_server.url)
        page.goto(f"{live_server.url}/studies/{study.pk}/setup/what/")
        rows = page.locator("[data-item]:visible")
        assert rows.count() == 2
        for row in rows.all():
            row.scroll_into_view_if_needed()
            row.locator("[data-waveform].ready path[d]").wait_for(state="attached")
        assert page.locator(".picker").is_hidden()
