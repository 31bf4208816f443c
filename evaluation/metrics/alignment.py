"""Measures the delay of one signal against another; works for vocoders, too.

Waveforms cannot be compared after a vocoder, which does not keep phase, and a low-passed waveform correlates
with itself over a millisecond. Every system keeps the times at which the energy of each band rises and
falls, so the logarithmic band energies of 16 ms frames, one per millisecond, are correlated.
"""

from __future__ import annotations

from collections.abc import Sequence
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

#: Of a delay that changes: length of the windows in which it is measured, and their distance, seconds.
WINDOW_SECONDS, STEP_SECONDS = 1.0, 0.125
#: Smallest change, seconds; the envelopes of vocoders waver by up to half of it from second to second.
LEAST_CHANGE = 0.008
#: A change counts only where another delay than the usual one raises the correlation by this much.
_BETTER = 0.08
#: Correlation of a window below which its delay is unknown.
_LEAST_CERTAINTY_NEAR = 0.5
#: A window with a smaller share of change than this of the average is a pause.
_PAUSE = 0.1


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


@dataclass(frozen=True)
class Stretch:
    """Windows with the same delay: middles of the first and the last, and the delay, seconds."""

    start: float
    end: float
    delay: float


@dataclass(frozen=True)
class Track:
    """How late a signal is from second to second.

    Attributes:
        seconds: middles of the windows, in the reference.
        delays: in each; None in pauses and where it is unknown.
        stretches: of equal delay, in order; a single one if the delay stays the same, none if it is unknown.
    """

    seconds: tuple[float, ...]
    delays: tuple[float | None, ...]
    stretches: tuple[Stretch, ...]

    @property
    def changes(self) -> bool:
        return len(self.stretches) > 1


def track_delay(reference: Audio, degraded: Audio, rate: int, max_seconds: float = MAX_DELAY) -> Track:
    """Measure how late `degraded` is in every window of a second; both as for `delay_of`.

    A second sentence that comes later than the first, a gap, or a piece that is missing shows as stretches of
    different delays, which no shift of the whole signal can correct.
    """
    ours, theirs = _changes(reference, rate), _changes(degraded, rate)
    length, step = round(WINDOW_SECONDS * 1000), round(STEP_SECONDS * 1000)
    reach = round(max_seconds * 1000)
    length = min(length, ours.shape[0] // 2)
    if length < 200:
        return Track((), (), ())
    usual = float(np.mean(np.sum(ours**2, axis=1)))
    padded = np.pad(theirs, ((reach, reach + max(0, ours.shape[0] - theirs.shape[0])), (0, 0)))
    energies = np.concatenate([[0.0], np.cumsum(np.sum(padded**2, axis=1))])
    starts = range(0, ours.shape[0] - length + 1, step)
    correlations: list[NDArray[np.float64] | None] = []
    for start in starts:
        window, around = ours[start : start + length], padded[start : start + length + 2 * reach]
        energy = float(np.sum(window**2))
        if not energy > _PAUSE * usual * length or around.shape[0] < length:
            correlations.append(None)
            continue
        size = length + around.shape[0]
        spectra = np.conj(np.fft.rfft(window, size, axis=0)) * np.fft.rfft(around, size, axis=0)
        products = np.fft.irfft(spectra.sum(axis=1), size)[: around.shape[0] - length + 1]
        there = (
            energies[start + length : start + length + products.size]
            - energies[start : start + products.size]
        )
        correlations.append(products / np.sqrt(energy * np.maximum(there, 0.05 * energy)))
    return _track(correlations, [(start + length / 2 + _RISE) / 1000 for start in starts], reach)


def _track(correlations: Sequence[NDArray[np.float64] | None], middles: Sequence[float], reach: int) -> Track:
    """The track of windows whose correlations at lags from -`reach` ms are given."""
    lags: list[int | None] = []
    for values in correlations:
        best = None if values is None else int(np.argmax(values))
        sure = values is not None and best is not None and values[best] >= _LEAST_CERTAINTY_NEAR
        lags.append(best if sure else None)
    known = [lag for lag in lags if lag is not None]
    delays = tuple(None if lag is None else (lag - reach) / 1000 for lag in lags)
    if not known:
        return Track(tuple(middles), delays, ())
    least = round(1000 * LEAST_CHANGE)
    runs: list[list[int]] = []  # of windows that agree with each other, each longer than one
    for place, lag in enumerate(lags):
        if lag is None:
            continue
        if runs and abs(lag - _median(lags, runs[-1])) < least:
            runs[-1].append(place)
        else:
            runs.append([place])
    runs = [run for run in runs if len(run) > 1]
    kept: list[list[int]] = []
    for run in runs:
        if kept and not _differ(correlations, lags, kept[-1], run, least):
            kept[-1] = kept[-1] + run
        else:
            kept.append(run)
    if not kept:
        kept = [[place for place, lag in enumerate(lags) if lag is not None]]
    stretches = tuple(
        Stretch(middles[run[0]], middles[run[-1]], (_median(lags, run) - reach) / 1000) for run in kept
    )
    return Track(tuple(middles), delays, stretches)


def _median(lags: Sequence[int | None], run: Sequence[int]) -> float:
    return float(np.median([lag for place in run if (lag := lags[place]) is not None]))


def _differ(
    correlations: Sequence[NDArray[np.float64] | None],
    lags: Sequence[int | None],
    before: Sequence[int],
    after: Sequence[int],
    least: int,
) -> bool:
    """Whether the delays of two runs differ, and each fits its own clearly better than the other's."""
    ours, theirs = _median(lags, before), _median(lags, after)
    if abs(ours - theirs) < least:
        return False
    for run, own, other in ((before, ours, theirs), (after, theirs, ours)):
        gains = [
            float(values[round(own)] - values[max(0, round(other) - 2) : round(other) + 3].max())
            for place in run
            if (values := correlations[place]) is not None
        ]
        if np.median(gains) < _BETTER:
            return False
    return True


def delay_of(reference: Audio, degraded: Audio, rate: int, max_seconds: float = MAX_DELAY) -> Delay:
    """Measure how late `degraded` is against `reference`, both at `rate` Hz, of any length.

    Both are (samples,) or (samples, channels); the energies of several channels are added.
    """
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
    signals = resample(np.asarray(audio, dtype=np.float32), rate, WORKING_RATE).astype(np.float64)
    frames = (len(signals) - _WINDOW) // _HOP + 1
    bands = _BANDS.size - 1
    if frames <= _RISE:
        return np.zeros((0, bands))
    power = np.zeros((frames, bands))
    edges = np.round(_BANDS / WORKING_RATE * _WINDOW).astype(int)
    window = np.hanning(_WINDOW)
    for signal in signals[np.newaxis] if signals.ndim == 1 else signals.T:
        framed = np.lib.stride_tricks.sliding_window_view(signal, _WINDOW)[::_HOP]
        for start in range(0, frames, 4096):  # bounds memory
            spectrum = np.abs(np.fft.rfft(framed[start : start + 4096] * window)) ** 2
            for band in range(bands):
                low, high = edges[band], max(edges[band] + 1, edges[band + 1])
                power[start : start + 4096, band] += spectrum[:, low:high].sum(axis=1)
    loudest = power.max(axis=0)
    floor = np.maximum(loudest * 10 ** (-_FLOOR_DB / 10), 1e-12)
    level = 10 * np.log10(np.maximum(power, floor))
    return np.asarray(level[_RISE:] - level[:-_RISE])
