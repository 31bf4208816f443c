"""The clip page, its player, the upload and the front page, in a real Chromium with real speech."""

from __future__ import annotations

import math
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from evaluation import tasks
from evaluation.clips.demo_clips import DemoClip, DemoClipsMissing, demo_clips
from evaluation.clips.ingest import ingest
from evaluation.models import Clip, Job, Rendition, Score
from tests.browser.conftest import Errors
from tests.evaluation.conftest import make_wav

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page, Route

pytestmark = pytest.mark.browser

RATE = 16_000
FADE = 80  # 5 ms
MADE = ("original", "anchor35", "anchor70", "codec2-2.4k")


@pytest.fixture(scope="session")
def sentence() -> DemoClip:
    try:
        return demo_clips()[0]
    except DemoClipsMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def site(transactional_db: None) -> Iterator[str]:
    server = LiveServer("127.0.0.1")
    yield server.url
    server.stop()


#: What workers have made of the sentence in this process: rendition, its files by column, scores.
_made: dict[str, tuple[Rendition, dict[str, bytes], list[Score]]] = {}
_OF_ITS_OWN = ("id", "clip", "upload", "audio", "bitstream")


def work(rendition: Rendition) -> None:
    """Do what workers would do for a rendition of the sentence; a second time, copy what they did."""
    if rendition.system not in _made:
        tasks.make_rendition(str(rendition.pk))
        for score in rendition.scores.all():
            tasks.make_score(score.pk)
        done = Rendition.objects.get(pk=rendition.pk)
        files = {kind: getattr(done, kind) for kind in ("audio", "bitstream")}
        content = {kind: file.read() for kind, file in files.items() if file}
        _made[rendition.system] = done, content, list(done.scores.all())
        return
    done, content, scores = _made[rendition.system]
    for field in Rendition._meta.concrete_fields:
        if field.name not in _OF_ITS_OWN:
            setattr(rendition, field.attname, getattr(done, field.attname))
    for kind, data in content.items():
        file = getattr(done, kind)
        getattr(rendition, kind).save(Path(file.name).name, ContentFile(data), save=False)
    rendition.save()
    for score in scores:
        Score.objects.update_or_create(
            rendition=rendition,
            metric=score.metric,
            defaults={name: getattr(score, name) for name in ("status", "value", "version", "note")},
        )


@pytest.fixture
def clip(site: str, alice: User, sentence: DemoClip, media: Path) -> Clip:
    """Real speech through some systems; one has failed, one is still queued, the rest aren't there."""
    file = SimpleUploadedFile(sentence.name, sentence.wav)
    clip, _ = ingest(alice, file, title="<img src=x onerror=alert(1)> & a sentence", credit=sentence.credit)
    clip.renditions.exclude(system__in=(*MADE, "codec2-3.2k", "celp-8k")).delete()
    for rendition in clip.renditions.filter(system__in=MADE):
        work(rendition)
    clip.renditions.filter(system="celp-8k").update(
        status=Job.Status.FAILED, error="The encoder <b>stopped</b>.", log="exit code 1"
    )
    return clip


