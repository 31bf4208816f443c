"""The player in a real AudioContext, recorded sample by sample while its page stalls."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.browser

STATIC = ROOT / "static"
RECORDER = """
registerProcessor("recorder", class extends AudioWorkletProcessor {
  process([input]) {
    const samples = input[0] ? input[0].slice() : new Float32Array(128);
    this.port.postMessage({ frame: currentFrame, samples });
    return true;
  }
});
"""
# Two ramps, one the other's negative, so each sample says which sound it is of and where in it.
HARNESS = """
async (recorderSource) => {
  const { Player } = await import("/js/audio/player.js");
  const context = new AudioContext();
  const url = URL.createObjectURL(new Blob([recorderSource], { type: "text/javascript" }));
  await context.audioWorklet.addModule(url);
  const mono = { channelCount: 1, channelCountMode: "explicit" };
  const recorder = new AudioWorkletNode(context, "recorder", mono);
  recorder.connect(context.destination);
  const blocks = [];
  recorder.port.onmessage = ({ data }) => blocks.push(data);
  Object.defineProperty(context, "destination", { value: recorder });
  const rate = context.sampleRate;
  const length = 2 * rate;
  const ramp = (sign) => {
    const buffer = new AudioBuffer({ length, sampleRate: rate });
    buffer.copyToChannel(Float32Array.from({ length }, (_, i) => sign * (0.1 + 0.8 * i / length)), 0);
    return buffer;
  };
  const player = new Player(context, new Map([["a", ramp(1)], ["b", ramp(-1)]]));
  const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  const stall = (seconds) => {
    const end = performance.now() + 1000 * seconds;
    while (performance.now() < end);
  };
  player.setLoop(0.5, 1.25);
  player.play();
  await wait(0.2);
  player.select("b");
  stall(1.0);  // longer than the loop: seams pass while nothing of the page runs
  player.select("a");
  player.select("b");
  stall(0.3);
  await wait(0.2);
  player.pause();
  await wait(0.3);
  const frames = blocks.at(-1).frame + 128 - blocks[0].frame;
  const samples = new Float32Array(frames).fill(NaN);
  for (const block of blocks) samples.set(block.samples, block.frame - blocks[0].frame);
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  await context.close();
  return { rate, samples: btoa(text) };
}
"""


@pytest.fixture
def site(page: Page) -> Page:
    def serve(route: Route) -> None:
        path = route.request.url.removeprefix("http://localhost/")
        if path.endswith(".js"):
            route.fulfill(body=(STATIC / path).read_text(), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>Player</title>", content_type="text/html")

    page.route("http://localhost/**", serve)  # localhost: worklets need a secure address
    page.goto("http://localhost/")
    return page


def test_a_page_that_stalls_is_not_heard(site: Page) -> None:
    recorded: dict[str, Any] = site.evaluate(HARNESS, RECORDER)
    rate = int(recorded["rate"])
    heard = np.frombuffer(b64decode(recorded["samples"]), "<f4").astype(np.float64)
    # On a busy machine the recorder misses a block now and then.
    missed = np.isnan(heard)
    assert missed.mean() < 0.05
    heard[missed] = 0
    length, first, last, fade = 2 * rate, rate // 2, round(1.25 * rate), int(0.005 * rate + 0.5)
    start, end = (int(edge) for edge in np.flatnonzero(heard)[[0, -1]])
    assert (end - start) / rate > 1.5
    # The place that the first steady samples tell; from then on it is counted, whatever the page was doing.
    index = np.arange(heard.size)
    steady = slice(start + 2 * fade, start + 2 * fade + 1000)
    told = (np.abs(heard[steady]) - 0.1) / 0.8 * length
    offset = round(float(np.median(told - index[steady])))
    place = first + (index + offset - first) % (last - first)
    after, before = place - first, last - 1 - place
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)
    curve = np.ones(heard.size)
    curve[after < fade] = rise[after[after < fade]]
    curve[before < fade] = rise[before[before < fade]]
    expected = (0.1 + 0.8 * place / length) * curve
    played = (index > start + fade + 2) & (index < end - fade - 2) & ~missed
    right = np.abs(np.abs(heard) - expected) < 1e-3
    # Three switches, of two fades each and at most a block between them, are all that may differ.
    assert (played & ~right).sum() <= 3 * (2 * fade + 2 * 128)
    assert (played & right).sum() > 1.2 * rate
    # Two seams at least were played, with the mathematical curve.
    assert (played & right & (curve < 1)).sum() >= 3 * fade
    assert {1.0, -1.0} == set(np.sign(heard[played & right & (curve == 1)]))
    # No step anywhere: never louder, never a jump from one sound into the other.
    assert (np.abs(heard) <= expected + 1e-3)[played].all()
    assert np.abs(np.diff(heard))[~missed[1:] & ~missed[:-1]].max() < np.pi / fade
