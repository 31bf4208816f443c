"""What the entropy coder knows of a symbol before it comes: integer tables, part of the model file.

No torch here nor in the models themselves (`tables`, `nade`): the coder and the bitstream need only
integers. `codec.bpgan.entropy.rates` gives the search the same tables as costs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from codec.base import CodecError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

#: Frequencies of a symbol's alternatives sum to ``2 ** PRECISION``, each at least 1: all can be coded.
PRECISION = 15
TOTAL = 1 << PRECISION

Symbols = NDArray[np.uint8]
Arrays = dict[str, NDArray[Any]]


class RateModel(Protocol):
    """What symbols cost, for the search: the coder's tables on any device.

    `symbols` are int64 (batch, c, frames) with any c up to the model's channels: its first ones, which
    is what a layer sends. The first frame is the first of the file. `lengths` (batch,) says how many
    frames of each row are real; the others cost nothing and change nothing.
    """

    def bits(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Bits of each symbol in its context, float (batch, c, frames)."""

    def alternatives(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Change of the bits of the whole if one symbol were another, float (batch, c, frames, levels).

        All other symbols stay as they are. It is what the symbol itself costs and what it does to those
        whose context it is in, less the same of the symbol that is there: 0 at ``symbols``.
        """


class Predictor(Protocol):
    """The state of one file's coding: what is known of the next symbol from those before it.

    Symbols come frame by frame, in each frame from channel 0 on.
    """

    def intervals(self, symbols: Symbols) -> tuple[list[list[int]], list[list[int]]]:
        """Start and size of the intervals of the next frames, [frame][channel], and pass over them."""

    def edges(self, channel: int) -> list[int]:
        """Cumulative frequencies of the next symbol, which is of `channel`: levels + 1 from 0 to `TOTAL`."""

    def put(self, channel: int, symbol: int) -> None:
        """Say what the symbol of `channel` is, and pass over it."""


class ContextModel(ABC):
    """The range coder's integer tables. The first c channels code and decode without the others.

    Attributes:
        channels, levels: of the latent that it codes.
    """

    channels: int
    levels: int

    @abstractmethod
    def arrays(self) -> Arrays:
        """Everything that the coder needs, as named integer arrays for the model file."""

    @abstractmethod
    def predictor(self, channels: int | None = None) -> Predictor:
        """Begin a file of which the first `channels` are coded (None: all)."""

    @abstractmethod
    def most_frequent(self) -> NDArray[np.int64]:
        """The largest frequency that a symbol of each channel can have, at most ``TOTAL - levels + 1``."""

    @abstractmethod
    def rates(self, device: torch.device | str = "cpu") -> RateModel:
        """What symbols cost, for the search."""

    def fewest_bits(self, channels: int | None = None) -> float:
        """The fewest bits that a frame of the first `channels` can cost.

        It bounds how many frames a payload can honestly hold.
        """
        return float(-np.log2(self.most_frequent()[:channels] / TOTAL).sum())

    @staticmethod
    def uniform(channels: int, levels: int) -> ContextModel:
        """Tables that know nothing: those of a model that was not fitted."""
        from codec.bpgan.entropy.tables import TableContexts

        return TableContexts(to_frequencies(np.ones((channels, levels + 1, levels))))

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> ContextModel:
        """The inverse of `arrays`. Raises `CodecError` if they are damaged or of no known kind."""
        from codec.bpgan.entropy.nade import NadeContexts
        from codec.bpgan.entropy.tables import TableContexts

        for kind in (TableContexts, NadeContexts):
            if set(arrays) == set(kind.ARRAYS):
                return kind(**arrays)
        raise CodecError("The model's probability tables are missing or of an unknown kind.")


def to_frequencies(weights: NDArray[np.float64]) -> NDArray[np.int32]:
    """Scale non-negative weights (..., levels) to integers >= 1 that sum to `TOTAL` along the last axis."""
    levels = weights.shape[-1]
    share = weights / weights.sum(axis=-1, keepdims=True)
    scaled = 1 + np.floor(share * (TOTAL - levels)).astype(np.int32)
    short = TOTAL - scaled.sum(axis=-1)
    largest = scaled.argmax(axis=-1)
    np.put_along_axis(
        scaled, largest[..., None], np.take_along_axis(scaled, largest[..., None], -1) + short[..., None], -1
    )
    return scaled
