"""No score outside the recordings for which a metric is made, and a reason instead."""

from __future__ import annotations

import numpy as np
import pytest

from codec.audio import from_pcm16, resample, to_pcm16
from codec.base import Note
from codec.reference import lowpass
from evaluation.metrics import METRICS
from evaluation.metrics.domain import Heard, count_channels, measure_bandwidth
from evaluation.work.pipeline import Measured, heard_by, measure, recording_of
from tests.codec.speech import harvard_sentence

RATE = 16_000


def telephone() -> np.ndarray:
    """Speech recorded at 8 kHz, in a file at 16 kHz with 16 bits, as a clip is."""
    narrow = from_pcm16(to_pcm16(resample(harvard_sentence(0), RATE, 8_000)))
    return from_pcm16(to_pcm16(resample(narrow, 8_000, RATE)))


def test_wide_band_pesq_of_a_recording_at_8_khz_is_not_computed() -> None:
    """Of it the 3.5 kHz anchor loses nothing, and had 4.64 of 4.64."""
    reference = telephone()
    found = measure(reference, lowpass(reference, 3500, RATE), RATE, "pesq_wb")
    assert found.value is None
    assert found.note == "the recording ends at 3.9 kHz; PESQ-WB needs one that goes beyond 5 kHz"
    assert isinstance(found.note, Note)  # it can be shown in another language
    narrow = measure(reference, lowpass(reference, 3500, RATE), RATE, "pesq_nb")
    assert narrow.value is not None


@pytest.mark.parametrize("index", range(0, 8, 2))
def test_bandwidth_of_speech(index: int) -> None:
    speech = harvard_sentence(index)
    assert measure_bandwidth(speech, RATE) > 6500
    assert measure_bandwidth(0.1 * speech, RATE) > 6500
    for cutoff in (3000, 5000):
        limited = from_pcm16(to_pcm16(lowpass(speech, cutoff, RATE)))
        assert measure_bandwidth(limited, RATE) == pytest.approx(cutoff + 250, abs=450)


def test_bandwidth_of_other_signals() -> None:
    time = np.arange(RATE) / RATE
    assert measure_bandwidth(np.zeros(RATE), RATE) == 0
    assert measure_bandwidth(0.5 * np.sin(2 * np.pi * 1000 * time), RATE) == pytest.approx(1000, abs=50)
    assert measure_bandwidth(np.random.default_rng(0).normal(size=100), RATE) > 7000


def score(metric: str, reference: np.ndarray, output: np.ndarray, speech: bool = True) -> Measured:
    """A metric of a recording at 48 kHz and an output at 16 kHz."""
    heard = recording_of(reference, 48_000, speech)
    return measure(*heard_by(metric, reference, 48_000, output, RATE), metric, heard)


HEARD = Heard(16_000, 1, 5.0, True, 7500)
OUTSIDE = {
    "music": (Heard(48_000, 1, 5.0, False, 20_000), "judges speech only"),
    "stereo": (Heard(48_000, 2, 5.0, True, 20_000), "compares 1 channel; the recording has 2"),
    "8 kHz": (Heard(8_000, 1, 5.0, True, 3900), "needs"),
    "short": (Heard(16_000, 1, 0.02, True, 7500), "too short"),
    "narrow": (Heard(16_000, 1, 5.0, True, 3600), "goes beyond"),
}


@pytest.mark.parametrize("slug", [slug for slug, metric in METRICS.items() if metric.computed])
def test_every_metric_has_a_domain_with_words(slug: str) -> None:
    metric = METRICS[slug]
    assert metric.domain.usual
    assert metric.target
    assert callable(metric.load()) or metric.missing
    if slug != "visqol_audio":
        assert metric.domain.exclude(metric.title, HEARD) is None


@pytest.mark.parametrize("kind", OUTSIDE)
@pytest.mark.parametrize("slug", ["pesq_wb", "visqol", "dnsmos_ovrl", "plcmos", "distillmos"])
def test_wide_band_metrics_of_speech_say_why_they_do_not_judge(slug: str, kind: str) -> None:
    heard, reason = OUTSIDE[kind]
    said = METRICS[slug].domain.exclude(METRICS[slug].title, heard)
    assert said is not None
    assert reason in said
    assert METRICS[slug].title in said


@pytest.mark.parametrize("slug", ["lsd", "si_sdr"])
def test_distances_judge_any_sound(slug: str) -> None:
    heard = Heard(44_100, 2, 5.0, False, 18_000)
    assert METRICS[slug].domain.exclude(slug, heard) is None


def test_stereo_with_equal_sides_is_mono() -> None:
    speech = harvard_sentence(1)
    assert count_channels(np.stack([speech, speech], axis=1)) == 1
    assert count_channels(np.stack([speech, 0.9 * speech], axis=1)) == 2
    both = resample(np.stack([speech, speech], axis=1), RATE, 48_000)
    assert score("stoi", both, speech).value == pytest.approx(1, abs=0.01)
    sides = np.stack([both[:, 0], np.zeros(len(both), np.float32)], axis=1)
    found = score("stoi", sides, speech)
    assert found.value is None
    assert "has 2" in found.note
    assert score("stoi", both, speech, speech=False).note == "STOI judges speech only"
