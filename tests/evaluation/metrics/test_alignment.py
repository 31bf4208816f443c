"""Delays are measured on what every codec keeps, and no codec of ours raises a false alarm."""

from __future__ import annotations

import numpy as np
import pytest

from codec import registry
from codec.audio import resample
from codec.base import CodecUnavailable
from codec.bpgan.system import BPGAN
from codec.registry import SYSTEMS
from evaluation.metrics.alignment import LEAST_CERTAINTY, delay_of, track_delay
from evaluation.work.pipeline import process
from listening.study.stimuli import DELAY_LIMIT_MS
from tests.codec.speech import harvard_sentence
from tests.evaluation.conftest import make_speech
from tests.rows import KINDS, some

RATE = 16_000


def shifted(audio: np.ndarray, samples: int) -> np.ndarray:
    if samples >= 0:
        return np.concatenate([np.zeros(samples, np.float32), audio])[: audio.size]
    return np.concatenate([audio[-samples:], np.zeros(-samples, np.float32)])


@pytest.mark.parametrize("slug", some(SYSTEMS, lambda slug: slug in KINDS - {"bpgan-2k"}))
def test_every_system_is_aligned_on_real_speech_and_a_shift_is_found(
    slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate, _ = registry.get_system(slug).takes.fit(RATE, 1)
    speech = resample(np.concatenate([harvard_sentence(0), harvard_sentence(3)]), RATE, rate)
    try:
        if isinstance(codec := registry.load(slug, rate), BPGAN):
            monkeypatch.setattr(codec, "search", "instant")  # what is sent differs, not when it sounds
        audio = process(speech, slug, rate).audio
    except CodecUnavailable as error:
        pytest.skip(str(error))
    found = delay_of(speech, audio, rate)
    assert found.seconds is not None
    assert abs(1000 * found.seconds) < DELAY_LIMIT_MS / 2
    for milliseconds in (-60, 25, 200):
        late = delay_of(speech, shifted(audio, rate * milliseconds // 1000), rate)
        assert late.seconds is not None
        assert 1000 * late.seconds == pytest.approx(1000 * found.seconds + milliseconds, abs=2)
        assert late.at_zero < late.certainty
    assert not track_delay(speech, audio, rate).changes, "no codec's delay changes from second to second"
    if not slug.startswith("codec2"):  # its envelopes are too rough for a second at a time
        half = speech.size // 2
        later = track_delay(
            speech, np.concatenate([audio[:half], np.zeros(rate // 20, np.float32), audio[half:]]), rate
        )
        assert [1000 * each.delay for each in later.stretches] == pytest.approx([0, 50], abs=3)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_a_delay_is_found_at_every_rate_to_a_fraction_of_a_millisecond(rate: int) -> None:
    speech = make_speech(2.0, rate)
    found = delay_of(speech, shifted(speech, round(0.0123 * rate)), rate)
    assert found.seconds == pytest.approx(0.0123, abs=3e-4)


@pytest.mark.parametrize(
    "other",
    [
        np.zeros(2 * RATE, np.float32),
        np.zeros(0, np.float32),
        make_speech(0.05),
        (0.1 * np.random.default_rng(1).standard_normal(2 * RATE)).astype(np.float32),
        np.full(2 * RATE, 0.5, np.float32),
    ],
)
def test_where_nothing_can_be_told_nothing_is_told(other: np.ndarray) -> None:
    found = delay_of(make_speech(2.0), other, RATE)
    assert found.seconds is None
    assert found.certainty < LEAST_CERTAINTY


def test_another_length_is_no_hindrance() -> None:
    speech = make_speech(2.0)
    assert delay_of(speech, speech[: RATE + 5000], RATE).seconds == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("samples", [-1600, -160, 160, 800, 1600, 4800])
@pytest.mark.parametrize("index", [0, 4, 7])
def test_a_delay_that_changes_is_found_where_it_changes(index: int, samples: int) -> None:
    speech = np.concatenate([harvard_sentence(index), harvard_sentence(1)])
    half = speech.size // 2
    if samples > 0:
        other = np.concatenate([speech[:half], np.zeros(samples, np.float32), speech[half:]])
    else:
        other = np.concatenate([speech[:half], speech[half - samples :]])
    before, after = track_delay(speech, other[: speech.size], RATE).stretches
    assert before.delay == pytest.approx(0, abs=0.001)
    assert after.delay == pytest.approx(samples / RATE, abs=0.002)
    assert before.end - 0.5 < half / RATE < after.start + 0.5


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_a_delay_that_stays_does_not_change(rate: int) -> None:
    speech = resample(harvard_sentence(2), RATE, rate)
    (only,) = track_delay(speech, shifted(speech, rate // 10), rate).stretches
    assert only.delay == pytest.approx(0.1, abs=0.001)
    for other in (np.zeros_like(speech), speech[: rate // 10]):
        assert not track_delay(speech, other, rate).changes
        assert not track_delay(other, speech, rate).changes
