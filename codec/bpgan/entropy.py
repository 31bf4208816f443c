"""Symbols <-> bytes by arithmetic coding, exact on every machine: integers and integer tables only.

The coder is a byte-wise range coder with 32-bit range and carry propagation (G. N. N. Martin 1979,
in the form popular from LZMA). What it knows of a symbol is in `codec.bpgan.contexts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.base import CodecError
from codec.bpgan.contexts import PRECISION, TOTAL, ContextModel, Symbols, to_frequencies

_TOP = 1 << 24
_MASK = 0xFFFFFFFF
# Python's lists of integers are much larger than the symbols in them.
_FRAMES_AT_ONCE = 1024


class RangeEncoder:
    """Codes intervals of cumulative frequency into bytes."""

    def __init__(self) -> None:
        self._low, self._range = 0, _MASK
        self._out = bytearray()

    def encode(self, start: int, size: int) -> None:
        """Code the interval [start, start + size) of `TOTAL`."""
        unit = self._range >> PRECISION
        self._low += unit * start
        self._range = unit * size
        if self._low > _MASK:
            self._carry()
        while self._range < _TOP:
            self._out.append(self._low >> 24)
            self._low = (self._low << 8) & _MASK
            self._range <<= 8

    def _carry(self) -> None:
        self._low &= _MASK
        at = len(self._out) - 1
        while self._out[at] == 0xFF:
            self._out[at] = 0
            at -= 1
        self._out[at] += 1

    def finish(self) -> bytes:
        """End with the fewest bytes that name a value in the last interval; past the end are zeros."""
        for kept in range(5):
            step = 1 << (32 - 8 * kept)
            value = -(-self._low // step) * step
            if value < self._low + self._range:
                break
        if value > _MASK:
            self._low = value
            self._carry()
            value &= _MASK
        self._out += value.to_bytes(4, "big")[:kept]
        return bytes(self._out)


class RangeDecoder:
    """The inverse. `payload` must outlive it.

    Past its end there are four zeros, which `RangeEncoder.finish` may have left out; whoever needs more has
    a truncated payload and gets a `CodecError`. So a decoder's work is bounded by the bytes it is given.
    """

    def __init__(self, payload: bytes) -> None:
        self._payload, self._at = payload, 4
        self._code = int.from_bytes(payload[:4].ljust(4, b"\0"), "big")
        self._range = _MASK
        self._unit = 0

    def target(self) -> int:
        """The cumulative frequency that the next symbol's interval holds, at most ``TOTAL - 1``."""
        self._unit = self._range >> PRECISION
        return min(self._code // self._unit, TOTAL - 1)

    def advance(self, start: int, size: int) -> None:
        """Consume the interval that `target` was found in."""
        self._code -= self._unit * start
        self._range = self._unit * size
        while self._range < _TOP:
            if self._at < len(self._payload):
                byte = self._payload[self._at]
            elif self._at < len(self._payload) + 4:
                byte = 0
            else:
                raise CodecError("The bitstream is truncated: symbols are missing.")
            self._at += 1
            self._code = ((self._code << 8) | byte) & _MASK
            self._range <<= 8


class SymbolEncoder:
    """Codes frames of symbols as they come; a long file needs no more memory than its bytes."""

    def __init__(self, contexts: ContextModel) -> None:
        self._contexts = contexts
        self._coder = RangeEncoder()
        self._previous: list[int] | None = None

    def add(self, symbols: Symbols) -> None:
        """Code (channels, frames) that follow what was added before, frame by frame."""
        if self._previous is None:
            self._previous = [self._contexts.levels] * symbols.shape[0]
        tables, previous, coder = self._contexts.edges, self._previous, self._coder
        for column in symbols.T.tolist():
            for channel, symbol in enumerate(column):
                edges = tables[channel][previous[channel]]
                coder.encode(edges[symbol], edges[symbol + 1] - edges[symbol])
                previous[channel] = symbol

    def finish(self) -> bytes:
        """All bytes. Nothing can be added after it."""
        return self._coder.finish()


class SymbolDecoder:
    """The inverse of `SymbolEncoder`, for the first `channels` of the model (None: all).

    Any payload that is long enough decodes to some symbols; damage is what the bitstream's checksum is
    for. The caller bounds the frames by the length of the payload: see `ContextModel.fewest_bits`.
    """

    def __init__(self, payload: bytes, contexts: ContextModel, channels: int | None = None) -> None:
        self._contexts = contexts
        self._coder = RangeDecoder(payload)
        self._previous = [contexts.levels] * (contexts.channels if channels is None else channels)

    def read(self, frames: int) -> Symbols:
        """The next frames, uint8 (channels, frames). Raises `CodecError` if the payload ends too early."""
        tables, previous, coder = self._contexts.edges, self._previous, self._coder
        out = np.empty((frames, len(previous)), dtype=np.uint8)
        for frame in range(frames):
            for channel, before in enumerate(previous):
                edges = tables[channel][before]
                target = coder.target()
                symbol = 0
                while edges[symbol + 1] <= target:
                    symbol += 1
                coder.advance(edges[symbol], edges[symbol + 1] - edges[symbol])
                previous[channel] = symbol
            out[frame] = previous
        return out.T


def encode_symbols(symbols: Symbols, contexts: ContextModel) -> bytes:
    """Code symbols of shape (channels, frames), frame by frame: the model's first channels, or all."""
    coder = SymbolEncoder(contexts)
    for start in range(0, symbols.shape[1], _FRAMES_AT_ONCE):
        coder.add(symbols[:, start : start + _FRAMES_AT_ONCE])
    return coder.finish()


def decode_symbols(
    payload: bytes, contexts: ContextModel, frames: int, channels: int | None = None
) -> Symbols:
    """The inverse of `encode_symbols`: uint8 of shape (channels, frames). See `SymbolDecoder`."""
    return SymbolDecoder(payload, contexts, channels).read(frames)


def count(codes: Iterable[Tensor], levels: int) -> NDArray[np.float64]:
    """Count symbols by channel and previous symbol: (channels, levels + 1, levels).

    `codes` are tensors of symbols (channels, frames); the last context is the start of a file.
    """
    total: NDArray[np.float64] | None = None
    for code in codes:
        now = code.numpy().astype(np.int64)
        channels = now.shape[0]
        if total is None:
            total = np.zeros((channels, levels + 1, levels))
        before = np.concatenate([np.full((channels, 1), levels), now[:, :-1]], axis=1)
        np.add.at(total, (np.arange(channels)[:, None], before, now), 1)
    if total is None:
        raise ValueError("No symbols to count.")
    return total


def fit(codes: Sequence[Tensor], levels: int, weight: float = 8.0) -> ContextModel:
    """Tables for the range coder from symbols (channels, frames) of training speech.

    A context that was seen little leans, with `weight` pseudo-counts, on its channel's distribution.
    """
    counts = count(codes, levels)
    overall = counts.sum(axis=1, keepdims=True) + 0.5
    prior = overall / overall.sum(axis=-1, keepdims=True)
    return ContextModel(to_frequencies(counts + weight * prior))


def fit_marginals(codes: Sequence[Tensor], levels: int) -> Tensor:
    """Integer frequencies (channels, levels) without context, for the 2020 codec's Huffman code."""
    return torch.from_numpy(to_frequencies(count(codes, levels).sum(axis=1) + 0.5))


def order0_bits(codes: Sequence[Tensor], levels: int) -> float:
    """Entropy per symbol without context, bit, mean over channels: what a static coder would need."""
    counts = count(codes, levels).sum(axis=1)
    share = counts / counts.sum(axis=1, keepdims=True)
    return float(-(share * np.log2(np.where(share > 0, share, 1.0))).sum(axis=1).mean())
