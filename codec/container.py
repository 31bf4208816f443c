"""The ``.ear`` file: one encoded clip of any system, with what its decoder needs to know.

Little-endian::

    4 bytes   magic "EAR1" (the 1 is the version)
    4 bytes   CRC-32 of everything that follows
    1 byte    length of the slug
    n bytes   slug of the system, ASCII
    4 bytes   sample rate in Hz
    4 bytes   number of samples
    4 bytes   payload bits, as counted for the bit rate
    rest      payload

Version 2, for several channels, has their number in a byte between the payload bits and the payload. A mono
file is always of version 1.

`Encoded.parameters` only inform people and are not stored.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from codec.base import MAX_CHANNELS, CodecError, Encoded, gettext_noop

MAGIC = b"EAR1"
#: Of files with several channels.
MAGIC_CHANNELS = b"EAR2"

_NUMBERS = struct.Struct("<III")
_CHECKSUM = struct.Struct("<I")
_SLUG = re.compile(rb"[a-z0-9][a-z0-9._-]{0,63}")
_RATES = range(1_000, 768_001)
# A decoder allocates what the header declares. No speech codec gets below 10 bit/s, even in silence, so a
# header that declares a longer file than that allows (beyond a first minute) is lying. Sample rates above the
# highest that any codec here uses are counted as that one, or they would pass with longer arrays.
_MIN_BITS_PER_SECOND = 10
_FREE_SECONDS = 60
_HIGHEST_RATE = 48_000


def dumps(encoded: Encoded) -> bytes:
    """Write `encoded` as the bytes of an ``.ear`` file.

    Raises:
        CodecError: if something in it does not fit the format.
    """
    slug = encoded.system.encode("ascii", errors="replace")
    if not _SLUG.fullmatch(slug):
        raise CodecError(
            gettext_noop("%(system)r is no slug of a system: a-z, 0-9, '.', '_' and '-', up to 64."),
            system=encoded.system,
        )
    _check(encoded)
    numbers = _NUMBERS.pack(encoded.sample_rate, encoded.num_samples, encoded.payload_bits)
    magic, channels = (MAGIC, b"") if encoded.channels == 1 else (MAGIC_CHANNELS, bytes([encoded.channels]))
    body = bytes([len(slug)]) + slug + numbers + channels + encoded.payload
    return magic + _CHECKSUM.pack(zlib.crc32(body)) + body


def loads(data: bytes) -> Encoded:
    """Read the bytes of an ``.ear`` file.

    Raises:
        CodecError: if they are no such file, or a damaged one.
    """
    if not data.startswith((MAGIC, MAGIC_CHANNELS)):
        raise CodecError(gettext_noop("This is not an Earshot bitstream: it does not start with EAR1."))
    start = len(MAGIC) + _CHECKSUM.size
    if len(data) <= start:
        raise CodecError(gettext_noop("The bitstream is truncated: its header is not complete."))
    (checksum,) = _CHECKSUM.unpack_from(data, len(MAGIC))
    if zlib.crc32(memoryview(data)[start:]) != checksum:
        raise CodecError(gettext_noop("The bitstream is truncated or damaged: its checksum is wrong."))
    # The file is now known to be intact, but its author may still have meant harm.
    end = start + 1 + data[start]
    slug = data[start + 1 : end]
    if len(data) < end + _NUMBERS.size or not _SLUG.fullmatch(slug):
        raise CodecError(gettext_noop("The header of the bitstream is invalid."))
    rate, samples, bits = _NUMBERS.unpack_from(data, end)
    start, channels = end + _NUMBERS.size, 1
    if data.startswith(MAGIC_CHANNELS):
        if len(data) <= start or not 2 <= data[start] <= MAX_CHANNELS:
            raise CodecError(gettext_noop("The header of the bitstream is invalid."))
        start, channels = start + 1, data[start]
    encoded = Encoded(slug.decode("ascii"), data[start:], bits, rate, samples, channels=channels)
    _check(encoded)
    return encoded


def write_ear(target: str | Path | BinaryIO, encoded: Encoded) -> None:
    """Write `encoded` to a path or a binary file. Raises `CodecError` as `dumps` does."""
    data = dumps(encoded)
    if isinstance(target, str | Path):
        Path(target).write_bytes(data)
    else:
        target.write(data)


def read_ear(source: str | Path | BinaryIO) -> Encoded:
    """Read an ``.ear`` file from a path or a binary file. Raises `CodecError` as `loads` does."""
    return loads(Path(source).read_bytes() if isinstance(source, str | Path) else source.read())


def _check(encoded: Encoded) -> None:
    if not 1 <= encoded.channels <= MAX_CHANNELS:
        raise CodecError(
            gettext_noop("The bitstream states %(channels)s channels, which cannot be."),
            channels=encoded.channels,
        )
    if encoded.sample_rate not in _RATES:
        raise CodecError(
            gettext_noop("The bitstream states a sample rate of %(rate)s Hz, which cannot be."),
            rate=encoded.sample_rate,
        )
    if not 1 <= encoded.num_samples < 2**32:
        raise CodecError(
            gettext_noop("The bitstream states a length of %(samples)s samples, which cannot be."),
            samples=encoded.num_samples,
        )
    if not 0 <= encoded.payload_bits <= min(8 * len(encoded.payload), 2**32 - 1):
        raise CodecError(
            gettext_noop("The bitstream states %(bits)s bits of payload; it holds %(held)s."),
            bits=encoded.payload_bits,
            held=8 * len(encoded.payload),
        )
    rate = min(encoded.sample_rate, _HIGHEST_RATE)
    if 8 * len(encoded.payload) * rate < (encoded.num_samples - _FREE_SECONDS * rate) * _MIN_BITS_PER_SECOND:
        raise CodecError(
            gettext_noop(
                "The bitstream states a length of %(seconds).0f s; its %(size)s bytes cannot hold that."
            ),
            seconds=encoded.seconds,
            size=len(encoded.payload),
        )
