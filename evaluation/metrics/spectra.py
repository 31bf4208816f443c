"""Distances that need no model of hearing: of waveforms, of spectra, of mel-cepstra.

All take float64 of reference and output, equally long and time-aligned, and their rate in Hz. Of several
channels, (samples, channels), the mean of their values is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.base import Note, gettext_noop

Samples = NDArray[np.floating[Any]]

#: SI-SDR of equal signals is infinite: it is stated up to this, dB, about what 16 bits can hold.
MOST_SI_SDR = 100.0

#: Frames in which the reference is this much below its loudest one, dB, do not count: pauses.
_PAUSE_DB = 50.0
#: Below the reference's loudest bin, dB, nothing is compared: it is not heard beside the rest.
_FLOOR_DB = 80.0
_MEL_BANDS, _CEPSTRA = 40, 24


Distance = Callable[[Samples, Samples, int, str], tuple[float | None, str]]


def _by_channel(distance: Distance) -> Distance:
    """`distance` of each channel in which the reference sounds, and their mean."""

    @wraps(distance)
    def mean(reference: Samples, degraded: Samples, rate: int, metric: str) -> tuple[float | None, str]:
        if reference.ndim == 1:
            return distance(reference, degraded, rate, metric)
        found = [distance(*pair, rate, metric) for pair in zip(reference.T, degraded.T, strict=True)]
        values = [value for value, _ in found if value is not None]
        return (float(np.mean(values)), "") if values else found[0]

    return mean


@_by_channel
def si_sdr(reference: Samples, degraded: Samples, rate: int, metric: str) -> tuple[float | None, str]:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019), dB; both without their means."""
    ours, theirs = reference - reference.mean(), degraded - degraded.mean()
    energy = float(ours @ ours)
    if not energy > 0:
        return None, Note(gettext_noop("the reference is constant"))
    target = (float(ours @ theirs) / energy) * ours
    noise = theirs - target
    signal, distortion = float(target @ target), float(noise @ noise)
    if not signal > 0:
        return -MOST_SI_SDR, ""
    value = 10 * np.log10(signal / max(distortion, signal * 10 ** (-MOST_SI_SDR / 10)))
    return float(max(value, -MOST_SI_SDR)), ""


@_by_channel
def log_spectral_distance(
    reference: Samples, degraded: Samples, rate: int, metric: str
) -> tuple[float | None, str]:
    """Root mean square difference of the spectra in dB over frequency, averaged over frames of 32 ms."""
    window = round(0.032 * rate)
    total, frames = 0.0, 0
    floor, quiet = _floors(reference, window)
    for ours, theirs in _spectra(reference, degraded, window):
        heard = ours.sum(axis=1) > quiet
        difference = 10 * np.log10(np.maximum(ours[heard], floor) / np.maximum(theirs[heard], floor))
        total += float(np.sqrt(np.mean(difference**2, axis=1)).sum())
        frames += int(heard.sum())
    return (total / frames, "") if frames else (None, Note(gettext_noop("there is no frame to compare")))


def mel_cepstral_distortion(
    reference: Samples, degraded: Samples, rate: int, metric: str
) -> tuple[float | None, str]:
    """Mel-cepstral distortion (Kubichek 1993), dB: of 24 cepstra without the first, which is the level.

    Cepstra are cosine transforms of the logarithmic amplitudes of 40 mel bands up to 8 kHz, in frames of
    32 ms, 8 ms apart.
    """
    window = round(0.032 * rate)
    bands = _mel_bands(window, rate)
    places = np.pi * (np.arange(_MEL_BANDS) + 0.5) / _MEL_BANDS
    cosines = np.cos(np.outer(places, np.arange(1, _CEPSTRA + 1))) / _MEL_BANDS
    total, frames = 0.0, 0
    floor, quiet = _floors(reference, window)
    for ours, theirs in _spectra(reference, degraded, window):
        heard = ours.sum(axis=1) > quiet
        logarithms = [0.5 * np.log(np.maximum(power[heard] @ bands, floor)) for power in (ours, theirs)]
        difference = (logarithms[0] - logarithms[1]) @ cosines
        total += float(np.sqrt(2 * np.sum(difference**2, axis=1)).sum())
        frames += int(heard.sum())
    if not frames:
        return None, Note(gettext_noop("there is no frame to compare"))
    return 10 / float(np.log(10)) * total / frames, ""


def _spectra(
    reference: Samples, degraded: Samples, window: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Power spectra of both, (frames, bins), some hundred frames at a time."""
    shape = np.hanning(window + 1)[:-1]
    framed = []
    for signal in (reference, degraded):
        padded = np.pad(signal, (0, max(0, window - signal.size)))
        framed.append(np.lib.stride_tricks.sliding_window_view(padded, window)[:: window // 4])
    for start in range(0, len(framed[0]), 512):
        ours, theirs = (np.abs(np.fft.rfft(each[start : start + 512] * shape)) ** 2 for each in framed)
        yield ours, theirs


def _floors(reference: Samples, window: int) -> tuple[float, float]:
    """The power of a bin below which nothing is compared, and of a frame below which it is a pause."""
    bins, frames = 0.0, 0.0
    for ours, _ in _spectra(reference, reference, window):
        bins, frames = max(bins, float(ours.max())), max(frames, float(ours.sum(axis=1).max()))
    return max(bins * 10 ** (-_FLOOR_DB / 10), 1e-20), frames * 10 ** (-_PAUSE_DB / 10)


def _mel_bands(window: int, rate: int) -> NDArray[np.float64]:
    """Triangles of equal width in mel (O'Shaughnessy) from 0 to 8 kHz, (bins, bands), each of sum 1."""
    highest = min(8000.0, rate / 2)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + highest / 700), _MEL_BANDS + 2) / 2595) - 1)
    bins = np.arange(window // 2 + 1) * rate / window
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    bands = np.maximum(0.0, np.minimum(rising, falling))
    # Below 300 Hz triangles may be narrower than a bin: they get the nearest one.
    for band in np.flatnonzero(bands.sum(axis=0) == 0):
        bands[int(np.argmin(np.abs(bins - edges[band + 1]))), band] = 1.0
    return np.asarray(bands / bands.sum(axis=0))
