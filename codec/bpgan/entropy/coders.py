"""The coders that a bitstream's header can name (`bitstream.CODERS`), behind one interface."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from codec.bpgan.entropy import huffman, range_coder
from codec.bpgan.entropy.base import ContextModel, Symbols


class SymbolCoder(Protocol):
    """Symbols <-> bytes. Symbols are uint8 (channels, frames), of the model's first channels."""

    def encode(self, symbols: Symbols) -> bytes:
        """Code symbols, frame by frame."""

    def decode(self, payload: bytes, frames: int, channels: int) -> Symbols:
        """The inverse. Raises `CodecError` if the payload ends before the last symbol."""

    def fewest_bits(self, channels: int) -> float:
        """The fewest bits that a frame of the first `channels` can cost."""


class RangeCoder:
    """The range coder, with a model's contexts."""

    def __init__(self, contexts: ContextModel) -> None:
        self.contexts = contexts

    def encode(self, symbols: Symbols) -> bytes:
        return range_coder.encode_symbols(symbols, self.contexts)

    def decode(self, payload: bytes, frames: int, channels: int) -> Symbols:
        return range_coder.decode_symbols(payload, self.contexts, frames, channels)

    def fewest_bits(self, channels: int) -> float:
        return self.contexts.fewest_bits(channels)


class HuffmanCoder:
    """The 2020 codec's Huffman code, which follows from frequencies `marginals`, int32 (channels, levels)."""

    def __init__(self, marginals: NDArray[np.int32]) -> None:
        self.marginals = marginals

    def encode(self, symbols: Symbols) -> bytes:
        return huffman.encode_symbols(symbols, self.marginals)

    def decode(self, payload: bytes, frames: int, channels: int) -> Symbols:
        return huffman.decode_symbols(payload, self.marginals[:channels], frames)

    def fewest_bits(self, channels: int) -> float:
        # No code word is shorter than a bit.
        return float(channels)
