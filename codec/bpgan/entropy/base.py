"""What context models have in common: constants, protocols, and the registry of their kinds.

A context model predicts each symbol for the range coder from the symbols before it. It consists of integer
tables that are part of the model file. Nothing here imports torch at run time, and neither do the models
themselves (`tables`, `nade`): coders and bitstream need only integers. `codec.bpgan.entropy.rates` offers the
same tables to the search as costs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from codec.base import CodecError, gettext_noop

if TYPE_CHECKING:
    from torch import Tensor

#: The frequencies of all possible values of a symbol sum to ``2 ** PRECISION``. Each is at least 1, so that
#: every value can be coded.
PRECISION = 15
TOTAL = 1 << PRECISION

#: uint8 (channels, frames), each below the number of levels.
Symbols = NDArray[np.uint8]
Arrays = dict[str, NDArray[Any]]


class RateModel(Protocol):
    """What symbols cost, for the search: the coder's tables on any device.

    `symbols` are int64 (batch, c, frames), where c may be less than the model's number of channels: the
    first c, which are what a layer sends. The first frame is the first of the file. `lengths` (batch,) gives
    the number of real frames in each row; the others cost nothing and change nothing.
    """

    def bits(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Bits of each symbol in its context, float (batch, c, frames)."""

    def alternatives(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Change in the total number of bits if one symbol were replaced, float (batch, c, frames, levels).

        All other symbols stay as they are. The change counts both the symbol's own cost and its effect on
        the symbols whose context it belongs to, relative to the present symbol: it is 0 at ``symbols``.
        """


class Predictor(Protocol):
    """The state of coding one file: the distribution of the next symbol, given those before it.

    Symbols come frame by frame, and within each frame from channel 0 upwards.
    """

    def intervals(self, symbols: Symbols) -> tuple[list[list[int]], list[list[int]]]:
        """Start and size of the intervals of the next frames, [frame][channel]; then advance past them."""

    def edges(self, channel: int) -> list[int]:
        """Cumulative frequencies of the next symbol, which is of `channel`: levels + 1 from 0 to `TOTAL`."""

    def put(self, channel: int, symbol: int) -> None:
        """Record the symbol of `channel` and advance past it."""


class ContextModel(ABC):
    """The range coder's integer tables. The first c channels can be coded without the others.

    A subclass enters the registry by `register`.

    Attributes:
        ARRAYS: names of the arrays that make up a model of this kind; no two kinds have the same set.
        channels, levels: of the latent that it codes.
    """

    ARRAYS: ClassVar[tuple[str, ...]]
    channels: int
    levels: int

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The inverse of `arrays`. Raises `CodecError` if the arrays are damaged."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """Everything that the coder needs, as named integer arrays for the model file."""

    @abstractmethod
    def predictor(self, channels: int | None = None) -> Predictor:
        """Begin a file of which the first `channels` are coded (None: all)."""

    @abstractmethod
    def most_frequent(self) -> NDArray[np.int64]:
        """The largest frequency that a symbol of each channel can have, at most ``TOTAL - levels + 1``."""

    def fewest_bits(self, channels: int | None = None) -> float:
        """The fewest bits that a frame of the first `channels` can cost.

        This bounds how many frames a payload can honestly hold.
        """
        return float(-np.log2(self.most_frequent()[:channels] / TOTAL).sum())


_Kind = TypeVar("_Kind", bound=type[ContextModel])
_KINDS: dict[frozenset[str], type[ContextModel]] = {}


def register(kind: _Kind) -> _Kind:
    """Enter a kind of context model in the registry, under the names of its arrays (a class decorator)."""
    _KINDS[frozenset(kind.ARRAYS)] = kind
    return kind


def read_contexts(arrays: Mapping[str, NDArray[Any]]) -> ContextModel:
    """Build the context model whose `arrays` these are.

    Raises:
        CodecError: the arrays are damaged, or no registered kind has exactly these.
    """
    kind = _KINDS.get(frozenset(arrays))
    if kind is None:
        raise CodecError(gettext_noop("The model's probability tables are missing or of an unknown kind."))
    return kind.from_arrays(arrays)
