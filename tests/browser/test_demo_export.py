"""A demo page that has left the house: from disk, from a plain web server, and in another page."""

from __future__ import annotations

import io
import zipfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from numpy.typing import NDArray

from listening.demos.drafts import new_demo
from listening.demos.export import write_export
from listening.demos.publishing import publish
from listening.tasks import publish_demo
from tests.browser.conftest import spend
from tests.browser.rating import make_clip, speech_through

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RATE = 16_000
SYSTEM = "anchor35"
#: When the listener switches, seconds of the context's time.
SWITCH = 0.3
# What the page would play is rendered as fast as the machine can, and stops exactly where the listener acts.
OFFLINE = """
window.AudioContext = class extends OfflineAudioContext {
  constructor({ sampleRate }) {
    super(1, sampleRate, sampleRate);
    window.rendered = this;
  }
  resume() { return this.started ? super.resume() : Promise.resolve(); }
  close() { return Promise.resolve(); }
};
"""
RENDER = """
async ([button, at]) => {
  const context = window.rendered;
  context.suspend(at).then(() => {
    document.querySelector(button).click();
    context.resume();
  });
  context.started = true;
  const samples = (await context.startRendering()).getChannelData(0);
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}
"""


@pytest.fixture
def folder(alice: User, tmp_path: Path) -> Path:
    """A demo page of two sounds, exported and unpacked."""
    clip = make_clip(alice, {slug: speech_through(slug, 2.0) for slug in ("original", SYSTEM)}, 2.0)
    clip.credit = "My own, CC0"
    clip.save()
    demo = new_demo(alice, clip)
    demo.draft = demo.draft.model_copy(update={"systems": ["original", SYSTEM]})
    demo.save()
    version = publish(demo)
    publish_demo(version.pk)
    version.refresh_from_db()
    content, again = io.BytesIO(), io.BytesIO()
    write_export(version, content)
    write_export(version, again)
    assert content.getvalue() == again.getvalue()
    with zipfile.ZipFile(content) as archive:
        archive.extractall(tmp_path / "demo")
    return tmp_path / "demo"


@pytest.fixture
def served(folder: Path) -> Iterator[str]:
    """The folder on a web server that knows nothing of it."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def play_and_switch(page: Page, first: str, second: str) -> NDArray[np.float64]:
    """What is heard from the press of one button on, with that of the other `SWITCH` s later."""
    page.locator(first).click()
    page.wait_for_function("(button) => document.querySelector(button).ariaPressed === 'true'", arg=first)
    return np.frombuffer(b64decode(page.evaluate(RENDER, [second, SWITCH])), "<f4").astype(np.float64)


def sound(folder: Path, system: str) -> NDArray[np.float64]:
    audio, rate = soundfile.read(folder / f"audio/1-{system}.flac")
    assert rate == RATE
    return np.asarray(audio)


def test_an_exported_page_switches_at_the_same_sample(
    page: Page, context: BrowserContext, folder: Path, served: str, new_page: Callable[[], Page]
) -> None:
    beside = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    assert beside < 200_000
    spend(context)
    context.add_init_script(OFFLINE)
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    original, coded = sound(folder, "original"), sound(folder, SYSTEM)
    assert np.abs(original - coded).max() > 0.01  # they can be told apart
    # Play and switch take effect 20 ms ahead; the fades take 5 ms each, and at most a block lies between.
    start, fade = round(0.02 * RATE), round(0.005 * RATE)
    switch = round((SWITCH + 0.02) * RATE / 128) * 128  # the context stops at a block
    place = np.arange(RATE) - start
    before, after = slice(start + fade, switch - 128), slice(switch + 2 * fade + 2 * 128, RATE)
    for home in (folder.as_uri(), served):
        page.goto(f"{home}/index.html")
        cell = '[data-system="{}"] [data-play-cell]'
        heard = play_and_switch(page, cell.format("original"), cell.format(SYSTEM))
        assert np.abs(heard[before] - original[place[before]]).max() < 1e-4
        assert np.abs(heard[after] - coded[place[after]]).max() < 1e-4
        between = heard[before.stop : after.start]
        assert np.abs(between).max() <= max(np.abs(original).max(), np.abs(coded).max())

        # Blind, the answer is judged by what A and B sound like: once a right one, once a wrong one.
        page.reload()
        page.get_by_role("button", name="Listen blind").click()
        heard = play_and_switch(page, "[data-quiz-hear=a]", "[data-quiz-hear=b]")
        is_first = bool(np.abs(heard[before] - original[place[before]]).max() < 1e-4)
        other = coded if is_first else original
        assert np.abs(heard[after] - other[place[after]]).max() < 1e-4
        truth = "A is the original, B" if is_first else "B is the original, A"
        is_right = home != served
        page.get_by_role("button", name=f"{'A' if is_first is is_right else 'B'} is the original").click()
        verdict = page.locator("[data-quiz-verdict]").inner_text()
        assert verdict.startswith(f"{'Right' if is_right else 'No'}: {truth} is ")
        assert page.locator("[data-tally]").inner_text().startswith(f"{int(is_right)} of 1 right")
    assert [url for url in fetched if not url.startswith((folder.as_uri(), served, "data:,"))] == []
    assert any(url.endswith(".flac") for url in fetched)
    assert any(url.endswith(".flac.js") for url in fetched)

    # In another page, as high as it needs.
    (folder / "paper.html").write_text(
        '<!doctype html><title>Paper</title><script src="earshot-player.js"></script>'
        '<earshot-player src="index.html#embed"></earshot-player>'
    )
    other = new_page()
    other.goto(f"{served}/paper.html")
    frame = other.frame_locator("iframe")
    frame.locator("[data-ready]").wait_for(state="attached")
    assert frame.locator(".demo-licences").is_hidden()
    assert frame.locator("[data-grid]").is_visible()
    other.wait_for_function(
        "document.querySelector('earshot-player').shadowRoot.firstChild.style.height !== '480px'"
    )