@pytest.fixture
def signed_in(context: BrowserContext, site: str, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": site}])


@pytest.fixture
def opened(page: Page, site: str, clip: Clip, signed_in: None) -> Page:
    page.goto(site + reverse("clip", args=[clip.pk]))
    page.wait_for_selector("[data-ready]")
    loaded(page, *MADE)
    return page


def row(page: Page, slug: str) -> Locator:
    return page.locator(f'tr[data-system="{slug}"]')


def loaded(page: Page, *slugs: str) -> None:
    for slug in slugs:
        row(page, slug).locator(".play.ready").wait_for()


def selected(page: Page) -> str:
    return str(page.locator("tr.selected").get_attribute("data-system"))


def position(page: Page) -> float:
    return float(page.locator("[data-position]").input_value())


def wait(page: Page, condition: str) -> None:
    page.wait_for_function(condition)


def row_plays_and_pauses(opened: Page) -> None:
    play = row(opened, "codec2-2.4k").locator("[data-play-system]")
    play.click()
    assert selected(opened) == "codec2-2.4k"
    wait(opened, "document.querySelector('[data-position]').value > 0.1")
    assert opened.locator("[data-play]").get_attribute("aria-label") == "Pause"
    play.click()
    assert opened.locator("[data-play]").get_attribute("aria-label") == "Play"


def switching_keeps_the_position_going(opened: Page) -> None:
    row(opened, "original").locator("[data-play-system]").click()
    wait(opened, "document.querySelector('[data-position]').value > 0.3")
    before = position(opened)
    opened.keyboard.press("1")
    assert selected(opened) == "anchor35"
    assert before <= position(opened) < before + 1
    assert opened.locator("[data-play]").get_attribute("aria-label") == "Pause"
    assert opened.locator("[data-label]").inner_text() == "Anchor 3.5 kHz"


def keys_work(opened: Page) -> None:
    opened.locator("h1").click()
    opened.keyboard.press("2")
    assert selected(opened) == "anchor70"
    opened.keyboard.press("r")
    assert selected(opened) == "original"
    opened.keyboard.press("ArrowDown")
    assert selected(opened) == "anchor35"
    opened.keyboard.press("ArrowUp")
    opened.keyboard.press("ArrowRight")
    assert position(opened) == pytest.approx(1.0)
    opened.keyboard.press("ArrowLeft")
    assert position(opened) == 0
    opened.keyboard.press("l")
    assert opened.locator("[data-loop]").get_attribute("aria-pressed") == "false"
    opened.keyboard.press(" ")
    assert opened.locator("[data-play]").get_attribute("aria-label") == "Pause"
    opened.keyboard.press(" ")
    assert opened.locator("[data-play]").get_attribute("aria-label") == "Play"


def pointer_seeks_and_marks_a_loop(opened: Page, clip: Clip) -> None:
    box = opened.locator("[data-track]").bounding_box()
    assert box is not None
    opened.mouse.click(box["x"] + box["width"] / 4, box["y"] + 80)
    assert position(opened) == pytest.approx(clip.seconds / 4, abs=0.02)
    opened.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 80, steps=4)
    opened.mouse.up()
    assert opened.locator("[data-region]").is_visible()
    assert position(opened) == pytest.approx(clip.seconds / 2, abs=0.02)
    opened.locator("[data-whole]").click()
    assert opened.locator("[data-region]").is_hidden()


def pictures_show_the_sound(opened: Page) -> None:
    """Speech has more than one colour, and a 3.5 kHz low-pass is dark above."""
    row(opened, "anchor35").locator("[data-play-system]").click()
    brightness = """(lane) => {
      const canvas = document.querySelector(`[data-lane=${lane}] [data-spectrogram]`);
      const { width, height } = canvas;
      const data = canvas.getContext("2d").getImageData(0, 0, width, Math.floor(height / 2)).data;
      return data.reduce((sum, value, i) => sum + (i % 4 < 3 ? value : 0), 0) / (data.length * 0.75);
    }"""
    assert opened.evaluate(brightness, "original") > 20
    assert opened.evaluate(brightness, "selected") < 5


def waveform_height(page: Page, lane: str) -> float:
    """The share of a waveform's canvas, from top to bottom, that has ink; waits until it has some."""
    inked = """(lane) => {
      const canvas = document.querySelector(`[data-lane=${lane}] [data-waveform]`);
      const { width, height } = canvas;
      const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
      const rows = Array.from({ length: height }, (_, y) => y);
      const inked = (y) => data.subarray(4 * y * width, 4 * (y + 1) * width).some((value) => value);
      return rows.filter(inked).length / height;
    }"""
    return float(page.wait_for_function(inked, arg=lane).json_value())


def a_point_for_each_measured_system_plays(opened: Page, clip: Clip) -> None:
    points = opened.locator("[data-point]")
    assert sorted(points.evaluate_all("all => all.map(p => p.dataset.point)")) == sorted(MADE)
    points.locator("xpath=self::*[@data-point='codec2-2.4k']").click()
    assert selected(opened) == "codec2-2.4k"
    assert opened.locator("[data-play]").get_attribute("aria-label") == "Pause"


def another_measure_is_shown(opened: Page, clip: Clip) -> None:
    point = opened.locator('[data-point="codec2-2.4k"]')
    scores = dict(clip.renditions.get(system="codec2-2.4k").scores.values_list("metric", "value"))
    assert f"PESQ-WB {scores['pesq_wb']:.2f}" in str(point.get_attribute("aria-label"))
    opened.locator("[data-metric=pesq_nb]").click()
    assert f"PESQ-NB {scores['pesq_nb']:.2f}" in str(point.get_attribute("aria-label"))


