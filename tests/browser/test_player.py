"""The player's samples, rendered in Chromium by an OfflineAudioContext and compared with mathematics."""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.browser.conftest import Errors, note_errors
from tests.conftest import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.browser

STATIC = ROOT / "static"
RATE = 16_000
FADE = 80  # 5 ms
SECONDS = 2.0
#: Where the tests start playing: on the boundary of a rendering block of 128 samples.
START = 128 * 10
Samples = NDArray[np.float64]
Render = Callable[..., dict[str, Any]]

# `sounds` are float32 samples, or whole WAV files, as base64, by name; `script` drives the player. Those
# whose names begin with "late" are not given to the player but to the script.
HARNESS = """
async ({sounds, script, frames, rate, files, options}) => {
  const fromText = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const toText = (samples) => {
    const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(text);
  };
  const { Player } = await import("/js/audio/player.js");
  const context = new OfflineAudioContext(2, frames, rate);
  const buffers = new Map();
  for (const [name, text] of Object.entries(sounds)) {
    const samples = fromText(text);
    if (files) {
      buffers.set(name, await context.decodeAudioData(samples.buffer));
      continue;
    }
    const buffer = new AudioBuffer({ length: samples.length, sampleRate: rate });
    buffer.copyToChannel(samples, 0);
    buffers.set(name, buffer);
  }
  const late = new Map([...buffers].filter(([name]) => name.startsWith("late")));
  const first = new Map([...buffers].filter(([name]) => !late.has(name)));
  const player = new Player(context, first, options);
  const make = (buffers, how) => new Player(context, buffers, how);
  const answer = new Function("player", "late", "make", script)(player, late, make);
  const rendered = await context.startRendering();
  return { left: toText(rendered.getChannelData(0)), right: toText(rendered.getChannelData(1)), answer };
}
"""


