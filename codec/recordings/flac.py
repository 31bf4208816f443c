"""FLAC: streams whose header does not state the length, and damage inside.

libsndfile gives nothing of a stream without a length, and nothing of what follows a damaged frame. Here the
frames are found by their headers (RFC 9639, 9.1), each with a checksum and its number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from codec.recordings.plans import (
    JOINED,
    KEPT_SILENCE,
    MAX_GAP_SECONDS,
    MAX_PARTS,
    UNKNOWN_LENGTH,
    Plan,
    Source,
    too_many_parts,
)
from codec.recordings.spans import Part

_SYNC = re.compile(rb"\xff[\xf8\xf9]")
# The magic number and the head of STREAMINFO: 34 bytes.
_STREAM = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
_MAX_CANDIDATES = 2_000_000
_WINDOW = 1 << 22
_RATES = (0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)


@dataclass(frozen=True)
class _Info:
    """STREAMINFO: where it and the frames begin, samples per block, rate and length."""

    at: int
    frames_at: int
    block: int
    rate: int
    total: int


@dataclass(frozen=True)
class _Frame:
    start: int
    sample: int
    size: int  # in samples


def _read_info(source: Source) -> _Info | None:
    start = source.read(0, 1 << 16).find(b"fLaC")
    if start < 0:
        return None
    position, found = start + 4, b""
    for _ in range(1000):
        head = source.read(position, 4)
        if len(head) < 4:
            return None
        if head[0] & 127 == 0:
            found = source.read(position + 4, 18)
        position += 4 + int.from_bytes(head[1:], "big")
        if head[0] & 128:
            break
    if len(found) < 18:
        return None
    packed = int.from_bytes(found[10:18], "big")
    if not packed >> 44:
        return None  # no rate
    block = int.from_bytes(found[2:4], "big")
    return _Info(start, position, block, packed >> 44, packed & (1 << 36) - 1)


def plan(source: Source) -> Plan | None:
    """The plan of a FLAC file; None if it has no STREAMINFO."""
    info = _read_info(source)
    if info is None:
        return None
    made = Plan()
    starts = _find_streams(source)
    if len(starts) > 1:
        made.say(JOINED, count=len(starts))
        made.parts = [Part((range(*each),)) for each in pairwise([*starts, source.size])]
        return made
    if info.total:
        made.claims.append(info.total)
        return made
    frames = _find_frames(source, info)
    if not frames:
        return None
    made.say(UNKNOWN_LENGTH)
    total = frames[-1].sample + frames[-1].size - frames[0].sample
    made.parts = (Part((_head(source, info, total), range(info.frames_at, source.size))),)
    return made


def _find_streams(source: Source) -> list[int]:
    """Where each file of those that were put one after the other begins."""
    starts: list[int] = []
    position = 0
    while position < source.size and len(starts) <= MAX_PARTS:
        window = source.read(position, _WINDOW)
        starts += [position + match.start() for match in _STREAM.finditer(window)]
        if position + len(window) >= source.size:
            break
        position += len(window) - 7
    if len(starts) > MAX_PARTS:
        raise too_many_parts()
    return list(dict.fromkeys(starts))


def mend(source: Source) -> Plan | None:
    """The plan of a file that libsndfile gave up on: without the damaged frames; None if that is no use.

    ffmpeg decodes it, which takes frames as they come, whatever their numbers.
    """
    info = _read_info(source)
    frames = _find_frames(source, info) if info else []
    if info is None or not frames:
        return None
    ends = [*[frame.start for frame in frames[1:]], source.size]
    right = _check(source, frames, ends)
    good = [(frame, end) for frame, end, is_right in zip(frames, ends, right, strict=True) if is_right]
    whole = len(good) == len(frames) and frames[0].sample == 0
    if not good or (whole and frames[-1].sample + frames[-1].size == info.total):
        return None
    made = Plan()
    if not info.total:
        made.say(UNKNOWN_LENGTH)
    else:
        made.claims.append(info.total)
    parts = []
    position = 0
    run: list[range] = []
    begun = 0
    for frame, end in [*good, (None, 0)]:
        if frame is not None and frame.sample - position > MAX_GAP_SECONDS * info.rate:
            frame = None  # no sound is lost for so long: a number is damaged
        if frame is None or frame.sample > position:
            if run:
                parts.append(
                    Part((_head(source, info, position - begun), *run), at=begun / info.rate, foreign=True)
                )
                run = []
            if frame is None:
                break
            gap = frame.sample - position
            made.say(KEPT_SILENCE, seconds=gap / info.rate, at=position / info.rate)
        if not run:
            begun = frame.sample
        run.append(range(frame.start, end))
        position = frame.sample + frame.size
    made.parts = parts
    made.cut = not right[-1]
    return made


def _head(source: Source, info: _Info, total: int) -> bytes:
    """The stream's head, without comments and pictures, with its true length and no checksum of the whole."""
    streaminfo = bytearray(source.read(info.at + 8, 34))
    packed = int.from_bytes(streaminfo[10:18], "big") >> 36 << 36 | total
    streaminfo[10:18] = packed.to_bytes(8, "big")
    streaminfo[18:34] = bytes(16)
    return b"fLaC\x80\0\0\x22" + bytes(streaminfo)