def table_sorts_by_figures_with_missing_ones_last(opened: Page) -> None:
    opened.locator("[data-sort=pesq_wb]").click()
    order = opened.locator("tr[data-system]").evaluate_all("rows => rows.map(r => r.dataset.system)")
    assert order[:4] == ["original", "anchor70", "anchor35", "codec2-2.4k"]
    assert opened.locator("th[aria-sort=descending]").inner_text().startswith("PESQ-WB")
    opened.locator("[data-sort=pesq_wb]").click()
    first = opened.locator("tr[data-system]").first
    assert first.get_attribute("data-system") == "codec2-2.4k"


def texts_stay_text(opened: Page) -> None:
    """An error from a program and a title from a person reach the page as they are."""
    assert "<img src=x onerror=alert(1)>" in opened.locator("h1").inner_text()
    assert "<b>stopped</b>" in row(opened, "celp-8k").inner_text()


def who_asks_for_another_metric_stays_there(opened: Page) -> None:
    """Though the player writes its place over the address that leads there."""
    opened.locator("#other-metrics button:enabled").first.focus()
    with opened.expect_navigation():
        opened.keyboard.press("Enter")
    opened.wait_for_selector("[data-clip-page][data-ready]")
    part = opened.locator("#other-metrics")
    assert part.evaluate("part => part === document.activeElement")
    box = part.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < opened.evaluate("innerHeight")


def pause(page: Page) -> None:
    page.locator("[data-play][aria-label=Pause]").click()
    page.locator("[data-play][aria-label=Play]").wait_for()


def test_player_pictures_figures_and_table(opened: Page, clip: Clip) -> None:
    """All that can be done on one page, one thing after the other: to open it takes longer than to use it."""
    row_plays_and_pauses(opened)
    switching_keeps_the_position_going(opened)
    pause(opened)
    opened.locator("h1").click()
    for _ in range(math.ceil(clip.seconds)):
        opened.keyboard.press("ArrowLeft")  # to the beginning
    keys_work(opened)
    opened.keyboard.press("l")
    pointer_seeks_and_marks_a_loop(opened, clip)
    pictures_show_the_sound(opened)
    pause(opened)
    a_point_for_each_measured_system_plays(opened, clip)
    another_measure_is_shown(opened, clip)
    table_sorts_by_figures_with_missing_ones_last(opened)
    texts_stay_text(opened)
    who_asks_for_another_metric_stays_there(opened)


def opens_the_same_system_and_position(opened: Page, new_page: Callable[[], Page], clip: Clip) -> None:
    opened.locator("h1").click()
    opened.keyboard.press("2")
    opened.keyboard.press("ArrowRight")
    opened.locator("[data-share]").click()
    assert opened.url.endswith("#system=anchor70&t=1.00")
    other = new_page()
    painted_before: list[float] = []

    def wait_for_selected(route: Route) -> None:
        painted_before.append(waveform_height(other, "selected"))
        route.continue_()

    original = clip.renditions.get(system="original")
    other.route(f"**{reverse('rendition_audio', args=[original.pk])}", wait_for_selected)
    other.goto(opened.url)
    loaded(other, *MADE)
    assert selected(other) == "anchor70"
    assert position(other) == pytest.approx(1.0)
    # Both on one scale, though the original came last.
    assert painted_before
    height = waveform_height(other, "original")
    assert 0.8 * height < waveform_height(other, "selected") <= 1.2 * height


def test_a_failed_row_is_retried_in_place_and_finished_work_arrives_without_reload(
    opened: Page, clip: Clip
) -> None:
    failed = row(opened, "celp-8k")
    failed.locator("summary").click()
    assert "exit code 1" in failed.inner_text()
    failed.locator("[data-retry] button").click()
    failed.locator(".badge.queued").wait_for()
    assert clip.renditions.get(system="celp-8k").status == Job.Status.QUEUED
    opened.evaluate("window.same = true")
    opened.locator("h1").click()
    opened.keyboard.press("1")
    waiting = row(opened, "codec2-3.2k")
    assert waiting.locator(".badge").inner_text() == "queued"
    work(clip.renditions.get(system="codec2-3.2k"))
    loaded(opened, "codec2-3.2k")
    waiting.locator(".word").first.wait_for()
    opened.locator('[data-point="codec2-3.2k"]').wait_for()
    assert selected(opened) == "anchor35"
    assert opened.evaluate("window.same") is True


NAMES = re.compile(r"Original|Anchor|Codec 2|CELP|\d\.\d")


