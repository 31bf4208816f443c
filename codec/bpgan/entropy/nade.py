"""A small autoregressive network in integers: everything decoded so far informs the next symbol.

This is the neural autoregressive distribution estimator (H. Larochelle & I. Murray, "The neural
autoregressive distribution estimator", AISTATS 2011), conditioned on the preceding frames. The hidden layer
starts from the past of all channels; each symbol of the present frame, once known, adds its row to it; an
output layer per channel reads it. All numbers are integers and every sum is exact in 32 bits, so every
machine computes the same frequencies: nothing is ever rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from codec.base import CodecError, gettext_noop
from codec.bpgan.entropy.base import TOTAL, Arrays, ContextModel, Predictor, Symbols, register

#: Fractional bits of rows and outputs, and of the logarithm (base 2) of a symbol's weight.
WEIGHT_BITS = 6
LOG_BITS = 8
_SHIFT = 2 * WEIGHT_BITS - LOG_BITS
#: The memory of a channel is an exponentially weighted mean of its symbols, whose weights fall by
#: 1 / 2 ** MEMORY_SHIFT a frame. It has MEMORY_BITS fractional bits, and its contribution is divided by
#: 2 ** MEMORY_SCALE.
MEMORY_SHIFT = 3
MEMORY_BITS = 8
MEMORY_SCALE = 10
#: The least frequency of any symbol: no symbol costs more than 11 bits, or less than 0.01.
FLOOR = 16
#: Hidden values are clipped to this, which keeps every sum within 32 bits.
HIDDEN_MOST = (1 << 15) - 1
#: Upper bounds on a model's sizes, which keep sums within 32 bits before clipping too: the bias, 16 delays of
#: 256 channels, the present frame and the means add up to less than 2 ** 25, and 256 clipped hidden values
#: contribute less than 2 ** 31.
MOST_HIDDEN, MOST_CHANNELS, MOST_LEVELS, MOST_DELAYS, MOST_BIAS = 256, 256, 64, 16, 1 << 24
#: Number of frames that the encoder computes at once, to bound its memory.
_CHUNK = 64


def _powers() -> list[int]:
    with localcontext() as context:
        context.prec = 40
        two, steps = Decimal(2), 1 << LOG_BITS
        return [int((two ** (15 - Decimal(i) / steps)).to_integral_value()) for i in range(steps)]


#: ``round(2 ** (15 - i / 256))``, by decimal arithmetic, which is the same everywhere.
POWERS = _powers()
_POWERS = np.array(POWERS, dtype=np.int64)
#: A weight this far below the largest is 0: ``POWERS[255] >> 15``.
_NOTHING = (16 << LOG_BITS) - 1


@register
class NadeContexts(ContextModel):
    """A context model given by the integer weights of a network.

    Args:
        bias: int32 (hidden,).
        current: int8 (channels, levels, hidden), what a symbol of the present frame adds for later channels.
        past: int8 (delays, channels, levels + 1, hidden), what symbols of the preceding frames add; level
            ``levels`` stands for frames before the start of the file.
        memory: int8 (channels, hidden), what each channel's running mean adds.
        direct: int16 (channels, levels + 1, levels), logarithms of weights by the previous symbol of the
            same channel.
        output: int8 (channels, hidden, levels).

    Raises:
        CodecError: the arrays do not fit each other, or exceed the bounds above.
    """

    ARRAYS = ("bias", "current", "past", "memory", "direct", "output")

    def __init__(
        self,
        bias: NDArray[Any],
        current: NDArray[Any],
        past: NDArray[Any],
        memory: NDArray[Any],
        direct: NDArray[Any],
        output: NDArray[Any],
    ) -> None:
        if output.ndim != 3 or past.ndim != 4:
            raise CodecError(gettext_noop("The model's probability tables are damaged."))
        self.channels, self.hidden, self.levels = output.shape
        self.delays = len(past)
        c, h, n = output.shape
        wanted = {
            "bias": (bias, np.int32, (h,)),
            "current": (current, np.int8, (c, n, h)),
            "past": (past, np.int8, (self.delays, c, n + 1, h)),
            "memory": (memory, np.int8, (c, h)),
            "direct": (direct, np.int16, (c, n + 1, n)),
            "output": (output, np.int8, (c, h, n)),
        }
        if any(array.dtype != kind or array.shape != shape for array, kind, shape in wanted.values()):
            raise CodecError(gettext_noop("The model's probability tables are damaged."))
        if not (h and c and n > 1 and self.delays):
            raise CodecError(gettext_noop("The model's probability tables are damaged: one is empty."))
        if (
            h > MOST_HIDDEN
            or c > MOST_CHANNELS
            or n > MOST_LEVELS
            or self.delays > MOST_DELAYS
            # abs() would leave the lowest 32-bit integer negative.
            or bias.min() < -MOST_BIAS
            or bias.max() > MOST_BIAS
        ):
            raise CodecError(
                gettext_noop("The model's probability tables are larger than the coder's integers.")
            )
        self._arrays = {name: np.ascontiguousarray(array) for name, (array, _, _) in wanted.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        return cls(**arrays)

    def arrays(self) -> Arrays:
        return self._arrays

    def predictor(self, channels: int | None = None) -> Predictor:
        return _Predictor(self, self.channels if channels is None else channels)

    def most_frequent(self) -> NDArray[np.int64]:
        return np.full(self.channels, TOTAL - (self.levels - 1) * FLOOR, dtype=np.int64)

    @cached_property
    def wide_arrays(self) -> dict[str, NDArray[np.int32]]:
        """The arrays in the coder's 32 bits; `direct` in the units of the sum of outputs."""
        wide = {name: array.astype(np.int32) for name, array in self._arrays.items()}
        wide["direct"] = wide["direct"] << _SHIFT
        return wide


