"""Symbols <-> bytes by arithmetic coding, exact on every machine: integers and integer tables only.

The coder is a byte-wise range coder with 32-bit range and carry propagation (G. N. N. Martin 1979,
in the form popular from LZMA). What it knows of a symbol is in `codec.bpgan.entropy.contexts`.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from codec.base import CodecError
from codec.bpgan.entropy.contexts import PRECISION, TOTAL, ContextModel, Predictor, Symbols

_TOP = 1 << 24
_MASK = 0xFFFFFFFF
#: Frames that the encoder asks its contexts for at once: bounds its memory.
_AT_ONCE = 256


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
    """The inverse. Past the end of the payload are zeros.

    An encoder's payload reaches to at most 4 bytes before what its decoder has read: a payload that ends
    sooner is not whole, and costs no time beyond its length.
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
        self._predictor: Predictor | None = None

    def add(self, symbols: Symbols) -> None:
        """Code (channels, frames) that follow what was added before, frame by frame."""
        if self._predictor is None:
            self._predictor = self._contexts.predictor(symbols.shape[0])
        encode = self._coder.encode
        for at in range(0, symbols.shape[1], _AT_ONCE):
            starts, sizes = self._predictor.intervals(symbols[:, at : at + _AT_ONCE])
            for frame in zip(starts, sizes, strict=True):
                for start, size in zip(*frame, strict=True):
                    encode(start, size)

    def finish(self) -> bytes:
        """All bytes. Nothing can be added after it."""
        return self._coder.finish()


class SymbolDecoder:
    """The inverse of `SymbolEncoder`, for the first `channels` of the model (None: all).

    Any payload decodes to some symbols or ends in `CodecError`; damage is what the bitstream's checksum
    is for. The caller bounds the frames by the length of the payload: see `ContextModel.fewest_bits`.
    """

    def __init__(self, payload: bytes, contexts: ContextModel, channels: int | None = None) -> None:
        self._channels = contexts.channels if channels is None else channels
        self._predictor = contexts.predictor(self._channels)
        self._coder = RangeDecoder(payload)

    def read(self, frames: int) -> Symbols:
        """The next frames, uint8 (channels, frames). Raises `CodecError` if the payload has ended."""
        predictor, coder = self._predictor, self._coder
        out = np.empty((frames, self._channels), dtype=np.uint8)
        for frame in range(frames):
            for channel in range(self._channels):
                edges = predictor.edges(channel)
                symbol = bisect_right(edges, coder.target()) - 1
                coder.advance(edges[symbol], edges[symbol + 1] - edges[symbol])
                predictor.put(channel, symbol)
                out[frame, channel] = symbol
        return out.T


def encode_symbols(symbols: Symbols, contexts: ContextModel) -> bytes:
    """Code symbols of shape (channels, frames), frame by frame: the model's first channels, or all."""
    coder = SymbolEncoder(contexts)
    coder.add(symbols)
    return coder.finish()


def decode_symbols(
    payload: bytes, contexts: ContextModel, frames: int, channels: int | None = None
) -> Symbols:
    """The inverse of `encode_symbols`: uint8 of shape (channels, frames). See `SymbolDecoder`."""
    return SymbolDecoder(payload, contexts, channels).read(frames)
