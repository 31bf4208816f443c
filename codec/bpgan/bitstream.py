"""The bytes that a BPGAN sender transmits: at most 8 bytes of header, symbols, two bytes of checksum.

========  =====================================================================================
bytes     meaning
========  =====================================================================================
1         ``0xB0`` + version (4 bits)
2         model: the first two bytes of the SHA-256 of its weights file
1         coder (1 bit: 0 range coder, 1 Huffman), then level (7 bits)
1 to 4    number of samples, 7 bits a byte, least significant first, high bit = more follow
n         symbols
2         CRC-16/XMODEM of all bytes before, big-endian
========  =====================================================================================

Level 0 is silence, which has no symbols; level n is an RMS of ``-90 + 0.75 n`` dBFS.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

import numpy as np

from codec.base import CodecError

VERSION = 1
_MAGIC = 0xB0
_LOWEST_DB, _STEP_DB = -90.0, 0.75
#: What the header can say, and more than four hours.
MAX_SAMPLES = (1 << 28) - 1
CODERS = ("range", "huffman")


@dataclass(frozen=True)
class Stream:
    """A bitstream taken apart. `level` is the index of the header, `coder` one of `CODERS`."""

    model_id: int
    coder: str
    level: int
    num_samples: int
    symbols: bytes


def level_index(rms: float) -> int:
    """RMS (linear, full scale 1) -> 7-bit level; 0 for what is too quiet to matter."""
    if rms <= 10 ** (_LOWEST_DB / 20):
        return 0
    return int(np.clip(round((20 * np.log10(rms) - _LOWEST_DB) / _STEP_DB), 1, 127))


def level_rms(index: int) -> float:
    """The inverse of `level_index`; 0.0 for silence."""
    return float(10 ** ((_LOWEST_DB + _STEP_DB * index) / 20)) if index else 0.0


def pack(stream: Stream) -> bytes:
    """Raises `CodecError` if the audio is longer than a header can say."""
    if not 0 < stream.num_samples <= MAX_SAMPLES:
        raise CodecError(f"A bitstream holds 1 to {MAX_SAMPLES} samples, not {stream.num_samples}.")
    head = bytearray([_MAGIC | VERSION])
    head += stream.model_id.to_bytes(2, "big")
    head.append(CODERS.index(stream.coder) << 7 | stream.level)
    rest = stream.num_samples
    while rest > 0x7F:
        head.append(rest & 0x7F | 0x80)
        rest >>= 7
    head.append(rest)
    body = bytes(head) + stream.symbols
    return body + binascii.crc_hqx(body, 0).to_bytes(2, "big")


def unpack(data: bytes) -> Stream:
    """Raises `CodecError` with the reason if `data` is foreign, of another version, or damaged."""
    if not data or data[0] & 0xF0 != _MAGIC:
        raise CodecError("This is not a BPGAN bitstream.")
    if data[0] & 0x0F != VERSION:
        raise CodecError(
            f"This bitstream has version {data[0] & 0x0F}; this decoder reads version {VERSION}."
        )
    if len(data) < 7:
        raise CodecError("The bitstream is truncated: its header is incomplete.")
    if binascii.crc_hqx(data[:-2], 0) != int.from_bytes(data[-2:], "big"):
        raise CodecError("The bitstream is damaged or truncated: its checksum does not fit.")
    num_samples, at = 0, 4
    for shift in range(0, 28, 7):
        if at >= len(data) - 2:
            raise CodecError("The bitstream is truncated: its length field is incomplete.")
        byte = data[at]
        at += 1
        num_samples |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    else:
        raise CodecError("The bitstream's length field is too long.")
    if num_samples == 0:
        raise CodecError("The bitstream declares no samples.")
    return Stream(
        model_id=int.from_bytes(data[1:3], "big"),
        coder=CODERS[data[3] >> 7],
        level=data[3] & 0x7F,
        num_samples=num_samples,
        symbols=data[at:-2],
    )