def hides_and_reveals_names(opened: Page) -> None:
    opened.locator("[data-blind]").click()
    table = opened.locator("[data-systems] tbody")
    assert not NAMES.search(table.inner_text())
    assert opened.locator("[data-scatter]").is_hidden()
    names = [text for text in opened.locator("tr[data-system] [data-name]:visible").all_inner_texts() if text]
    assert names == [f"Sound {letter}" for letter in "ABCD"]
    playable = opened.locator("tr[data-system]:visible").first
    playable.locator("[data-play-system]").click()
    label = opened.locator("[data-label]").inner_text()
    assert label == playable.locator("[data-name]").inner_text()
    assert "#" not in opened.url
    assert opened.locator("[data-lane=selected] [data-spectrogram]").is_hidden()
    opened.locator("[data-blind]").click()
    assert "Codec 2 2.4k" in table.inner_text()
    assert opened.locator("[data-letter]:visible").count() == 4


def test_a_shared_link_and_blind_listening(opened: Page, new_page: Callable[[], Page], clip: Clip) -> None:
    opens_the_same_system_and_position(opened, new_page, clip)
    opened.goto(opened.url.split("#")[0])
    loaded(opened, *MADE)
    hides_and_reveals_names(opened)


class TestUpload:
    def test_each_file_has_its_own_outcome(
        self, page: Page, site: str, signed_in: None, media: Path, sentence: DemoClip, errors: Errors
    ) -> None:
        errors.allow("422")  # the text file's
        page.goto(site + reverse("clips"))
        page.locator("form.scripted").wait_for()
        page.locator("#files").set_input_files(
            [
                {"name": "speech.wav", "mimeType": "audio/wav", "buffer": sentence.wav},
                {"name": "<b>text.wav", "mimeType": "audio/wav", "buffer": b"only text"},
            ]
        )
        page.locator("[data-uploads] .done").wait_for()
        refused = page.locator("[data-uploads] .failed")
        refused.wait_for()
        assert "<b>text.wav" in refused.inner_text()
        assert len(refused.locator(".upload-state").inner_text()) > 10
        page.locator("#clip-rows a", has_text="speech").wait_for()
        assert Clip.objects.count() == 1

    def test_whoever_was_signed_out_meanwhile_hears_so_for_each_file(
        self, page: Page, site: str, signed_in: None, media: Path, sentence: DemoClip
    ) -> None:
        page.goto(site + reverse("clips"))
        page.locator("form.scripted").wait_for()
        page.context.clear_cookies(name="sessionid")
        files = [{"name": f"{n}.wav", "mimeType": "audio/wav", "buffer": sentence.wav} for n in (1, 2)]
        page.locator("#files").set_input_files(files)
        page.locator("[data-uploads] .failed").nth(1).wait_for()
        assert page.locator("[data-uploads] .upload-state", has_text="signed out").count() == 2


class TestFront:
    def test_stranger_hears_a_system_with_one_click(self, page: Page, site: str, clip: Clip) -> None:
        Clip.objects.update(public=True)
        clip.renditions.filter(system="codec2-2.4k").update(system="bpgan-2k")
        page.goto(site)
        page.locator('[data-play-system="bpgan-2k"]').click()
        wait(page, "document.querySelector('[data-position]').value > 0.1")
        page.locator('[data-play-system="original"]').click()
        assert page.locator("[data-play]").get_attribute("aria-label") == "Pause"


# -- The player's samples on this page, rendered by an OfflineAudioContext in place of the sound card

HARNESS = """
async ({ url, sounds, frames, script }) => {
  const { ClipPlayer } = await import(url);
  let context;
  window.AudioContext = function () {
    context = new OfflineAudioContext(1, frames, 16000);
    Object.defineProperty(context, "state", { value: "running" });
    return context;
  };
  const player = new ClipPlayer(document.querySelector("[data-front-player]"));
  for (const [slug, wav] of Object.entries(sounds)) await player.load(slug, `data:audio/wav;base64,${wav}`);
  player.select(Object.keys(sounds)[0]);
  const at = (seconds, action) => context.suspend(seconds).then(action).then(() => context.resume());
  await new Function("player", "at", `return (async () => { ${script} })()`)(player, at);
  const samples = (await context.startRendering()).getChannelData(0);
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}
"""
LEAD = 320  # samples between what is pressed and what is heard of it
STEEPEST = math.pi / 2 / FADE * 1.05  # gain a sample, in the middle of a raised cosine
ASKED = 128 * 63  # a switch can be asked for between rendering blocks of 128 samples
AT = ASKED + LEAD


