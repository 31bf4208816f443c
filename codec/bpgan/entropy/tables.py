"""The simplest context model: a table per channel and previous symbol of the same channel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import accumulate
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from codec.base import CodecError, gettext_noop
from codec.bpgan.entropy.base import TOTAL, Arrays, ContextModel, Predictor, Symbols, register


def to_frequencies(weights: NDArray[np.float64]) -> NDArray[np.int32]:
    """Scale non-negative weights (..., levels) to integers >= 1 that sum to `TOTAL` along the last axis."""
    levels = weights.shape[-1]
    share = weights / weights.sum(axis=-1, keepdims=True)
    scaled: NDArray[np.int32] = 1 + np.floor(share * (TOTAL - levels)).astype(np.int32)
    short = TOTAL - scaled.sum(axis=-1)
    largest = scaled.argmax(axis=-1)[..., None]
    np.put_along_axis(scaled, largest, np.take_along_axis(scaled, largest, -1) + short[..., None], -1)
    return scaled


@register
class TableContexts(ContextModel):
    """Order 1 within each channel.

    Args:
        frequencies: int32 (channels, levels + 1, levels), each row summing to `TOTAL`; the last context
            is the start of a file.

    Raises:
        CodecError: if the tables are damaged.
    """

    ARRAYS = ("frequencies",)

    def __init__(self, frequencies: NDArray[np.int32]) -> None:
        if (
            frequencies.ndim != 3
            or frequencies.shape[1] != frequencies.shape[2] + 1
            or frequencies.dtype != np.int32
            or (frequencies < 1).any()
            or (frequencies.sum(axis=-1) != TOTAL).any()
        ):
            raise CodecError(gettext_noop("The model's probability tables are damaged."))
        self.frequencies = frequencies
        self.channels, _, self.levels = frequencies.shape

    @classmethod
    def uniform(cls, channels: int, levels: int) -> Self:
        """Tables in which all symbols are equally frequent: those of a model that has not been fitted."""
        return cls(to_frequencies(np.ones((channels, levels + 1, levels))))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        return cls(**arrays)

    def arrays(self) -> Arrays:
        return {"frequencies": self.frequencies}

    def predictor(self, channels: int | None = None) -> Predictor:
        return _Predictor(self.edges, self.channels if channels is None else channels)

    def most_frequent(self) -> NDArray[np.int64]:
        return np.asarray(self.frequencies.max(axis=(1, 2)), dtype=np.int64)

    @cached_property
    def edges(self) -> list[list[list[int]]]:
        """Cumulative frequencies by channel and context."""
        return [[[0, *accumulate(row)] for row in channel] for channel in self.frequencies.tolist()]


class _Predictor:
    def __init__(self, edges: list[list[list[int]]], channels: int) -> None:
        self._edges = edges
        self._previous = [len(edges[0]) - 1] * channels

    def intervals(self, symbols: Symbols) -> tuple[list[list[int]], list[list[int]]]:
        tables, previous = self._edges, self._previous
        starts, sizes = [], []
        for column in symbols.T.tolist():
            rows = [tables[channel][before] for channel, before in enumerate(previous)]
            starts.append([edges[symbol] for edges, symbol in zip(rows, column, strict=True)])
            sizes.append(
                [edges[symbol + 1] - edges[symbol] for edges, symbol in zip(rows, column, strict=True)]
            )
            previous = column
        self._previous = previous
        return starts, sizes

    def edges(self, channel: int) -> list[int]:
        return self._edges[channel][self._previous[channel]]

    def put(self, channel: int, symbol: int) -> None:
        self._previous[channel] = symbol
