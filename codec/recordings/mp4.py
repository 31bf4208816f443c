"""MP4, M4A, MOV and 3GP: how long the edit list says that the sound is.

The last frame of AAC is filled up, and only the edit list (ISO/IEC 14496-12, 8.6.6) knows where the sound
ends. ffmpeg cuts the beginning by it, and leaves the end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from codec.recordings.plans import NO_DELAY, Plan, Source
from codec.recordings.spans import Part

_MAX_BOXES = 10_000


def plan(source: Source) -> Plan:
    edited, exact = _edited(source)
    made = Plan((Part(foreign=True, seconds=edited),))
    if not exact:
        made.say(NO_DELAY)
    return made


def _boxes(source: Source, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, beginning and end of the content of each box."""
    for _ in range(_MAX_BOXES):
        head = source.read(start, 16)
        if start + 8 > end or len(head) < 8:
            return
        size, name = struct.unpack(">I4s", head[:8])
        content = start + 8
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack(">Q", head[8:])
            content = start + 16
        stop = end if size == 0 else start + size
        if stop < content or stop > end:
            return
        yield name, content, stop
        start = stop


def _find(source: Source, within: tuple[int, int], *path: bytes) -> tuple[int, int] | None:
    for name in path:
        found = next((box[1:] for box in _boxes(source, *within) if box[0] == name), None)
        if found is None:
            return None
        within = found
    return within


def _edited(source: Source) -> tuple[float | None, bool]:
    """Seconds of the first track of sound by its only edit, None if there is none, or several.

    And whether its delay is known: AAC has one, which only an edit can state.
    """
    movie = _find(source, (0, source.size), b"moov")
    header = movie and _find(source, movie, b"mvhd")
    if not movie or not header:
        return None, True
    scale = _field(source, header, 12, 20)
    for name, *track in _boxes(source, *movie):
        if name != b"trak":
            continue
        handler = _find(source, (track[0], track[1]), b"mdia", b"hdlr")
        if not handler or source.read(handler[0] + 8, 4) != b"soun":
            continue
        edits = _find(source, (track[0], track[1]), b"edts", b"elst")
        if not edits:
            table = _find(source, (track[0], track[1]), b"mdia", b"minf", b"stbl", b"stsd")
            return None, not table or source.read(table[0] + 12, 4) != b"mp4a"
        count = int.from_bytes(source.read(edits[0] + 4, 4), "big")
        wide = source.read(edits[0], 1) == b"\1"
        duration = int.from_bytes(source.read(edits[0] + 8, 8 if wide else 4), "big")
        # Half a unit more, as the list is rounded to units.
        return (duration + 0.5) / scale if count == 1 and scale and duration else None, True
    return None, True


def _field(source: Source, box: tuple[int, int], at: int, wide_at: int) -> int:
    """A field of 32 bits after two times of 32 bits, or of 64 in version 1."""
    wide = source.read(box[0], 1) == b"\1"
    return int.from_bytes(source.read(box[0] + (wide_at if wide else at), 4), "big")
