"""The noise floor under every sound: not heard, alike for all, and enough to hide 16 bits."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from codec.base import Audio
from codec.hearing import filter_bandwidth, threshold_in_quiet
from listening.study.floor import LISTENING_LEVEL, density, floor_noise, wav_with_floor
from listening.study.stimuli import SAMPLE_RATES

RATE = 16_000
PROGRAMME = -23.0  # LUFS


def noise(seconds: float, level: float = 0.1) -> Audio:
    return (level * np.random.default_rng(5).standard_normal(round(seconds * RATE))).astype(np.float32)


def decode(wav: bytes) -> tuple[np.ndarray, int]:
    return soundfile.read(io.BytesIO(wav), dtype="int16")


def excesses(steps: np.ndarray, rate: int, programme: float) -> np.ndarray:
    """Level in every auditory filter over the threshold in quiet, dB, of noise in steps of 16 bits."""
    window = np.hanning(steps.size)
    power = 2 * np.abs(np.fft.rfft(steps / 32768 * window)) ** 2 / steps.size / np.sum(window**2)
    frequencies = np.fft.rfftfreq(steps.size, 1 / rate)
    centres = np.geomspace(30, min(0.45 * rate, 16_000), 60)
    found = []
    for centre, width in zip(centres, filter_bandwidth(centres), strict=True):
        inside = np.abs(frequencies - centre) < width / 2
        full_scale = LISTENING_LEVEL - programme  # dB SPL
        found.append(10 * np.log10(power[inside].sum()) + full_scale)
    return np.array(found) - threshold_in_quiet(centres)


@pytest.mark.parametrize(
    ("rate", "programme"), [*((rate, PROGRAMME) for rate in SAMPLE_RATES), (RATE, -35.0), (RATE, -12.0)]
)
def test_the_floor_cannot_be_heard(rate: int, programme: float) -> None:
    seconds = 8
    quiet = floor_noise(seconds * rate, 1, rate, b"k", -50.0)[:, 0]
    floor = floor_noise(seconds * rate, 1, rate, b"k", programme)[:, 0]
    # What follows the programme stays 10 dB below the threshold, but for chance.
    shaped = (floor - quiet) / (1 - 10 ** ((-50 - programme) / 20))
    assert excesses(shaped, rate, programme).max() < -8.5
    # With what 16 bits bring there is no more than triangular dither has where hearing is keenest.
    rounding = np.random.default_rng(1).uniform(-0.5, 0.5, floor.size)
    triangular = np.random.default_rng(2).triangular(-1, 0, 1, floor.size) + rounding
    with_rounding = excesses(floor + rounding, rate, programme)
    assert (with_rounding < np.maximum(excesses(triangular, rate, programme), -4.5)).all()
    if programme >= PROGRAMME and rate >= RATE:
        assert with_rounding.max() < -2.5


def test_the_floor_is_far_below_what_anchors_may_leave() -> None:
    """The mask of an anchor goes to 50 dB below its passband, whose level is that of the programme."""
    frequencies = np.geomspace(4000, 24_000, 200)
    passband = -10 * np.log10(3500)  # the programme's power per Hz
    assert (density(frequencies) < passband - 59).all()
    # All of it is 30 dB and more below the programme.
    grid = np.arange(0, 24_000, 0.5)
    assert 10 * np.log10(np.sum(10 ** (density(grid) / 10)) * 0.5) < -34


def test_rounding_does_not_depend_on_the_sound() -> None:
    """Its error is white and uniform over a step: nothing of the sound's own steps is left."""
    silence, sound = np.zeros(8 * RATE, np.float32), noise(8.0)
    stepped = (np.rint(sound * 8000) / 8000).astype(np.float32)
    for programme in (-40.0, PROGRAMME):
        floor = floor_noise(8 * RATE, 1, RATE, b"1", programme)[:, 0].astype(np.float64)
        for audio in (silence, stepped, sound):
            decoded, rate = decode(wav_with_floor(audio, RATE, b"1", programme))
            assert rate == RATE
            error = decoded - (audio.astype(np.float64) * 32767 + floor)
            assert error.var() == pytest.approx(1 / 12, rel=0.02)
            for lag in (1, 2, 3):
                assert abs(np.corrcoef(error[lag:], error[:-lag])[0, 1]) < 0.01
            if audio is not silence:
                assert abs(np.corrcoef(error, audio)[0, 1]) < 0.01


@pytest.mark.parametrize("channels", [1, 2])
def test_equal_sounds_have_unequal_bytes_but_equal_size_and_header(channels: int) -> None:
    audio = noise(1.0) if channels == 1 else np.stack([noise(1.0)] * 2, axis=1)
    sounds = (audio, audio, np.zeros_like(audio))
    files = [wav_with_floor(sound, RATE, bytes([key]), PROGRAMME) for key, sound in enumerate(sounds)]
    assert files[0] == wav_with_floor(audio, RATE, bytes([0]), PROGRAMME)
    assert len({file[:44] for file in files}) == 1
    assert {len(file) for file in files} == {44 + 2 * RATE * channels}
    assert len(set(files)) == 3
    assert np.mean(decode(files[0])[0] == decode(files[1])[0]) < 0.05


def test_the_floor_is_another_in_each_channel_and_under_each_key() -> None:
    floors = [
        channel for key in (b"1", b"2") for channel in floor_noise(60 * RATE, 2, RATE, key, PROGRAMME).T
    ]
    levels = [float(np.std(floor)) for floor in floors]
    assert max(levels) < 1.15 * min(levels)
    for one, other in pairwise([*floors, floors[0]]):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.1
    # In stereo, in which two channels sound, each has half of the power.
    mono = floor_noise(60 * RATE, 1, RATE, b"3", PROGRAMME)
    assert float(np.mean(levels)) == pytest.approx(float(mono.std()) / np.sqrt(2), rel=0.1)


def test_the_floor_follows_the_programme_within_limits() -> None:
    levels = [
        float(floor_noise(10 * RATE, 1, RATE, b"1", loudness).std())
        for loudness in (float("-inf"), -70.0, -50.0, None, -40.0, -20.0, -10.0, 0.0)
    ]
    assert levels[1] == levels[2]
    assert levels[0] == levels[3] == levels[4]  # not known: as for a quiet programme
    assert levels[5] / levels[4] == pytest.approx(10, rel=0.05)
    assert levels[6] == levels[7]


def test_the_floor_begins_and_ends_without_a_click() -> None:
    floor = floor_noise(2 * RATE, 1, RATE, b"1", PROGRAMME)[:, 0]
    # At both ends there is only the white part, of one step; a millisecond later not much more.
    assert np.abs(floor[[0, -1]]).max() <= 0.5
    assert np.abs(np.diff(floor)[:16]).max() < np.abs(np.diff(floor)[RATE // 2 : RATE]).max()


def test_full_scale_does_not_wrap() -> None:
    square = np.where(np.arange(RATE) % 100 < 50, 1.0, -1.0).astype(np.float32)
    decoded, _ = decode(wav_with_floor(square, RATE, b"3", 0.0))
    assert (np.sign(decoded) == np.sign(square)).all()


def test_an_excerpt_longer_than_the_long_noise_has_it_throughout() -> None:
    floor = floor_noise((1 << 20) + 5 * RATE, 1, RATE, b"1", PROGRAMME)[:, 0]
    levels = [float(part.std()) for part in np.array_split(floor, 10)]
    assert max(levels) < 1.5 * min(levels)
