"""The simplest contexts: a table per channel and previous symbol of the same channel."""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codec.base import CodecError
from codec.bpgan.entropy.contexts import (
    TOTAL,
    Arrays,
    ContextModel,
    Predictor,
    RateModel,
    Symbols,
)

if TYPE_CHECKING:
    import torch


class TableContexts(ContextModel):
    """Order 1 in each channel.

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
            raise CodecError("The model's probability tables are damaged.")
        self.frequencies = frequencies
        self.channels, _, self.levels = frequencies.shape

    def arrays(self) -> Arrays:
        return {"frequencies": self.frequencies}

    def predictor(self, channels: int | None = None) -> Predictor:
        return _Predictor(self.edges, self.channels if channels is None else channels)

    def most_frequent(self) -> NDArray[np.int64]:
        return self.frequencies.max(axis=(1, 2)).astype(np.int64)

    def rates(self, device: torch.device | str = "cpu") -> RateModel:
        from codec.bpgan.entropy.rates import TableRates

        return TableRates(self.frequencies, device)

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
