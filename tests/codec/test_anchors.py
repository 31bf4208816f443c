"""The anchors against the mask of BS.1534-3, measured on what the whole system does to a signal."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from codec import reference
from codec.reference import lowpass, lowpass_taps
from codec.registry import load
from tests.codec.speech import harvard_sentence

RATES = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000]
CUTOFFS = [("anchor35", 3500), ("anchor70", 7000)]


def response(cutoff: int, rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in Hz and gain in dB, from the measured impulse response."""
    impulse = np.zeros(16_384, dtype=np.float32)
    impulse[8192] = 1
    spectrum = np.abs(np.fft.rfft(lowpass(impulse, cutoff, rate).astype(np.float64), 1 << 17))
    return np.fft.rfftfreq(1 << 17, 1 / rate), 20 * np.log10(spectrum + 1e-9)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("slug", "cutoff"), CUTOFFS)
def test_mask(slug: str, cutoff: int, rate: int) -> None:
    frequencies, gain = response(cutoff, rate)
    assert np.abs(gain[frequencies <= cutoff]).max() <= 0.1
    for distance, attenuation in ((500, 25), (1000, 50)):
        above = gain[frequencies >= cutoff + distance]
        if cutoff + distance <= rate / 2:  # the Nyquist frequency itself counts
            assert above.max() <= -attenuation
        else:
            assert above.size == 0


def test_long_recordings_are_filtered_in_blocks_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, (20_000, 2)).astype(np.float32)
    whole = lowpass(noise, 3500, 48_000)
    monkeypatch.setattr(reference, "_BLOCK", 3_000)
    np.testing.assert_allclose(lowpass(noise, 3500, 48_000), whole, atol=1e-7)
    np.testing.assert_allclose(lowpass(noise[:, 1], 3500, 48_000), whole[:, 1], atol=1e-7)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("slug", "cutoff"), CUTOFFS)
def test_impulse_response_is_symmetric_about_the_impulse(slug: str, cutoff: int, rate: int) -> None:
    impulse = np.zeros(4001, dtype=np.float32)
    impulse[2000] = 0.9
    codec = load(slug, rate)
    decoded = codec.decode(codec.encode(impulse))
    assert np.argmax(np.abs(decoded)) == 2000
    assert np.array_equal(decoded, decoded[::-1])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("slug", "cutoff"), CUTOFFS)
def test_pass_band_goes_through_unchanged_up_to_both_ends(slug: str, cutoff: int, rate: int) -> None:
    """A tone that starts and stops at its peaks: early filters, lost samples and ringing all show."""
    time = np.arange(rate // 2 + 1) / rate
    tone = (0.5 * np.cos(2 * np.pi * 1000 * time)).astype(np.float32)
    codec = load(slug, rate)
    decoded = codec.decode(codec.encode(tone))
    assert decoded.size == tone.size
    middle = slice(rate // 20, -rate // 20)
    assert np.abs(decoded - tone)[middle].max() < 1e-3
    edge = rate // 200  # 5 ms
    for part in (slice(0, edge), slice(-edge, None)):
        energy = np.sum(decoded[part] ** 2) / np.sum(tone[part] ** 2)
        assert 0.9 < energy < 1.1
    assert np.abs(decoded).max() < 0.6


def test_constant_signal_keeps_its_level_at_the_ends() -> None:
    assert np.allclose(lowpass(np.full(500, 0.25, np.float32), 3500, 16_000), 0.25, atol=2e-4)


@pytest.mark.parametrize("size", [1, 2, 3, 10, 53, 54, 106, 107, 108])
def test_clips_shorter_than_the_filter(size: int) -> None:
    audio = np.full(size, 0.5, dtype=np.float32)
    assert np.allclose(lowpass(audio, 3500, 16_000), 0.5, atol=1e-3)


def test_nothing_to_remove_is_said() -> None:
    assert lowpass_taps(7000, 8000) is None
    codec = load("anchor70", 8000)
    audio = np.random.default_rng(1).uniform(-0.5, 0.5, 800).astype(np.float32)
    encoded = codec.encode(audio)
    assert encoded.parameters["filter"].startswith("none")
    assert np.abs(codec.decode(encoded) - audio).max() <= 0.5 / 32768 + 1e-7


def test_speech_loses_its_upper_band_and_keeps_its_lower_one() -> None:
    speech = harvard_sentence(0)
    codec = load("anchor35")
    decoded = codec.decode(codec.encode(speech))
    frequencies = np.fft.rfftfreq(speech.size, 1 / 16_000)
    before, after = (np.abs(np.fft.rfft(x.astype(np.float64))) ** 2 for x in (speech, decoded))
    low, high = frequencies < 3400, frequencies > 4600
    assert after[low].sum() == pytest.approx(before[low].sum(), rel=1e-3)
    assert after[high].sum() < 1e-3 * before[high].sum()
