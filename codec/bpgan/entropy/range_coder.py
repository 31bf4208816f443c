"""Symbols <-> bytes by arithmetic coding, exact on every machine: integers and integer tables only.

This is a byte-wise range coder with a 32-bit range and carry propagation (G. N. N. Martin 1979, in the form
known from LZMA). A `ContextModel` supplies the frequencies.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from codec.base import CodecError, gettext_noop
from codec.bpgan.entropy.base import PRECISION, TOTAL, ContextModel, Symbols

_TOP = 1 << 24
_MASK = 0xFFFFFFFF
#: Number of frames whose intervals the encoder requests at once, to bound its memory.
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
        """End with the fewest bytes that identify a value in the last interval; zeros follow the end."""
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
    """The inverse. Zeros follow the end of the payload.

    A decoder reads at most 4 bytes beyond the payload that the encoder wrote: one that needs more has a
    truncated payload, and is stopped there, so that decoding time is bounded by the payload's length.
    """

    def __init__(self, payload: bytes) -> None:
        self._payload, self._at = payload, 4
        self._code = int.from_bytes(payload[:4].ljust(4, b"\0"), "big")
        self._range = _MASK
        self._unit = 0

    def target(self) -> int:
        """A cumulative frequency inside the interval of the next symbol, at most ``TOTAL - 1``."""
        self._unit = self._range >> PRECISION
        return min(self._code // self._unit, TOTAL - 1)

    def advance(self, start: int, size: int) -> None:
        """Consume the interval in which `target` was found."""
        self._code -= self._unit * start
        self._range = self._unit * size
        while self._range < _TOP:
            if self._at < len(self._payload):
                byte = self._payload[self._at]
            elif self._at < len(self._payload) + 4:
                byte = 0
            else:
                raise CodecError(gettext_noop("The bitstream is truncated: symbols are missing."))
            self._at += 1
            self._code = ((self._code << 8) | byte) & _MASK
            self._range <<= 8


def encode_symbols(symbols: Symbols, contexts: ContextModel) -> bytes:
    """Code symbols of shape (channels, frames), frame by frame: the model's first channels, or all."""
    coder = RangeEncoder()
    predictor = contexts.predictor(symbols.shape[0])
    for at in range(0, symbols.shape[1], _AT_ONCE):
        starts, sizes = predictor.intervals(symbols[:, at : at + _AT_ONCE])
        for frame in zip(starts, sizes, strict=True):
            for start, size in zip(*frame, strict=True):
                coder.encode(start, size)
    return coder.finish()


def decode_symbols(
    payload: bytes, contexts: ContextModel, frames: int, channels: int | None = None
) -> Symbols:
    """The inverse of `encode_symbols`: uint8 (channels, frames), of the model's first `channels` (None: all).

    Any payload decodes to some symbols or ends in `CodecError`; detecting damage is the bitstream checksum's
    task. The caller bounds `frames` by the length of the payload: see `ContextModel.fewest_bits`.

    Raises:
        CodecError: the payload ends before the last symbol.
    """
    channels = contexts.channels if channels is None else channels
    predictor, coder = contexts.predictor(channels), RangeDecoder(payload)
    out = np.empty((frames, channels), dtype=np.uint8)
    for frame in range(frames):
        for channel in range(channels):
            edges = predictor.edges(channel)
            symbol = bisect_right(edges, coder.target()) - 1
            coder.advance(edges[symbol], edges[symbol + 1] - edges[symbol])
            predictor.put(channel, symbol)
            out[frame, channel] = symbol
    return out.T