@pytest.fixture
def heard(page: Page, site: str, clip: Clip) -> Callable[..., Any]:
    """Run a script on a clip's player with the given sounds; returns what comes out, in samples."""
    Clip.objects.update(public=True, rate=RATE)  # the page decodes at the rate of its clip
    page.goto(site + reverse("front"))

    def run(script: str, frames: int, **sounds: Any) -> Any:
        wavs = {
            key: b64encode(make_wav(samples, subtype="FLOAT")).decode() for key, samples in sounds.items()
        }
        given = {"url": "/static/js/clip/player.js", "sounds": wavs, "frames": frames, "script": script}
        return np.frombuffer(b64decode(page.evaluate(HARNESS, given)), dtype="<f4")

    return run


def rise() -> Any:
    return 0.5 - 0.5 * np.cos(np.pi * np.arange(FADE) / FADE)


RAMP = np.linspace(0.1, 0.9, 2 * RATE)


def switch_fades_out_then_in_at_the_same_position(heard: Callable[..., Any]) -> None:
    script = f"await player.play(); at({ASKED / RATE}, () => player.select('b'));"
    out = heard(script, RATE, a=RAMP, b=-RAMP)
    expected = np.concatenate([np.zeros(LEAD), RAMP[: RATE - LEAD]])
    plain = out[LEAD + FADE : AT]
    np.testing.assert_allclose(plain, expected[LEAD + FADE : AT], atol=1e-6)
    np.testing.assert_allclose(out[AT : AT + FADE], (1 - rise()) * expected[AT : AT + FADE], atol=2e-3)
    after = slice(AT + FADE, AT + 2 * FADE)
    np.testing.assert_allclose(out[after], -rise() * expected[after], atol=2e-3)
    np.testing.assert_allclose(out[AT + 2 * FADE :], -expected[AT + 2 * FADE :], atol=1e-6)


def hasty_switches_come_one_after_the_other(heard: Callable[..., Any]) -> None:
    flat = np.full(RATE, 0.5)
    hasty = "player.select('b'); player.select('c'); player.select('a'); player.select('c');"
    script = f"await player.play(); at({ASKED / RATE}, () => {{ {hasty} }});"
    out = heard(script, RATE, a=flat, b=flat, c=flat)
    assert np.abs(out).max() <= 0.5 + 1e-6
    assert np.abs(np.diff(out[AT:])).max() < 0.5 * STEEPEST
    np.testing.assert_allclose(out[AT + 4 * (2 * FADE + 128) : RATE], 0.5, atol=1e-6)


def loop_goes_round_without_a_click(heard: Callable[..., Any]) -> None:
    flat = np.full(RATE, 0.5)
    script = "player.setRegion([0.2, 0.7]); player.seek(0.2); await player.play();"
    out = heard(script, 2 * RATE, a=flat)
    assert np.abs(np.diff(out[LEAD + FADE :])).max() < 0.5 * STEEPEST
    quiet = np.flatnonzero(np.abs(out[LEAD + FADE :]) < 1e-3) + LEAD + FADE
    turns = quiet[np.insert(np.diff(quiet) > 1, 0, True)]
    np.testing.assert_allclose(np.diff(turns), RATE // 2, atol=1)


def pause_fades_and_play_goes_on_where_it_was(heard: Callable[..., Any]) -> None:
    resume = ASKED + 128 * 20
    script = f"""
      await player.play();
      at({ASKED / RATE}, () => player.pause());
      at({resume / RATE}, () => player.play());
    """
    out = heard(script, RATE, a=RAMP)
    assert np.abs(out[AT + FADE + 1 : resume]).max() == 0
    assert np.abs(np.diff(out[LEAD + FADE :])).max() < 0.5 * STEEPEST
    late = out[-1]
    played = AT - LEAD + (RATE - resume - LEAD)
    assert late == pytest.approx(RAMP[played - 1], abs=1e-3)


def test_samples_of_switches_loops_and_pauses(heard: Callable[..., Any]) -> None:
    switch_fades_out_then_in_at_the_same_position(heard)
    hasty_switches_come_one_after_the_other(heard)
    loop_goes_round_without_a_click(heard)
    pause_fades_and_play_goes_on_where_it_was(heard)
