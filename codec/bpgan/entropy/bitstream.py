"""The bytes that a BPGAN sender transmits: header, symbols, checksum. Specified in docs/bitstream.md.

Version 2, most significant bit and byte first:

=======  ====================================================================================
bits     meaning
=======  ====================================================================================
8        B2 with a checksum, BD without (hexadecimal)
16       model: the first two bytes of the SHA-256 of its weights file
1        coder: 0 range coder, 1 Huffman
3        layer: which of the model's numbers of channels was sent
7        level: 0 is silence, which has no symbols; n is an RMS of ``-90 + 0.75 n`` dBFS
1 + 20   number of samples below 2 ** 20 (0, then the number) ...
1 + 28   ... or below 2 ** 28 (1, then the number)
n bytes  symbols, then zeros where they are shorter than `fewest_bytes`
16       CRC-16/XMODEM of all bytes before, unless there is none
=======  ====================================================================================

Needs neither torch nor a model: what the symbols mean is up to `codec.bpgan.system`.
"""

from __future__ import annotations

import binascii
import math
from dataclasses import dataclass

from codec.base import WORKING_RATE, CodecError, gettext_noop

VERSION = 2
#: The longest file that the header can describe: 4 hours and 39 minutes at 16 kHz.
MAX_SAMPLES = (1 << 28) - 1
MAX_LAYERS = 8
CODERS = ("range", "huffman")

_MAGIC = 0xB0
# First bytes. The last two differ in four bits, so that no single flipped bit turns the checksum off.
_VERSION_1, _CHECKED, _UNCHECKED = 0xB1, 0xB2, 0xBD
_LOWEST_DB, _STEP_DB = -90.0, 0.75
_SHORT_BITS = 20
# A decoder allocates what a header declares. Audio beyond the first minute costs a byte per 0.8 s, even in
# silence: far less than speech needs, but enough to bound a decoder's work by its input. An .ear file has to
# hold at least as much (`codec.container`).
_FREE_SAMPLES = 60 * WORKING_RATE
_SAMPLES_PER_BYTE = WORKING_RATE * 8 // 10


@dataclass(frozen=True)
class Stream:
    """A bitstream taken apart.

    Attributes:
        model_id: of the weights file.
        coder: one of `CODERS`.
        level: index of the header, 0 to 127.
        num_samples: 1 to `MAX_SAMPLES`.
        symbols: as the coder wrote them, followed by any padding, which cannot be told from them.
        layer: index into the model's layers. Streams of version 1, which had no layers, get -1: all channels.
        checksum: whether the bytes end in one.
    """

    model_id: int
    coder: str
    level: int
    num_samples: int
    symbols: bytes
    layer: int = 0
    checksum: bool = True


def level_index(rms: float) -> int:
    """RMS (linear, full scale 1) -> 7-bit level; 0 if it is too quiet to matter."""
    if rms <= 10 ** (_LOWEST_DB / 20):
        return 0
    return min(max(round((20 * math.log10(rms) - _LOWEST_DB) / _STEP_DB), 1), 127)


def level_rms(index: int) -> float:
    """The inverse of `level_index`; 0.0 for silence."""
    return float(10 ** ((_LOWEST_DB + _STEP_DB * index) / 20)) if index else 0.0


