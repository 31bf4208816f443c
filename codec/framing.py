"""Packets inside the files that ffmpeg writes: Ogg (RFC 3533), AMR (RFC 4867, section 5), ADTS and MP3.

Parsing them here counts exactly the bits that a receiver needs, and keeps malformed files away from the
decoders, which are written in C.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from codec.base import CodecError, gettext_noop

_PAGE = struct.Struct("<4sBBqIIIB")
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_CHECKSUM_AT = 22
# zlib's CRC-32 takes the bits of each byte in the opposite order to Ogg's; reversing the bits of input and
# result turns one into the other.
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_packets(data: bytes) -> list[bytes]:
    """Split an Ogg file with one logical stream into its packets.

    Raises:
        CodecError: a page is damaged, missing or of another stream, or a packet is incomplete.
    """
    packets: list[bytes] = []
    partial = b""
    position = number = stream = flags = 0
    while position < len(data):
        page_start = position
        if len(data) - position < _PAGE.size:
            raise CodecError(gettext_noop("The Ogg stream is truncated."))
        magic, version, flags, _, serial, sequence, checksum, segments = _PAGE.unpack_from(data, position)
        if magic != b"OggS" or version != 0:
            raise CodecError(
                gettext_noop("The Ogg stream is damaged: a page does not start where it should.")
            )
        position += _PAGE.size
        lacing = data[position : position + segments]
        position += segments
        body = data[position : position + sum(lacing)]
        position += sum(lacing)
        if position > len(data):
            raise CodecError(gettext_noop("The Ogg stream is truncated."))
        if ogg_checksum(data[page_start:position]) != checksum:
            raise CodecError(gettext_noop("The Ogg stream is damaged: the checksum of a page is wrong."))
        if number == 0:
            stream = serial
        if (
            serial != stream
            or sequence != number
            or bool(flags & _FIRST) != (number == 0)
            or bool(flags & _CONTINUED) != bool(partial)
        ):
            raise CodecError(gettext_noop("The Ogg stream is damaged: its pages do not follow each other."))
        if flags & _LAST and position != len(data):
            raise CodecError(gettext_noop("The Ogg stream goes on after its last page."))
        number += 1
        offset = 0
        for size in lacing:
            partial += body[offset : offset + size]
            offset += size
            if size < 255:
                packets.append(partial)
                partial = b""
    if not flags & _LAST or partial:
        raise CodecError(gettext_noop("The Ogg stream is truncated: its last page is missing."))
    return packets


def ogg_checksum(page: bytes) -> int:
    """Ogg's CRC (polynomial 0x04c11db7, start 0) of a page whose own checksum field counts as zero."""
    blank = page[:_CHECKSUM_AT] + bytes(4) + page[_CHECKSUM_AT + 4 :]
    mirrored = zlib.crc32(blank.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def amr_frames(data: bytes, magic: bytes, frame_type: int, speech_bits: int) -> list[bytes]:
    """Split an AMR file into frames of one type, each a header byte and its speech bits.

    Args:
        data: the file.
        magic: what it must start with: ``#!AMR`` or ``#!AMR-WB`` and a line feed.
        frame_type: the only mode allowed, as numbered in the AMR standards.
        speech_bits: of one frame of this mode.

    Raises:
        CodecError: `data` is anything else.
    """
    if not data.startswith(magic):
        raise CodecError(gettext_noop("The bitstream is no %(kind)s file."), kind=magic[2:].decode().strip())
    size = 1 + (speech_bits + 7) // 8
    body = data[len(magic) :]
    if len(body) % size:
        raise CodecError(gettext_noop("The AMR bitstream is truncated inside a frame."))
    frames = [body[start : start + size] for start in range(0, len(body), size)]
    # Header byte: 0, frame type (4 bits), 1 for a frame without errors, 00.
    header = frame_type << 3 | 0b100
    if any(frame[0] != header for frame in frames):
        raise CodecError(gettext_noop("The AMR bitstream is damaged: it has a frame of another mode."))
    return frames


def last_granule(data: bytes) -> int:
    """The granule position of the last page of an Ogg file that `ogg_packets` has taken apart."""
    position, granule = 0, -1
    while position < len(data):
        _, _, _, granule, _, _, _, segments = _PAGE.unpack_from(data, position)
        body = position + _PAGE.size
        position = body + segments + sum(data[body : body + segments])
    return granule


#: Sampling frequencies by their index in ADTS (ISO/IEC 13818-7) and in MPEG-1 layer III (ISO/IEC 11172-3).
_ADTS_RATES = {3: 48_000, 4: 44_100}
_MP3_RATES = (44_100, 48_000, 32_000)
_MP3_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)


