"""Symbols <-> bytes by the 2020 codec's Huffman coding: a canonical code per channel, fixed in the model."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from codec.base import CodecError, gettext_noop
from codec.bpgan.entropy.base import Symbols


def code_lengths(frequencies: list[int]) -> list[int]:
    """Lengths in bits of Huffman's code (1952) for positive frequencies; ties go to the lowest symbol."""
    heap: list[tuple[int, int, tuple[int, ...]]] = [(f, s, (s,)) for s, f in enumerate(frequencies)]
    heapq.heapify(heap)
    lengths = [0] * len(frequencies)
    while len(heap) > 1:
        (fa, a, left), (fb, b, right) = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in left + right:
            lengths[symbol] += 1
        heapq.heappush(heap, (fa + fb, min(a, b), left + right))
    return lengths


def canonical_codes(lengths: list[int]) -> list[tuple[int, int]]:
    """Canonical code words ``(bits, length)`` by symbol; they follow from the lengths alone."""
    codes = [(0, 0)] * len(lengths)
    word = before = 0
    for length, symbol in sorted((n, s) for s, n in enumerate(lengths)):
        word <<= length - before
        codes[symbol] = (word, length)
        word, before = word + 1, length
    return codes


def encode_symbols(symbols: Symbols, marginals: NDArray[np.int32]) -> bytes:
    """Code symbols (channels, frames), frame by frame; the last byte is filled up with zeros.

    `marginals` (channels or more, levels) are positive frequencies, from which the codes follow.
    """
    books = [canonical_codes(code_lengths(row)) for row in marginals[: len(symbols)].tolist()]
    out = bytearray()
    word = length = 0
    for column in symbols.T:
        for book, symbol in zip(books, column.tolist(), strict=True):
            bits, size = book[symbol]
            word, length = word << size | bits, length + size
        whole, length = length >> 3, length & 7
        out += (word >> length).to_bytes(whole, "big")
        word &= (1 << length) - 1
    if length:
        out.append(word << 8 - length)
    return bytes(out)


def decode_symbols(payload: bytes, marginals: NDArray[np.int32], frames: int) -> Symbols:
    """The inverse: uint8 (channels, frames). Raises `CodecError` if the payload ends too early."""
    books = [
        {code: symbol for symbol, code in enumerate(canonical_codes(code_lengths(row)))}
        for row in marginals.tolist()
    ]
    end = 8 * len(payload)
    out = np.empty((frames, len(books)), dtype=np.uint8)
    at = 0
    for frame in range(frames):
        for channel, book in enumerate(books):
            word = length = 0
            while (word, length) not in book:
                if at == end:
                    raise CodecError(gettext_noop("The bitstream is truncated: symbols are missing."))
                word = word << 1 | payload[at >> 3] >> 7 - (at & 7) & 1
                length, at = length + 1, at + 1
            out[frame, channel] = book[word, length]
    return out.T
