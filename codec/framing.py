"""Packets inside the files that ffmpeg writes: Ogg (RFC 3533) and AMR (RFC 4867, section 5).

Parsing them here counts exactly the bits that a receiver needs, and keeps malformed files away from the
decoders, which are written in C.
"""

from __future__ import annotations

import struct
import zlib

from codec.base import CodecError

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
            raise CodecError("The Ogg stream is truncated.")
        magic, version, flags, _, serial, sequence, checksum, segments = _PAGE.unpack_from(data, position)
        if magic != b"OggS" or version != 0:
            raise CodecError("The Ogg stream is damaged: a page does not start where it should.")
        position += _PAGE.size
        lacing = data[position : position + segments]
        position += segments
        body = data[position : position + sum(lacing)]
        position += sum(lacing)
        if position > len(data):
            raise CodecError("The Ogg stream is truncated.")
        if _ogg_checksum(data[page_start:position]) != checksum:
            raise CodecError("The Ogg stream is damaged: the checksum of a page is wrong.")
        if number == 0:
            stream = serial
        if (
            serial != stream
            or sequence != number
            or bool(flags & _FIRST) != (number == 0)
            or bool(flags & _CONTINUED) != bool(partial)
        ):
            raise CodecError("The Ogg stream is damaged: its pages do not follow each other.")
        if flags & _LAST and position != len(data):
            raise CodecError("The Ogg stream goes on after its last page.")
        number += 1
        offset = 0
        for size in lacing:
            partial += body[offset : offset + size]
            offset += size
            if size < 255:
                packets.append(partial)
                partial = b""
    if not flags & _LAST or partial:
        raise CodecError("The Ogg stream is truncated: its last page is missing.")
    return packets


def _ogg_checksum(page: bytes) -> int:
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
        raise CodecError(f"The bitstream is no {magic[2:].decode().strip()} file.")
    size = 1 + (speech_bits + 7) // 8
    body = data[len(magic) :]
    if len(body) % size:
        raise CodecError("The AMR bitstream is truncated inside a frame.")
    frames = [body[start : start + size] for start in range(0, len(body), size)]
    # Header byte: 0, frame type (4 bits), 1 for a frame without errors, 00.
    header = frame_type << 3 | 0b100
    if any(frame[0] != header for frame in frames):
        raise CodecError("The AMR bitstream is damaged: it has a frame of another mode.")
    return frames