class _Predictor:
    def __init__(self, model: NadeContexts, channels: int) -> None:
        wide = model.wide_arrays
        self._bias = wide["bias"]
        self._current = wide["current"][:channels]
        self._past = wide["past"][:, :channels]
        self._memory_rows = wide["memory"][:channels]
        self._direct = wide["direct"][:channels]
        self._output = wide["output"][:channels]
        self._rows = np.arange(channels)
        self._middle = (model.levels - 1 << MEMORY_BITS) // 2
        self._span = TOTAL - model.levels * FLOOR
        #: The last symbols of each channel, oldest first.
        self._history = np.full((channels, model.delays), model.levels, dtype=np.int64)
        self._means = np.full(channels, self._middle, dtype=np.int32)
        self._frame = np.empty(channels, dtype=np.int64)
        self._begin_frame()

    def _memory_term(self, means: NDArray[np.int32]) -> NDArray[np.int32]:
        """What running means (..., channels) add to the hidden layer: (..., hidden)."""
        return np.asarray(((means - self._middle) @ self._memory_rows) >> MEMORY_SCALE)

    def _update_means(self, frame: NDArray[np.int64]) -> None:
        self._means += ((frame.astype(np.int32) << MEMORY_BITS) - self._means) >> MEMORY_SHIFT

    def intervals(self, symbols: Symbols) -> tuple[list[list[int]], list[list[int]]]:
        starts: list[list[int]] = []
        sizes: list[list[int]] = []
        for at in range(0, symbols.shape[1], _CHUNK):
            first, last = self._code_chunk(symbols[:, at : at + _CHUNK].astype(np.int64))
            starts += first.T.tolist()
            sizes += (last - first).T.tolist()
        self._begin_frame()
        return starts, sizes

    def _code_chunk(self, symbols: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Start and end of the intervals of some frames, (channels, frames) each."""
        frames, delays, rows = symbols.shape[1], len(self._past), self._rows[:, None]
        known = np.concatenate([self._history, symbols], axis=1)
        means = np.empty((frames, len(rows)), dtype=np.int32)
        for t in range(frames):
            means[t] = self._means
            self._update_means(symbols[:, t])
        base = self._memory_term(means) + self._bias
        for delay in range(1, delays + 1):
            before = known[:, delays - delay : delays - delay + frames]
            base += self._past[delay - 1][rows, before].sum(axis=0, dtype=np.int32)
        added = self._current[rows, symbols]
        hidden = np.cumsum(added, axis=0, dtype=np.int32)
        hidden -= added
        hidden += base
        np.clip(hidden, 0, HIDDEN_MOST, out=hidden)
        logs = (hidden @ self._output + self._direct[rows, known[:, -frames - 1 : -1]]) >> _SHIFT
        below = np.minimum(logs.max(axis=-1, keepdims=True) - logs, _NOTHING).astype(np.int64)
        weights = _POWERS[below & (1 << LOG_BITS) - 1] >> (below >> LOG_BITS)
        upto = weights.cumsum(axis=-1)
        edges = upto * self._span // upto[..., -1:] + FLOOR * np.arange(1, logs.shape[-1] + 1)
        last = np.take_along_axis(edges, symbols[..., None], -1)[..., 0]
        edges = np.concatenate([np.zeros_like(edges[..., :1]), edges[..., :-1]], axis=-1)
        first = np.take_along_axis(edges, symbols[..., None], -1)[..., 0]
        self._history = known[:, known.shape[1] - delays :]
        return first, last

    def _begin_frame(self) -> None:
        """Start a frame, given all frames before it."""
        delays = len(self._past)
        self._hidden = self._bias + self._memory_term(self._means)
        for delay in range(1, delays + 1):
            self._hidden += self._past[delay - 1][self._rows, self._history[:, delays - delay]].sum(
                axis=0, dtype=np.int32
            )

    def edges(self, channel: int) -> list[int]:
        hidden = np.minimum(np.maximum(self._hidden, 0), HIDDEN_MOST)
        before = self._history[channel, -1]
        logs = ((hidden @ self._output[channel] + self._direct[channel, before]) >> _SHIFT).tolist()
        most = max(logs)
        total = 0
        upto = []
        mask = (1 << LOG_BITS) - 1
        for log in logs:
            below = most - log
            total += POWERS[below & mask] >> (below >> LOG_BITS)
            upto.append(total)
        span = self._span
        floor, edges = 0, [0]
        for weight in upto:
            floor += FLOOR
            edges.append(weight * span // total + floor)
        return edges

    def put(self, channel: int, symbol: int) -> None:
        self._frame[channel] = symbol
        if channel + 1 < len(self._frame):
            self._hidden += self._current[channel, symbol]
            return
        self._history = np.concatenate([self._history[:, 1:], self._frame[:, None]], axis=1)
        self._update_means(self._frame)
        self._begin_frame()