def adts_frames(data: bytes, rate: int | None = None, channels: int | None = None) -> list[bytes]:
    """Split an ADTS stream of AAC-LC into its frames, each with its header of 7 bytes.

    Raises:
        CodecError: `data` is anything else, or has not the given sample rate in Hz or number of channels.
    """

    def measure(head: bytes, left: int) -> int:
        if len(head) < 7 or head[0] != 0xFF or head[1] != 0xF1:
            raise CodecError(
                gettext_noop("The AAC stream is damaged: a frame does not start where it should.")
            )
        its_rate = _ADTS_RATES.get(head[2] >> 2 & 0b1111)
        its_channels = (head[2] & 1) << 2 | head[3] >> 6
        # Profile: low complexity. One block of raw data in a frame.
        if head[2] >> 6 != 1 or head[6] & 0b11 or rate not in (None, its_rate):
            raise CodecError(gettext_noop("The AAC stream has a frame of another kind."))
        if channels not in (None, its_channels):
            raise CodecError(gettext_noop("The AAC stream has another number of channels."))
        size = (head[3] & 0b11) << 11 | head[4] << 3 | head[5] >> 5
        if not 7 < size <= left:
            raise CodecError(gettext_noop("The AAC stream is truncated inside a frame."))
        return size

    return _split_frames(data, 7, measure)


def mp3_frames(
    data: bytes, bit_rate: int, rate: int | None = None, channels: int | None = None
) -> list[bytes]:
    """Split a stream of MPEG-1 layer III at a constant `bit_rate` (bit/s) into its frames.

    Raises:
        CodecError: `data` is anything else, or has not the given sample rate in Hz or number of channels.
    """

    def measure(head: bytes, left: int) -> int:
        # Sync word, MPEG-1, layer III, no checksum.
        if len(head) < 4 or head[0] != 0xFF or head[1] != 0xFB:
            raise CodecError(
                gettext_noop("The MP3 stream is damaged: a frame does not start where it should.")
            )
        index, frequency, padding = head[2] >> 4, head[2] >> 2 & 0b11, head[2] >> 1 & 1
        kbps = _MP3_KBPS[index] if index < len(_MP3_KBPS) else 0
        its_rate = _MP3_RATES[frequency] if frequency < len(_MP3_RATES) else 0
        its_channels = 1 if head[3] >> 6 == 0b11 else 2
        if 1000 * kbps != bit_rate or not its_rate or rate not in (None, its_rate):
            raise CodecError(gettext_noop("The MP3 stream has a frame of another kind."))
        if channels not in (None, its_channels):
            raise CodecError(gettext_noop("The MP3 stream has another number of channels."))
        size = 144 * bit_rate // its_rate + padding
        if size > left:
            raise CodecError(gettext_noop("The MP3 stream is truncated inside a frame."))
        return size

    return _split_frames(data, 4, measure)


def _split_frames(data: bytes, header: int, measure: Callable[[bytes, int], int]) -> list[bytes]:
    """Split a stream into frames.

    Args:
        header: bytes of each frame's header.
        measure: checks a header, which the stream's end may cut short, and that its frame is within the bytes
            that are left; returns the frame's size in bytes.
    """
    frames: list[bytes] = []
    position = 0
    while position < len(data):
        size = measure(data[position : position + header], len(data) - position)
        frames.append(data[position : position + size])
        position += size
    return frames