def fewest_bytes(num_samples: int) -> int:
    """The least number of bytes of symbols and padding in a stream of `num_samples`.

    For version 1, which does not pad, the least number of bytes in all.
    """
    return max(0, -(-(num_samples - _FREE_SAMPLES) // _SAMPLES_PER_BYTE))


def pack(stream: Stream) -> bytes:
    """Write version 2.

    Raises:
        CodecError: a field is out of range, for example because the audio is too long.
    """
    if not 0 < stream.num_samples <= MAX_SAMPLES:
        raise CodecError(
            gettext_noop("A bitstream holds 1 to %(most)s samples, not %(samples)s."),
            most=MAX_SAMPLES,
            samples=stream.num_samples,
        )
    for name, value, limit in (
        ("model", stream.model_id, 1 << 16),
        ("layer", stream.layer, MAX_LAYERS),
        ("level", stream.level, 128),
    ):
        if not 0 <= value < limit:
            raise CodecError(
                gettext_noop("A bitstream's %(name)s is 0 to %(most)s, not %(value)s."),
                name=name,
                most=limit - 1,
                value=value,
            )
    flags = CODERS.index(stream.coder) << 10 | stream.layer << 7 | stream.level
    if stream.num_samples >> _SHORT_BITS:
        fields = (flags << 29 | 1 << 28 | stream.num_samples).to_bytes(5, "big")
    else:
        fields = (flags << 21 | stream.num_samples).to_bytes(4, "big")
    body = (
        bytes([_CHECKED if stream.checksum else _UNCHECKED])
        + stream.model_id.to_bytes(2, "big")
        + fields
        + stream.symbols
    )
    body += bytes(max(0, fewest_bytes(stream.num_samples) - len(stream.symbols)))
    return body + binascii.crc_hqx(body, 0).to_bytes(2, "big") if stream.checksum else body


def unpack(data: bytes) -> Stream:
    """Take a stream of version 1 or 2 apart.

    Raises:
        CodecError: `data` is not a BPGAN stream, is of another version or damaged, or declares more audio
            than its bytes can hold; the message says which.
    """
    if not data or data[0] & 0xF0 != _MAGIC:
        raise CodecError(gettext_noop("This is not a BPGAN bitstream."))
    if data[0] not in (_VERSION_1, _CHECKED, _UNCHECKED):
        raise CodecError(
            gettext_noop(
                "This bitstream has version %(version)s; this decoder reads versions 1 and %(known)s."
            ),
            version=data[0] & 0x0F,
            known=VERSION,
        )
    checksum = data[0] != _UNCHECKED
    end = len(data) - 2 if checksum else len(data)
    if end < 5:
        raise CodecError(gettext_noop("The bitstream is truncated: its header is incomplete."))
    if checksum and binascii.crc_hqx(memoryview(data)[:end], 0) != int.from_bytes(data[end:], "big"):
        raise CodecError(gettext_noop("The bitstream is damaged or truncated: its checksum does not fit."))
    stream = _unpack_1(data, end) if data[0] == _VERSION_1 else _unpack_2(data, end, checksum)
    if stream.num_samples == 0:
        raise CodecError(gettext_noop("The bitstream declares no samples."))
    # Version 1 does not pad. Its whole length was held to the same rate (`codec.container`).
    paid = len(data) if data[0] == _VERSION_1 else len(stream.symbols)
    if paid < fewest_bytes(stream.num_samples):
        raise CodecError(
            gettext_noop(
                "The bitstream declares %(samples)s samples: more audio than its %(size)s bytes can hold."
            ),
            samples=stream.num_samples,
            size=len(data),
        )
    return stream


def _unpack_2(data: bytes, end: int, checksum: bool) -> Stream:
    fields, at = int.from_bytes(data[3:7], "big"), 7
    if end < at:
        raise CodecError(gettext_noop("The bitstream is truncated: its header is incomplete."))
    if fields >> _SHORT_BITS & 1:
        if end < at + 1:
            raise CodecError(gettext_noop("The bitstream is truncated: its header is incomplete."))
        fields, at = fields << 8 | data[at], at + 1
        flags, num_samples = fields >> 29, fields & MAX_SAMPLES
        if not num_samples >> _SHORT_BITS:
            raise CodecError(
                gettext_noop("The bitstream is damaged: it writes a short length in the long form.")
            )
    else:
        flags, num_samples = fields >> 21, fields & (1 << _SHORT_BITS) - 1
    return Stream(
        model_id=int.from_bytes(data[1:3], "big"),
        coder=CODERS[flags >> 10],
        layer=flags >> 7 & 7,
        level=flags & 0x7F,
        num_samples=num_samples,
        symbols=data[at:end],
        checksum=checksum,
    )


def _unpack_1(data: bytes, end: int) -> Stream:
    """Version 1: model, coder (1 bit), level (7), then samples as up to 4 groups of 7 bits, lowest first."""
    num_samples, at = 0, 4
    for shift in range(0, 28, 7):
        if at >= end:
            raise CodecError(gettext_noop("The bitstream is truncated: its length field is incomplete."))
        byte = data[at]
        at += 1
        num_samples |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    else:
        raise CodecError(gettext_noop("The bitstream's length field is too long."))
    return Stream(
        model_id=int.from_bytes(data[1:3], "big"),
        coder=CODERS[data[3] >> 7],
        layer=-1,
        level=data[3] & 0x7F,
        num_samples=num_samples,
        symbols=data[at:end],
    )
