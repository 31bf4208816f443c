"""Distances against values worked out by hand, and talker similarity on real voices."""

from __future__ import annotations

import numpy as np
import pytest
from pystoi import stoi

from evaluation.metrics import METRICS
from evaluation.work.pipeline import measure
from tests.codec.speech import harvard_sentence

RATE = 16_000
SPEECH = harvard_sentence(0)
NOISE = np.random.default_rng(3).standard_normal(SPEECH.size)


def value(metric: str, reference: np.ndarray, degraded: np.ndarray) -> float:
    found = measure(reference, degraded, RATE, metric)
    assert found.value is not None, found.note
    assert found.version == METRICS[metric].version != ""
    return found.value


@pytest.mark.parametrize("decibel", [-6.0, 0.0, 3.0, 20.0])
def test_si_sdr_is_the_ratio_of_signal_and_noise_at_any_level(decibel: float) -> None:
    """Noise made orthogonal to the speech, so that the ratio is exact."""
    clean = (SPEECH - SPEECH.mean()).astype(np.float64)
    noise = NOISE - NOISE.mean()
    noise -= clean * (noise @ clean) / (clean @ clean)
    noise *= np.sqrt((clean @ clean) / (noise @ noise)) * 10 ** (-decibel / 20)
    for gain in (1.0, 0.1):
        assert value("si_sdr", clean, gain * (clean + noise)) == pytest.approx(decibel, abs=1e-6)
    assert value("si_sdr", clean, -clean) == 100
    assert value("si_sdr", clean, noise) == -100


def test_log_spectral_distance_of_a_gain_is_the_gain() -> None:
    assert value("lsd", SPEECH, SPEECH) == 0
    # The floor, 80 dB below the loudest, keeps what is not heard out of it.
    loud = NOISE * 0.1
    assert value("lsd", loud, loud / 2) == pytest.approx(20 * np.log10(2), abs=0.01)
    assert 5 < value("lsd", SPEECH, SPEECH / 2) < 6.02
    stereo = np.stack([loud, loud], axis=1)
    halved = stereo * [1.0, 0.5]
    assert value("lsd", stereo, halved) == pytest.approx(10 * np.log10(2), abs=0.01)


def test_mel_cepstral_distortion_of_a_tilt_is_what_kubichek_defines() -> None:
    assert value("mcd", SPEECH, SPEECH) == 0
    assert value("mcd", NOISE, 0.25 * NOISE) == pytest.approx(0, abs=1e-3)
    # A filter whose logarithmic amplitude is g cos(pi m), m: mel from 0 to 1. Only the first cepstrum
    # differs, by g / 2, so that the distortion is 10 / ln 10 * sqrt(2) * g / 2.
    frequencies = np.fft.rfftfreq(NOISE.size, 1 / RATE)
    mel = np.log10(1 + frequencies / 700) / np.log10(1 + 8000 / 700)
    gain = 0.4
    filtered = np.fft.irfft(np.fft.rfft(NOISE) * np.exp(gain * np.cos(np.pi * mel)), NOISE.size)
    expected = 10 / np.log(10) * np.sqrt(2) * gain / 2
    assert value("mcd", NOISE, filtered) == pytest.approx(expected, rel=0.08)


def test_estoi_is_that_of_pystoi() -> None:
    noisy = (SPEECH + 0.02 * NOISE).astype(np.float32)
    assert value("estoi", SPEECH, noisy) == pytest.approx(stoi(SPEECH, noisy, RATE, extended=True), abs=1e-6)
    assert value("estoi", SPEECH, noisy) < value("stoi", SPEECH, noisy)


def test_talkers_are_told_apart() -> None:
    """Two sentences of each of four talkers: the same talker is nearer than any other."""
    if missing := METRICS["talker"].missing:
        pytest.skip(missing)
    assert value("talker", SPEECH, SPEECH) == pytest.approx(1, abs=1e-6)
    assert value("talker", SPEECH, 0.1 * SPEECH) == pytest.approx(1, abs=1e-3)
    ours = [harvard_sentence(index)[:24_000] for index in range(8)]
    for talker in range(4):
        first = ours[2 * talker]
        same = value("talker", first, ours[2 * talker + 1][: first.size])
        others = [value("talker", first, ours[2 * other + 1][: first.size]) for other in range(4)]
        assert same == max(others)
        assert same > 0.6
        assert sorted(others)[-2] < same - 0.05
    assert measure(SPEECH[:8000], SPEECH[:8000], RATE, "talker").value is None
