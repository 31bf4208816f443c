"""Intervals of a mean: Student's t, and the bias-corrected and accelerated bootstrap (Efron 1987)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtrit

from evaluation.analysis.statistics.frames import Floats

#: Resamples drawn at once take no more memory than about this many numbers.
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Interval:
    """Bounds of a figure, in its unit; `method` says how they were found and over what."""

    low: float
    high: float
    method: str

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def half_width(values: ArrayLike, confidence: float = 0.95) -> float:
    """Half the width of Student's t interval of the mean of `values`, shape (n,); NaN if n < 2."""
    array = np.asarray(values, dtype=float)
    if array.size < 2:
        return math.nan
    return float(stdtrit(array.size - 1, (1 + confidence) / 2) * array.std(ddof=1) / math.sqrt(array.size))


def t_interval(values: ArrayLike, over: str, confidence: float = 0.95) -> Interval | None:
    """Student's t interval of the mean of `values`, shape (n,); None if n < 2. `over` names the unit of n."""
    array = np.asarray(values, dtype=float)
    if array.size < 2:
        return None
    half, mean = half_width(array, confidence), float(array.mean())
    return Interval(mean - half, mean + half, f"{100 * confidence:g} % t interval over {array.size} {over}")


def bca_interval(
    values: ArrayLike, over: str, confidence: float = 0.95, resamples: int = 9999, seed: int = 0
) -> Interval | None:
    """BCa bootstrap interval of the mean of `values`, shape (n,); None if n < 3 or all values are equal.

    The same values in any order, with the same seed and number of resamples, give the same interval.
    """
    array = np.sort(np.asarray(values, dtype=float))
    n = array.size
    if n < 3 or resamples < 1 or np.ptp(array) == 0:
        return None
    means = _resampled_means(array, resamples, seed)
    mean = array.mean()
    below = ((means < mean).sum() + 0.5 * (means == mean).sum()) / resamples
    bias = ndtri(min(max(below, 0.5 / resamples), 1 - 0.5 / resamples))
    apart = (array.sum() - array) / (n - 1)
    apart = apart.mean() - apart
    acceleration = (apart**3).sum() / (6 * (apart**2).sum() ** 1.5)
    z = bias + ndtri(np.array([(1 - confidence) / 2, (1 + confidence) / 2]))
    low, high = np.quantile(means, ndtr(bias + z / (1 - acceleration * z)))
    method = f"{100 * confidence:g} % BCa bootstrap over {n} {over}, {resamples} resamples, seed {seed}"
    return Interval(float(low), float(high), method)


def _resampled_means(array: Floats, resamples: int, seed: int) -> Floats:
    generator = np.random.default_rng([seed, array.size, resamples])
    step = max(1, _CHUNK // array.size)
    parts = [
        array[generator.integers(0, array.size, (min(step, resamples - start), array.size))].mean(axis=1)
        for start in range(0, resamples, step)
    ]
    return np.concatenate(parts)