@pytest.fixture(scope="module")
def player_page(browser: Browser) -> Iterator[Page]:
    """A page with the player's modules: each test makes a context of audio and a player of its own in it."""

    def serve(route: Route) -> None:
        path = STATIC / route.request.url.removeprefix("http://earshot.test/")
        if path.suffix == ".js":
            route.fulfill(body=path.read_text(), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>Player</title>", content_type="text/html")

    context = browser.new_context()
    page = context.new_page()
    page.route("http://earshot.test/**", serve)
    page.goto("http://earshot.test/")
    yield page
    context.close()


@pytest.fixture
def render(player_page: Page, errors: Errors) -> Iterator[Render]:
    """Run a script on a player and return what two ears hear, and what the script returned."""

    def run(
        script: str,
        frames: int = 24_000,
        rate: int = RATE,
        files: bool = False,
        options: dict[str, Any] | None = None,
        **sounds: Samples,
    ) -> dict[str, Any]:
        given = {
            name: b64encode(wav(samples) if files else samples.astype("<f4").tobytes()).decode()
            for name, samples in sounds.items()
        }
        result: dict[str, Any] = player_page.evaluate(
            HARNESS,
            {
                "sounds": given,
                "script": script,
                "frames": frames,
                "rate": rate,
                "files": files,
                "options": options or {},
            },
        )
        for ear in ("left", "right"):
            result[ear] = np.frombuffer(b64decode(result[ear]), "<f4").astype(np.float64)
        return result

    stop = note_errors(player_page, errors)
    yield run
    stop()
    assert not errors, f"the page reported: {errors}"


def wav(samples: Samples) -> bytes:
    """A file as the site serves them, at 16 kHz."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def rise() -> Samples:
    """The raised cosine at the samples of a 5 ms fade-in: 0 at the first, on its way to 1 after the last."""
    return 0.5 - 0.5 * np.cos(np.pi * np.arange(FADE) / FADE)


def fall() -> Samples:
    return 0.5 + 0.5 * np.cos(np.pi * np.arange(FADE) / FADE)


def constant(value: float) -> Samples:
    return np.full(round(SECONDS * RATE), value)


def ramp(slope: float) -> Samples:
    """A sound whose every sample says where it is."""
    return slope * np.arange(round(SECONDS * RATE)) / (SECONDS * RATE)


def play(rest: str = "", looping: bool = False) -> str:
    return f"player.setLooping({str(looping).lower()}); player.play({START / RATE}); {rest}"


def test_playing_fades_in_and_pausing_fades_out(render: Render) -> None:
    stop = 12_000
    heard = render(play(f"player.pause({stop / RATE});"), a=constant(0.5))["left"]
    expected = np.zeros_like(heard)
    expected[START:stop] = 0.5
    expected[START : START + FADE] *= rise()
    expected[stop : stop + FADE] = 0.5 * fall()
    np.testing.assert_allclose(heard, expected, atol=1e-3)
    assert not heard[stop + FADE + 1 :].any()


def test_a_switch_is_out_then_in_and_never_a_cross_fade(render: Render) -> None:
    switch = 8000
    # Different constants, so each sample tells how much of either is in it.
    heard = render(play(f'player.select("b", {switch / RATE});'), a=constant(0.5), b=constant(-0.25))["left"]
    np.testing.assert_allclose(heard[START + FADE : switch], 0.5, atol=1e-6)
    np.testing.assert_allclose(heard[switch : switch + FADE], 0.5 * fall(), atol=1e-3)
    np.testing.assert_allclose(heard[switch + FADE : switch + 2 * FADE], -0.25 * rise(), atol=1e-3)
    np.testing.assert_allclose(heard[switch + 2 * FADE :], -0.25, atol=1e-6)


def test_the_product_of_both_gains_is_zero_throughout(render: Render) -> None:
    switch = 8000
    script = play(f'player.select("b", {switch / RATE});')
    silent = constant(0.0)
    old = render(script, a=constant(1.0), b=silent)["left"]
    new = render(script, a=silent, b=constant(1.0))["left"]
    assert np.abs(old * new).max() < 1e-6
    assert old.max() == pytest.approx(1.0)
    assert new.max() == pytest.approx(1.0)


@pytest.mark.parametrize("switch", [8000, 8001, 8064, 8191])
def test_sounds_are_at_the_same_sample_before_and_after_a_switch(render: Render, switch: int) -> None:
    heard = render(play(f'player.select("b", {switch / RATE});'), a=ramp(0.9), b=ramp(-0.9))["left"]
    place = np.arange(heard.size) - START
    expected = 0.9 * place / (SECONDS * RATE)
    before = slice(START + FADE, switch)
    after = slice(switch + 2 * FADE + 1, None)
    # One sample is 2.8e-5 of the ramp: an offset of one would show.
    np.testing.assert_allclose(heard[before], expected[before], atol=1e-5)
    np.testing.assert_allclose(heard[after], -expected[after], atol=1e-5)


def test_switching_faster_than_the_fades_queues_them(render: Render) -> None:
    at = 8000 / RATE
    script = play(
        f'player.select("b", {at}); player.select("c", {at + 0.002}); player.select("a", {at + 0.003});'
    )
    silent = constant(0.0)
    gains = [
        render(script, **{name: constant(1.0) if name == which else silent for name in "abc"})["left"]
        for which in "abc"
    ]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(gains[i] * gains[j]).max() < 1e-6
    assert [gain.max() for gain in gains] == pytest.approx([1.0, 1.0, 1.0], abs=1e-3)
    np.testing.assert_allclose(gains[0][8000 + 10 * FADE :], 1.0, atol=1e-6)


def test_loop_seams_fade_out_then_in(render: Render) -> None:
    first, last = 8000, 20_000
    script = f"player.setLoop({first / RATE}, {last / RATE}); " + play(looping=True)
    heard = render(script, frames=START + 3 * (last - first) + 100, a=constant(0.5))["left"]
    region = np.full(last - first, 0.5)
    region[:FADE] *= rise()
    region[-FADE:] *= rise()[::-1]
    for turn in range(3):
        begin = START + turn * region.size
        # The first turn also has the fade-in of playing.
        skip = FADE if turn == 0 else 0
        np.testing.assert_allclose(heard[begin + skip : begin + region.size], region[skip:], atol=1e-3)


def test_a_loop_repeats_the_same_samples_in_every_sound(render: Render) -> None:
    first, last = 8000, 17_000
    switch = START + 3 * (last - first) // 2
    script = f"player.setLoop({first / RATE}, {last / RATE}); " + play(
        f'player.select("b", {switch / RATE});', looping=True
    )
    heard = render(script, frames=START + 3 * (last - first), a=ramp(0.9), b=ramp(-0.9))["left"]
    place = first + (np.arange(heard.size) - START) % (last - first)
    away_from_seams = (place - first > FADE) & (last - place > FADE)
    away_from_seams[: START + FADE] = False
    away_from_seams[switch : switch + 2 * FADE + 1] = False
    sign = np.where(np.arange(heard.size) < switch, 0.9, -0.9)
    expected = sign * place / (SECONDS * RATE)
    np.testing.assert_allclose(heard[away_from_seams], expected[away_from_seams], atol=1e-5)


def test_both_ears_hear_the_same(render: Render) -> None:
    rendered = render(play('player.select("b", 0.5);'), a=ramp(0.7), b=ramp(-0.3))
    assert np.abs(rendered["left"]).max() > 0.1
    np.testing.assert_array_equal(rendered["left"], rendered["right"])


def test_a_seek_goes_there_between_two_fades(render: Render) -> None:
    seek, target = 8000, 24_000
    heard = render(play(f"player.seek({target / RATE}, {seek / RATE});"), frames=12_000, a=ramp(0.9))["left"]
    again = seek + FADE + 128  # a block of silence between the fades
    index = np.arange(heard.size)
    place = np.where(index < again, index - START, target + index - again)
    expected = 0.9 * place / (SECONDS * RATE)
    expected[:START] = 0
    expected[START : START + FADE] *= rise()
    expected[seek : seek + FADE] *= fall()
    expected[seek + FADE : again] = 0
    expected[again : again + FADE] *= rise()
    np.testing.assert_allclose(heard, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("start", "end", "taken"),
    [
        (0.2, 0.7, True),
        (0.2, 0.699, False),
        (0.7, 0.2, False),
        (-0.1, 0.6, False),
        (1.0, 2.1, False),
        (0.0, 2.0, True),
    ],
)
def test_a_loop_is_at_least_half_a_second_and_inside(
    render: Render, start: float, end: float, taken: bool
) -> None:
    script = f"return [player.setLoop({start}, {end}), player.loopStart, player.loopEnd];"
    answer = render(script, frames=128, a=constant(0.1))["answer"]
    assert answer == ([True, start, end] if taken else [False, 0, SECONDS])


def test_position_follows_the_clock_into_the_loop(render: Render) -> None:
    script = "player.setLoop(0.5, 1.25); " + play(
        f"return [0, 0.5, 0.75, 2].map((seconds) => player.position({START / RATE} + seconds));", looping=True
    )
    answer = render(script, frames=128, a=constant(0.1))["answer"]
    assert answer == pytest.approx([0.5, 1.0, 0.5, 1.0])


def test_without_a_loop_it_stops_at_the_end(render: Render) -> None:
    heard = render(play(), frames=START + 40_000, a=constant(0.5))["left"]
    assert heard[START + round(SECONDS * RATE) - 2] == pytest.approx(0.5)
    assert not heard[START + round(SECONDS * RATE) :].any()


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_nothing_clicks_whatever_is_pressed_however_fast(render: Render, rate: int) -> None:
    """Sounds without steps must be heard without steps, within the slope of the fades."""
    script = """
      const names = ["a", "b", "c"];
      let seed = 1;
      const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
      const actions = [
        (when) => player.select(names[Math.floor(random() * 3)], when),
        (when) => player.seek(random() * 2, when),
        (when) => player.setLoop(random(), 1.5 + random() / 2, when),
        (when) => player.clearLoop(when),
        (when) => player.setLooping(random() > 0.5, when),
        (when) => (player.playing ? player.pause(when) : player.play(when)),
        (when) => player.play(when),
      ];
      let when = 0.05;
      player.play(when);
      for (let i = 0; i < 120; i++) {
        when += random() < 0.5 ? 0.001 + 0.006 * random() : 0.06 * random();
        actions[Math.floor(random() * actions.length)](when);
      }
      return when;
    """
    size = round(SECONDS * rate)
    edges = np.minimum(1, np.arange(size) / (0.01 * rate))  # stimuli begin and end so
    edges *= edges[::-1]
    rendered = render(script, frames=4 * rate, rate=rate, a=0.5 * edges, b=-0.4 * edges, c=0.3 * edges)
    assert 1.0 < rendered["answer"] < 3.9
    heard = rendered["left"]
    steepest_fade = np.pi / 2 / (0.005 * rate)
    # The fade of a switch may meet those of a pause and of a loop's seam.
    assert np.abs(np.diff(heard)).max() < 2 * 0.5 * steepest_fade
    assert np.ptp(heard) > 0.7
    assert np.abs(heard).max() <= 0.5 + 1e-6


def test_pausing_and_playing_again_goes_on_at_the_same_sample(render: Render) -> None:
    stop, again = 8000, 12_032
    script = play(f"player.pause({stop / RATE}); player.play({again / RATE});")
    heard = render(script, a=ramp(0.9))["left"]
    index = np.arange(heard.size)
    place = np.where(index < again, index - START, stop - START + index - again)
    expected = 0.9 * place / (SECONDS * RATE)
    sounding = ((index >= START + FADE) & (index < stop)) | (index >= again + FADE)
    np.testing.assert_allclose(heard[sounding], expected[sounding], atol=1e-5)
    np.testing.assert_allclose(heard[stop : stop + FADE], expected[stop : stop + FADE] * fall(), atol=1e-3)
    assert not heard[stop + FADE + 1 : again].any()


@pytest.mark.parametrize("looping", [True, False])
def test_a_sound_that_arrives_late_runs_at_the_same_sample(render: Render, looping: bool) -> None:
    first, last = 4000, 17_000
    arrival, switch = 20_000, 22_000
    loop = f"player.setLoop({first / RATE}, {last / RATE});" if looping else ""
    script = loop + play(
        f"""player.add("late", late.get("late"), {arrival / RATE});
            player.select("late", {switch / RATE});
            return player.has("late");""",
        looping=looping,
    )
    rendered = render(script, a=ramp(0.9), late=ramp(-0.9))
    assert rendered["answer"] is True
    heard = rendered["left"]
    place = np.arange(heard.size) - START
    if looping:
        place = first + place % (last - first)
        away = (place - first > FADE) & (last - place > FADE)
    else:
        away = np.ones(heard.size, dtype=bool)
    away[: START + FADE] = False
    away[switch : switch + 2 * FADE + 1] = False
    sign = np.where(np.arange(heard.size) < switch, 0.9, -0.9)
    np.testing.assert_allclose(heard[away], (sign * place / (SECONDS * RATE))[away], atol=1e-5)


def test_a_late_sound_of_another_length_is_cut_or_filled(render: Render) -> None:
    script = 'player.add("late", late.get("late")); return [player.duration, player.loopEnd];'
    assert render(script, frames=128, a=constant(0.1), late=constant(0.1)[:100])["answer"] == [SECONDS] * 2
    longer = np.concatenate([constant(0.1), constant(0.1)])
    assert render(script, frames=128, a=constant(0.1), late=longer)["answer"] == [SECONDS] * 2


def test_a_confined_region_is_played_once_between_its_fades(render: Render) -> None:
    first, last = 8000, 20_000
    script = f"player.setLoop({first / RATE}, {last / RATE}); " + play(
        f"return [0.25, 2].map((seconds) => player.position({START / RATE} + seconds));"
    )
    rendered = render(script, options={"confined": True}, a=ramp(0.9))
    assert rendered["answer"] == pytest.approx([first / RATE + 0.25, last / RATE])
    expected = np.zeros_like(rendered["left"])
    expected[START : START + last - first] = ramp(0.9)[first:last]
    expected[START : START + FADE] *= rise() ** 2  # that of playing and that of the region
    expected[START + last - first - FADE : START + last - first] *= rise()[::-1]
    np.testing.assert_allclose(rendered["left"], expected, atol=1e-3)


def test_a_choice_waits_for_its_sound(render: Render) -> None:
    chosen, arrival = 4000, 12_000
    script = play(
        f"""player.select("late", {chosen / RATE});
            const heard = [player.selected, player.sounding];
            player.add("late", late.get("late"), {arrival / RATE});
            return [...heard, player.sounding];"""
    )
    rendered = render(script, a=constant(0.5), late=constant(-0.25))
    assert rendered["answer"] == ["late", "a", "late"]
    heard = rendered["left"]
    np.testing.assert_allclose(heard[START + FADE : arrival], 0.5, atol=1e-6)
    np.testing.assert_allclose(heard[arrival : arrival + FADE], 0.5 * fall(), atol=1e-3)
    np.testing.assert_allclose(heard[arrival + FADE : arrival + 2 * FADE], -0.25 * rise(), atol=1e-3)
    np.testing.assert_allclose(heard[arrival + 2 * FADE :], -0.25, atol=1e-6)


def test_two_channels_stay_apart_and_one_can_be_heard_on_one_side(render: Render) -> None:
    script = f"""
      const buffer = new AudioBuffer({{ length: 12000, sampleRate: 16000, numberOfChannels: 2 }});
      buffer.getChannelData(0).fill(0.5);
      buffer.getChannelData(1).fill(-0.25);
      const both = make(new Map([["both", buffer]]), {{ confined: true }});
      both.setLooping(false);
      both.play({START / RATE});
      const side = make(new Map([["side", late.get("late")]]), {{ pan: 1 }});
      side.setLooping(false);
      side.play(1.0);
    """
    heard = render(script, a=constant(0.1), late=constant(0.3))
    middle, end = slice(START + FADE, START + 12_000 - FADE), slice(16_000 + FADE, None)
    np.testing.assert_allclose(heard["left"][middle], 0.5, atol=1e-6)
    np.testing.assert_allclose(heard["right"][middle], -0.25, atol=1e-6)
    np.testing.assert_allclose(heard["left"][end], 0.0, atol=1e-6)
    np.testing.assert_allclose(heard["right"][end], 0.3, atol=1e-6)


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
def test_files_of_16_khz_stay_together_at_every_rate_of_the_device(render: Render, rate: int) -> None:
    """Decoding resamples to the device's rate; one sound is the other's negative, so no sample may differ."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    sound = 0.4 * np.sin(2 * np.pi * 440 * time) + 0.3 * np.sin(2 * np.pi * 1730 * time)
    first, last = round(0.4 * rate), round(1.3 * rate)
    start, frames = 128 * 10, 3 * rate
    switch = round(1.7 * rate)
    script = (
        f"player.setLoop({first / rate}, {last / rate}); player.play({start / rate});"
        f'const length = player.duration; player.select("b", {{switch}}); return length;'
    )
    both = {"frames": frames, "rate": rate, "files": True, "a": sound, "b": -sound}
    heard = render(script.replace("{switch}", str(switch / rate)), **both)
    never = render(script.replace("{switch}", str(frames / rate - 0.02)), **both)
    assert heard["answer"] == pytest.approx(SECONDS, abs=1 / rate)
    np.testing.assert_array_equal(heard["left"], heard["right"])
    fade = int(0.005 * rate + 0.5)
    after = slice(switch + 2 * fade + 2, frames - round(0.03 * rate))
    np.testing.assert_allclose(heard["left"][after], -never["left"][after], atol=1e-4)
    assert np.abs(never["left"][after]).max() > 0.5
    # Against mathematics: the same tones at the device's rate, with the seams' fades.
    index = np.arange(frames) - start
    place = first + index % (last - first)
    tone = 0.4 * np.sin(2 * np.pi * 440 * place / rate) + 0.3 * np.sin(2 * np.pi * 1730 * place / rate)
    cosine = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)
    tone[place - first < fade] *= cosine[place[place - first < fade] - first]
    left = last - 1 - place
    tone[left < fade] *= cosine[left[left < fade]]
    compared = slice(start + fade + 1, switch)
    np.testing.assert_allclose(heard["left"][compared], tone[compared], atol=2e-3)
