"""MP3: every frame is found, and what the tag in the first one claims is compared with what is there.

Decoders believe the tag (Xing, Info, VBRI), or guess the length from the first frame's bit rate: a file of
variable bit rate without a tag, or with a wrong one, ends early. Here the frames are counted and a tag with
the true number goes before them. Files one after the other are decoded one after the other, each without the
delay and the padding that its own tag states.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field, replace

from codec.recordings.plans import (
    JOINED,
    KEPT_SILENCE,
    MAX_PARTS,
    NO_DELAY,
    UNKNOWN_LENGTH,
    Plan,
    Source,
    too_many_parts,
)
from codec.recordings.spans import Part, Piece

# Bit rates in kbit/s by (MPEG 1?, layer), ISO/IEC 11172-3 and 13818-3.
_RATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# LAME's encoder delay, samples; it signs its frames where they are padded.
_LAMES_DELAY = 576
_SIGNATURE = b"LAME3."
_WINDOW = 1 << 20
# Of finding a frame in what is none.
_MAX_ATTEMPTS = 100_000


@dataclass(frozen=True)
class _Header:
    """A frame's header: what stays through a stream, and its own length in bytes."""

    mpeg1: bool
    layer: int
    rate: int
    mono: bool
    samples: int
    size: int

    @property
    def stream(self) -> tuple[bool, int, int, bool]:
        return self.mpeg1, self.layer, self.rate, self.mono


def _header(head: bytes) -> _Header | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate_index, frequency = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or rate_index in (0, 15) or frequency == 3 or head[3] & 3 == 2:
        return None
    mpeg1 = version == 3
    rate = (44100, 48000, 32000)[frequency] >> {3: 0, 2: 1, 0: 2}[version]
    bits = 1000 * _RATES[mpeg1, layer][rate_index - 1]
    padding = head[2] >> 1 & 1
    samples = 384 if layer == 1 else 1152 if layer == 2 or mpeg1 else 576
    size = (12 * bits // rate + padding) * 4 if layer == 1 else samples // 8 * bits // rate + padding
    return _Header(mpeg1, layer, rate, head[3] >> 6 == 3, samples, size)


@dataclass
class _Link:
    """Frames that belong together: one file of those that were put one after the other."""

    first: _Header
    head: bytes
    pieces: list[Piece] = field(default_factory=list)
    frames: int = 0
    tag: bytes = b""
    tag_size: int = 0
    lost: list[tuple[int, int]] = field(default_factory=list)  # frame number, frames that are missing
    bytes: int = 0
    smallest: int = 1 << 30
    largest: int = 0

    def add(self, start: int, stop: int) -> None:
        last = self.pieces[-1] if self.pieces else None
        if isinstance(last, range) and last.stop == start:
            self.pieces[-1] = range(last.start, stop)
        else:
            self.pieces.append(range(start, stop))
        self.frames += 1
        self.bytes += stop - start
        self.smallest, self.largest = min(self.smallest, stop - start), max(self.largest, stop - start)

    @property
    def variable(self) -> bool:
        """Whether frames differ by more than a byte of padding: the bit rate varies."""
        return self.largest - self.smallest > 1


def plan(source: Source, within: range) -> Plan | None:
    """The plan of the MPEG audio in a stretch of a file; None if there is none that can be followed."""
    links, cut, clean = _walk(source, within)
    if not links:
        return None
    rate = links[0].first.rate
    made = Plan(parts=(), cut=cut)
    parts = []
    claimed = before = 0.0  # seconds
    for link in links:
        tagged = _read_tag(link)
        if not tagged.delay and _is_lames(source, link):
            tagged = replace(tagged, delay=_LAMES_DELAY)
        seconds = link.first.samples / link.first.rate  # of a frame
        if tagged.frames:
            stated = tagged.frames * link.first.samples - tagged.delay - tagged.padding
            claimed += max(0, stated) / link.first.rate
        elif tagged.frames == 0 or (not link.tag and link.variable):
            made.say(UNKNOWN_LENGTH)
        for at, count in link.lost:
            made.say(KEPT_SILENCE, seconds=count * seconds, at=before + at * seconds)
        # Layers I and II have no tag and no delay that is stated anywhere.
        pieces = _mended(link, tagged) if link.first.layer == 3 else tuple(link.pieces)
        if len(links) == 1 and tagged.frames == link.frames and len(within) == source.size and clean:
            pieces = ()  # as it should be
        if not tagged.delay:
            made.say(NO_DELAY)
        parts.append(Part(pieces))
        before += link.frames * seconds
        made.tolerance = max(made.tolerance, 2 * link.first.samples)
    if len(links) > 1:
        made.say(JOINED, count=len(links))
    if claimed and all(_read_tag(link).frames for link in links):
        made.claims.append(round(claimed * rate))
    if len(parts) > MAX_PARTS:
        raise too_many_parts()
    made.parts = parts
    return made


def _walk(source: Source, within: range) -> tuple[list[_Link], bool, bool]:
    """All frames, in links; whether the last frame is cut off; whether there is nothing else."""
    links: list[_Link] = []
    link: _Link | None = None
    position, stop = within.start, within.stop
    window, base = b"", position
    lost_from: int | None = None
    clean = True
    attempts = 0

    def peek(at: int, count: int) -> bytes:
        nonlocal window, base
        if not base <= at <= base + len(window) - count:
            window, base = source.read(at, min(_WINDOW, max(0, stop - at))), at
        return window[at - base : at - base + count]

    while position + 4 <= stop:
        head = peek(position, 10)
        found = _header(head)
        if found and lost_from is not None:
            # After damage one header may be chance: two have to follow each other.
            following = _header(peek(position + found.size, 4))
            last = position + found.size + 4 > stop
            alone = not last and (following is None or following.stream != found.stream)
            other = link is not None and found.stream != link.first.stream
            if alone or (other and not _tag_at(peek(position, 200), found)):
                found = None
        if found is None:
            if (skip := _skip_tag(head, position, stop)) is not None:
                lost_from = None
                position += skip
                continue
            if lost_from is None:
                lost_from = position
                clean = False
            attempts += 1
            if attempts > _MAX_ATTEMPTS:
                return [link for link in links if link.frames], True, False
            position = _next_sync(peek, position + 1, stop)
            continue
        frame = peek(position, min(found.size, 400))
        tag = found.layer == 3 and _tag_at(frame, found)
        new = link is None or tag or found.stream != link.first.stream
        if lost_from is not None and link is not None and not new:
            _lose(link, position - lost_from)
        lost_from = None
        if position + found.size > stop:
            return [link for link in links if link.frames], True, False  # the last frame is not whole
        if new:
            link = _Link(found, head[:4])
            links.append(link)
            if len(links) > MAX_PARTS:
                raise too_many_parts()
        assert link is not None  # noqa: S101
        if tag:
            link.tag, link.tag_size = frame, found.size
        else:
            link.add(position, position + found.size)
        position += found.size
    cut = lost_from is not None and stop - lost_from > 128
    return [link for link in links if link.frames], cut, clean


def _next_sync(peek: object, position: int, stop: int) -> int:
    while position < stop:
        window = peek(position, min(4096, stop - position))  # type: ignore[operator]
        match = re.search(rb"\xff[\xe2-\xff]|ID3|TAG|APETAGEX", window)
        if match:
            return position + int(match.start())
        position += max(1, len(window) - 7)
    return stop


def _skip_tag(head: bytes, position: int, stop: int) -> int | None:
    """The size of what players skip: ID3 before a file, ID3v1 and APE after it, zeros."""
    if head[:3] == b"ID3" and len(head) == 10:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:3] == b"TAG":
        return 128
    if head[:8] == b"APETAGEX":
        return stop - position if stop - position < 1 << 16 else 32
    return None


