"""Measures the delay of one signal against another; works for vocoders, too.

Waveforms cannot be compared after a vocoder, which does not keep phase, and a low-passed waveform correlates
with itself over a millisecond. Every system keeps the times at which the energy of each band rises and
falls, so the logarithmic band energies of 16 ms frames, one per millisecond, are correlated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codec.audio import resample
from codec.base import WORKING_RATE, Audio

#: Largest delay that is searched for, seconds.
MAX_DELAY = 0.5
#: Below this correlation of the envelopes (too short, stationary, silent, another sound) no delay is given.
LEAST_CERTAINTY = 0.4

_WINDOW = 256  # samples at 16 kHz: 16 ms
_HOP = 16  # 1 ms
_BANDS = np.geomspace(200, 3400, 17)  # Hz: what narrow-band codecs keep
_FLOOR_DB = 45.0  # below a band's loudest frame: what codecs do in pauses does not matter
_RISE = 10  # frames over which rise and fall are taken


@dataclass(frozen=True)
class Delay:
    """How late a signal is.

    Attributes:
        seconds: > 0 if it is later than the reference, accurate to about a millisecond; None if unknown.
        certainty: correlation of the envelopes at that delay, at most 1.
        at_zero: correlation without a delay.
    """

    seconds: float | None
    certainty: float
    at_zero: float


def delay_of(reference: Audio, degraded: Audio, rate: int, max_seconds: float = MAX_DELAY) -> Delay:
    """Measure how late `degraded` is against `reference`, both (samples,) at `rate` Hz, of any length."""
    ours, theirs = _changes(reference, rate), _changes(degraded, rate)
    if ours.shape[0] < 50 or theirs.shape[0] < 50:  # 50 ms of frames
        return Delay(None, 0.0, 0.0)
    size = ours.shape[0] + theirs.shape[0]
    spectra = np.conj(np.fft.rfft(ours, size, axis=0)) * np.fft.rfft(theirs, size, axis=0)
    correlation = np.fft.irfft(spectra.sum(axis=1), size)
    energy = np.sqrt(np.sum(ours**2) * np.sum(theirs**2))
    if not energy > 0:
        return Delay(None, 0.0, 0.0)
    reach = min(round(max_seconds * 1000), min(ours.shape[0], theirs.shape[0]) - 1)
    lags = np.arange(-reach, reach + 1)
    values = correlation[lags] / energy
    best = int(np.argmax(values))
    certainty, at_zero = float(values[best]), float(values[reach])
    if certainty < LEAST_CERTAINTY:
        return Delay(None, certainty, at_zero)
    fraction = 0.0
    if 0 < best < values.size - 1:
        before, peak, after = values[best - 1 : best + 2]
        bend = before - 2 * peak + after
        fraction = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return Delay((float(lags[best]) + float(fraction)) / 1000, certainty, at_zero)


def _changes(audio: Audio, rate: int) -> NDArray[np.float64]:
    """Change of the energy in each band, dB, (frames, bands), one frame per millisecond."""
    signal = resample(np.asarray(audio, dtype=np.float32), rate, WORKING_RATE).astype(np.float64)
    frames = (signal.size - _WINDOW) // _HOP + 1
    bands = _BANDS.size - 1
    if frames <= _RISE:
        return np.zeros((0, bands))
    power = np.empty((frames, bands))
    edges = np.round(_BANDS / WORKING_RATE * _WINDOW).astype(int)
    window = np.hanning(_WINDOW)
    framed = np.lib.stride_tricks.sliding_window_view(signal, _WINDOW)[::_HOP]
    for start in range(0, frames, 4096):  # bounds memory
        spectrum = np.abs(np.fft.rfft(framed[start : start + 4096] * window)) ** 2
        for band in range(bands):
            low, high = edges[band], max(edges[band] + 1, edges[band + 1])
            power[start : start + 4096, band] = spectrum[:, low:high].sum(axis=1)
    loudest = power.max(axis=0)
    floor = np.maximum(loudest * 10 ** (-_FLOOR_DB / 10), 1e-12)
    level = 10 * np.log10(np.maximum(power, floor))
    return np.asarray(level[_RISE:] - level[:-_RISE])