def _find_frames(source: Source, info: _Info) -> list[_Frame]:
    """Frames in order of their numbers; what looks like one by chance does not follow the one before."""
    candidates: list[_Frame] = []
    position = info.frames_at
    tried = 0
    while position < source.size:
        window = source.read(position, _WINDOW)
        for match in _SYNC.finditer(window, 0, max(0, len(window) - 17) or len(window)):
            tried += 1
            if tried > _MAX_CANDIDATES:
                raise too_many_parts()
            frame = _header(window[match.start() : match.start() + 17], position + match.start(), info)
            if frame is not None:
                candidates.append(frame)
        if position + len(window) >= source.size:
            break
        position += max(1, len(window) - 17)
    found: list[_Frame] = []
    by_sample = {frame.sample for frame in candidates}
    for frame in candidates:
        expected = found[-1].sample + found[-1].size if found else frame.sample
        follows = frame.sample + frame.size in by_sample
        if frame.sample == expected or (frame.sample > expected and follows):
            found.append(frame)
    return found


def _header(head: bytes, start: int, info: _Info) -> _Frame | None:
    if len(head) < 6:
        return None
    size_code, rate_code, channels, bits = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] >> 1 & 7
    if size_code == 0 or rate_code == 15 or channels > 10 or bits == 3 or head[3] & 1:
        return None
    lead = head[4]
    length = 1 if lead < 0x80 else 8 - (lead ^ 0xFF).bit_length()
    if lead >= 0x80 and (length < 2 or length > 7):
        return None
    if len(head) < 4 + length + 1:
        return None
    number = lead if length == 1 else lead & (0x7F >> length)
    for byte in head[5 : 4 + length]:
        if byte >> 6 != 2:
            return None
        number = number << 6 | byte & 63
    at = 4 + length
    if size_code in (6, 7):
        width = size_code - 5
        size = int.from_bytes(head[at : at + width], "big") + 1
        at += width
    else:
        size = 192 if size_code == 1 else 576 << size_code - 2 if size_code < 6 else 256 << size_code - 8
    at += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if len(head) <= at or _crc8(head[:at]) != head[at]:
        return None
    sample = number if head[1] & 1 else number * info.block
    return _Frame(start, sample, size)


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


def _table(polynomial: int, bits: int) -> list[int]:
    table = []
    for value in range(256):
        crc = value << bits - 8
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc >> bits - 1 else 0)) & (1 << bits) - 1
        table.append(crc)
    return table


_CRC8 = _table(0x07, 8)
_CRC16 = np.array(_table(0x8005, 16), dtype=np.uint32)


def _check(source: Source, frames: Sequence[_Frame], ends: Sequence[int]) -> NDArray[np.bool_]:
    """Whether each frame's checksum is right: over all its bytes it comes out as 0."""
    right = np.zeros(len(frames), dtype=bool)
    for first in range(0, len(frames), 256):
        some = range(first, min(first + 256, len(frames)))
        sizes = np.array([ends[i] - frames[i].start for i in some])
        if sizes.max() > 1 << 20:  # no frame is so long
            continue
        block = np.zeros((len(some), int(sizes.max())), dtype=np.uint8)
        for row, i in enumerate(some):
            block[row, : sizes[row]] = np.frombuffer(source.read(frames[i].start, int(sizes[row])), np.uint8)
        crc = np.zeros(len(some), dtype=np.uint32)
        for column in range(block.shape[1]):
            following = (crc << 8 & 0xFFFF) ^ _CRC16[(crc >> 8) ^ block[:, column]]
            crc = np.where(column < sizes, following, crc)
        right[first : first + len(some)] = crc == 0
    return right
