"""Levels, offset and clipping of a recording's channels, measured block by block as it is read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Largest positive sample of each encoding that does not reach 1; at or above it a recording is at full scale.
_FULL_SCALES = {"ULAW": 32124 / 32768, "ALAW": 32256 / 32768, "PCM_U8": 127 / 128, "PCM_S8": 127 / 128}
_FULL_SCALE = 32767 / 32768
#: Full scale of integers that were stored as floating-point numbers without a division.
INTEGER_SCALES = (2**15, 2**23, 2**31)
# No sound is 24 dB above full scale; the scale of integers is.
_INTEGER_FROM = 16.0
# A scale may be exceeded by this much: by a filter, before someone stored the samples.
_EXCESS = 2.0
# An offset is looked for in stretches of this length; it has to be in all of them alike.
_STRETCH_SECONDS = 0.02
_SURE = 5.0  # times the standard error of the stretches' means
#: Offsets below -60 dB of full scale, and those that raise the level by less than 0.04 dB, stay.
_OFFSET = 0.001
_OFFSET_SHARE = 0.1
_STEP = 1 / 32768


class Measured:
    """What was read so far.

    Attributes:
        count: samples per channel.
        encoding: of the file, which says where full scale is; set by whoever reads.
    """

    def __init__(self) -> None:
        self.count = 0
        self.encoding = ""
        self._peak = self._sum = self._squares = np.zeros(0)
        self._means = self._mean_squares = np.zeros(0)
        self._stretches = 0
        self._full: dict[float, NDArray[np.int64]] = {}
        self._rest = np.zeros((0, 0), dtype=np.float32)

    def add(self, block: NDArray[np.float32], rate: int) -> None:
        """Take in a block of shape (samples, channels)."""
        channels = block.shape[1]
        if not self._peak.size:
            self._peak, self._sum, self._squares, self._means, self._mean_squares = np.zeros((5, channels))
            self._rest = np.zeros((0, channels), dtype=np.float32)
            levels = {1.0: _FULL_SCALE, **{float(scale): scale - 1.0 for scale in INTEGER_SCALES}}
            self._levels = {**{each: each for each in _FULL_SCALES.values()}, **levels}
            self._full = {name: np.zeros(channels, dtype=np.int64) for name in self._levels}
        magnitude = np.abs(block)
        peak = magnitude.max(axis=0, initial=0.0)
        for name, level in self._levels.items():
            if peak.max(initial=0.0) >= level:
                self._full[name] += np.count_nonzero(magnitude >= level, axis=0)
        self._peak = np.maximum(self._peak, peak)
        self.count += len(block)
        self._sum = self._sum + block.sum(axis=0, dtype=np.float64)
        # Of numbers near the largest float32 the square is none.
        self._squares = self._squares + np.square(block, dtype=np.float64).sum(axis=0)
        self._add_stretches(block, max(1, round(_STRETCH_SECONDS * rate)))

    def _add_stretches(self, block: NDArray[np.float32], size: int) -> None:
        joined = np.concatenate([self._rest, block]) if len(self._rest) else block
        number = len(joined) // size
        means = joined[: number * size].reshape(number, size, joined.shape[1]).mean(axis=1, dtype=np.float64)
        self._rest = joined[number * size :].copy()
        self._stretches += number
        self._means = self._means + means.sum(axis=0)
        self._mean_squares = self._mean_squares + np.square(means).sum(axis=0)

    @property
    def peak(self) -> float:
        """Largest magnitude of all channels, in the file's own scale."""
        return float(self._peak.max(initial=0.0))

    @property
    def scale(self) -> int:
        """What to divide samples by: 1, but for integers that were stored as floating-point numbers."""
        if self.encoding not in ("FLOAT", "DOUBLE") or self.peak < _INTEGER_FROM:
            return 1
        return next((scale for scale in INTEGER_SCALES if self.peak <= _EXCESS * scale), 1)

    @property
    def clipped(self) -> list[float]:
        """Share of samples at full scale, by channel."""
        if not self.count:
            return []
        level = _FULL_SCALES.get(self.encoding, float(self.scale))
        return [float(count) / self.count for count in self._full[level]]

    @property
    def offsets(self) -> list[float]:
        """How far each channel is off zero, in shares of full scale; 0 where it is not sure or not heard."""
        if self._stretches < 4:
            return [0.0] * self._sum.size
        mean = self._sum / self.count / self.scale
        deviation = np.sqrt(np.maximum(0, self._squares / self.count / self.scale**2 - mean**2))
        of_means = self._means / self._stretches
        spread = np.sqrt(np.maximum(0, self._mean_squares / self._stretches - of_means**2)) / self.scale
        error = spread / np.sqrt(self._stretches - 1)
        size = np.abs(mean)
        # Coarse quantizers leave a part of their step.
        smallest = 1 / 128 if self.encoding in ("PCM_U8", "PCM_S8") else _OFFSET
        matters = (size >= smallest) | (
            (size >= smallest * _STEP / _OFFSET) & (size >= _OFFSET_SHARE * deviation)
        )
        return [float(value) for value in np.where(matters & (size < 1) & (size > _SURE * error), mean, 0.0)]