def _lose(link: _Link, size: int) -> None:
    """Damage of `size` bytes: as many silent frames as fit there, so that the rest stays in time."""
    mean = link.bytes / max(1, link.frames)
    count = round(size / mean) if mean else 0
    if not count:
        return
    link.lost.append((link.frames, count))
    # A frame without side information is silent; one of the same bit rate keeps the decoder's reservoir.
    head = bytes([link.head[0], link.head[1] | 1, *link.head[2:]])
    frame = head + bytes(link.first.size - 4)
    link.pieces.append(frame * min(count, 10_000))
    link.frames += min(count, 10_000)


def _side_size(header: _Header) -> int:
    if header.mpeg1:
        return 17 if header.mono else 32
    return 9 if header.mono else 17


def _tag_at(frame: bytes, header: _Header) -> bool:
    at = 4 + _side_size(header)
    return frame[at : at + 4] in (b"Xing", b"Info") or frame[36:40] == b"VBRI"


@dataclass(frozen=True)
class _Tag:
    """What a link's tag states: its number of frames; delay and padding in samples; how it was made."""

    frames: int | None = None
    delay: int = 0
    padding: int = 0


def _is_lames(source: Source, link: _Link) -> bool:
    first = next((piece for piece in link.pieces if isinstance(piece, range)), range(0))
    return link.first.layer == 3 and _SIGNATURE in source.read(first.start, min(len(first), 1 << 16))


def _read_tag(link: _Link) -> _Tag:
    if not link.tag:
        return _Tag()
    at = 4 + _side_size(link.first)
    if link.tag[36:40] == b"VBRI":
        return _Tag(int.from_bytes(link.tag[50:54], "big"))
    flags = int.from_bytes(link.tag[at + 4 : at + 8], "big")
    place = at + 8
    frames = None
    if flags & 1:
        frames = int.from_bytes(link.tag[place : place + 4], "big")
        place += 4
    place += (4 if flags & 2 else 0) + (100 if flags & 4 else 0) + (4 if flags & 8 else 0)
    extension = link.tag[place : place + 36]
    if len(extension) >= 24 and re.match(rb"[A-Za-z]{3}", extension):
        both = int.from_bytes(extension[21:24], "big")
        if both:
            return _Tag(frames, both >> 12, both & 0xFFF)
    return _Tag(frames)


def _mended(link: _Link, stated: _Tag) -> tuple[Piece, ...]:
    """The link after a tag with its true number of frames, and the delay and padding that were stated."""
    side = _side_size(link.first)
    # A frame that is large enough for the tag: the highest bit rate of the table.
    for index in range(1, 15):
        head = bytes([link.head[0], link.head[1] | 1, index << 4 | link.head[2] & 0x0C, link.head[3]])
        header = _header(head)
        if header is not None and header.size >= 4 + side + 8 + 4 + 36:
            break
    assert header is not None  # noqa: S101
    tag = head + bytes(side) + b"Info" + struct.pack(">II", 1, link.frames)
    if stated.delay or stated.padding:
        tag += b"LAME3.100".ljust(21, b"\0") + (stated.delay << 12 | stated.padding).to_bytes(3, "big")
    return (tag.ljust(header.size, b"\0"), *link.pieces)


def begins(head: bytes) -> bool:
    """Whether a file's first bytes are two frames that belong together, or the first of a long one."""
    first = _header(head)
    if first is None:
        return False
    following = _header(head[first.size :])
    return following.stream == first.stream if following else len(head) < first.size + 4
