"""What of a recording is kept, and what systems and metrics get of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from codec.audio import Recording, from_pcm16, read_audio, to_pcm16
from codec.base import ANYTHING, SPEECH, Takes
from codec.registry import SYSTEMS, load
from codec.working import CANCELS, align, conform, conversions, read_working_copy, version_for, working_copy

TONES = np.array([440.0, 1000.0])


def tones(rate: int, seconds: float = 0.5) -> NDArray[np.float32]:
    """A tone in each channel, (samples, 2)."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * TONES * time[:, np.newaxis])).astype(np.float32)


@pytest.mark.parametrize(
    ("takes", "has", "gets"),
    [
        (SPEECH, (48_000, 2), (16_000, 1)),
        (SPEECH, (8_000, 1), (16_000, 1)),
        (ANYTHING, (11_025, 2), (11_025, 2)),
        (Takes((44_100, 48_000), 2), (44_100, 2), (44_100, 2)),
        (Takes((44_100, 48_000), 2), (32_000, 1), (48_000, 1)),
        (Takes((48_000,), 1), (44_100, 2), (48_000, 1)),
    ],
)
def test_what_a_system_gets(takes: Takes, has: tuple[int, int], gets: tuple[int, int]) -> None:
    assert takes.fit(*has) == gets


@pytest.mark.parametrize("slug", SYSTEMS)
def test_the_registry_says_what_the_class_declares(slug: str) -> None:
    assert load(slug, SYSTEMS[slug].takes.fit(48_000, 2)[0]).takes == SYSTEMS[slug].takes


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_speech_system_gets_what_it_always_got(tmp_path: Path, rate: int) -> None:
    """The mono version of a stereo working copy is the recording as it was read for 16 kHz."""
    path = tmp_path / "stereo.wav"
    soundfile.write(path, tones(rate), rate, subtype="PCM_16")
    copy = read_working_copy(path)
    assert (copy.rate, copy.audio.shape) == (rate, (rate // 2, 2))
    np.testing.assert_array_equal(
        version_for(copy.audio, rate, 16_000, 1), from_pcm16(to_pcm16(read_audio(path).audio))
    )


def test_the_working_copy_itself_where_nothing_is_to_be_done() -> None:
    audio = tones(48_000)
    assert version_for(audio, 48_000, 48_000, 2) is audio
    assert conversions(audio, 48_000, 48_000, 2) == []
    assert conversions(audio, 48_000, 16_000, 1) == [
        "2 channels mixed to mono (mean)",
        "resampled from 48000 Hz",
    ]


@pytest.mark.parametrize("rates", [(44_100, 48_000), (48_000, 16_000), (8_000, 48_000)])
def test_channels_are_resampled_each_by_itself_without_delay(rates: tuple[int, int]) -> None:
    before, after = rates
    converted = conform(tones(before), before, after, 2)
    expected = tones(after)
    assert converted.shape == expected.shape
    inside = slice(after // 20, -after // 20)
    np.testing.assert_allclose(converted[inside], expected[inside], atol=1e-3)


def test_mono_is_put_into_both_and_the_same_in_both_becomes_mono() -> None:
    mono = tones(16_000)[:, 0]
    both = conform(mono, 16_000, 16_000, 2)
    np.testing.assert_array_equal(both, np.stack([mono, mono], axis=1))
    np.testing.assert_array_equal(conform(both, 16_000, 16_000, 1), mono)


@pytest.mark.parametrize("shift", [0, 480, -480])
def test_a_delay_is_taken_out_of_both_channels(shift: int) -> None:
    audio = tones(48_000)
    moved = align(audio, shift / 48_000, 48_000, len(audio))
    assert moved.shape == audio.shape
    if shift >= 0:
        np.testing.assert_array_equal(moved[: len(audio) - shift], audio[shift:])
    else:
        np.testing.assert_array_equal(moved[-shift:], audio[:shift])
        assert not moved[:-shift].any()


def of_channels(*signals: NDArray[np.float32] | None) -> Recording:
    """A recording at 48 kHz with a signal in each channel, or silence."""
    channels = [np.zeros(4800, np.float32) if each is None else each for each in signals]
    return Recording(np.stack(channels, axis=1), 48_000, len(channels), 48_000, "WAV, PCM_16", 0.1, ())


VOICE = tones(48_000, 0.1)[:, 0]
MIXED = "6 channels mixed to stereo by ITU-R BS.775"


@pytest.mark.parametrize(
    ("recording", "said"),
    [
        (of_channels(None, None, VOICE, None, None, None), [MIXED]),
        (
            of_channels(None, None, None, VOICE, None, None),
            [f"{MIXED}, without the channel of low frequencies", "the recording is silent"],
        ),
        (of_channels(VOICE, VOICE), []),
        (of_channels(VOICE, None), []),
        (of_channels(None, None), []),
        (of_channels(VOICE, -VOICE), [CANCELS]),
        (of_channels(VOICE, -0.95 * VOICE), [CANCELS]),  # 32 dB less in mono
        (of_channels(VOICE, -0.9 * VOICE), []),  # 26 dB
    ],
    ids=["centre", "low frequencies", "twice", "left", "silent", "opposite", "nearly", "not quite"],
)
def test_what_is_lost_in_the_mix_is_said(recording: Recording, said: list[str]) -> None:
    assert list(working_copy(recording).notes) == said
