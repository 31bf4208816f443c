"""What the entropy coder knows of a symbol before it comes: integer tables, part of the model file.

No torch here: the coder and the bitstream need only integers. `codec.bpgan.rates` gives the search the
same tables as costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from codec.base import CodecError

if TYPE_CHECKING:
    from torch import Tensor

#: Frequencies of a context sum to ``2 ** PRECISION``; every symbol has at least 1, so all can be coded.
PRECISION = 15
TOTAL = 1 << PRECISION

Symbols = NDArray[np.uint8]


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


class ContextModel:
    """Tables of the range coder. A symbol's context is its channel and the previous one of the channel.

    The first c channels alone code and decode without the others.

    Args:
        frequencies: (channels, levels + 1, levels), each row summing to `TOTAL`; the last context is the
            start of a file.

    Raises:
        CodecError: if the tables are damaged.
    """

    def __init__(self, frequencies: NDArray[np.int32]) -> None:
        if (
            frequencies.ndim != 3
            or frequencies.shape[1] != frequencies.shape[2] + 1
            or (frequencies < 1).any()
            or (frequencies.sum(axis=-1) != TOTAL).any()
        ):
            raise CodecError("The model's probability tables are damaged.")
        self.frequencies = frequencies
        self.channels, _, self.levels = frequencies.shape

    @classmethod
    def uniform(cls, channels: int, levels: int) -> ContextModel:
        """Tables that know nothing: those of a model that was not fitted."""
        return cls(to_frequencies(np.ones((channels, levels + 1, levels))))

    def arrays(self) -> dict[str, NDArray[np.int32]]:
        """Everything that the coder needs, as named arrays for the model file."""
        return {"frequencies": self.frequencies}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.int32]]) -> ContextModel:
        """The inverse of `arrays`. Raises `CodecError` if they are damaged or of another kind."""
        try:
            return cls(np.ascontiguousarray(arrays["frequencies"], dtype=np.int32))
        except KeyError as error:
            raise CodecError("The model's probability tables are missing.") from error

    @cached_property
    def edges(self) -> list[list[list[int]]]:
        """Cumulative frequencies by channel and context."""
        return [[[0, *accumulate(row)] for row in channel] for channel in self.frequencies.tolist()]

    def fewest_bits(self, channels: int | None = None) -> float:
        """The fewest bits that a frame of the first `channels` can cost.

        It bounds how many frames a payload can honestly hold.
        """
        most = self.frequencies[:channels].max(axis=(1, 2))
        return float(-np.log2(most / TOTAL).sum())


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
