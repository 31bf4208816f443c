"""Ogg (RFC 3533): links of a chain, streams beside the sound, pages that are damaged or missing.

Decoders stop at the end of the first link, and play what follows a lost page early. Here the pages are read,
the sound's pages of each link are put together, and every page's time stamp (granule position) is compared
with the duration of its packets: where they differ, a part ends and the next begins at its time.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from codec.framing import ogg_checksum
from codec.recordings.plans import (
    CLOCK,
    DAMAGED,
    JOINED,
    KEPT_SILENCE,
    MAX_GAP_SECONDS,
    MAX_PARTS,
    NO_END,
    Plan,
    Source,
    too_many_parts,
)  # fmt: skip
from codec.recordings.spans import Part

_PAGE = struct.Struct("<4sBBqIIIB")
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_MAX_PAGES = 200_000
# What looks like a page and is none is checked all the same, up to 64 kB each.
_MAX_BAD_PAGES = 1_000
_LARGEST = 27 + 255 + 255 * 255
_WINDOW = 1 << 22


@dataclass(frozen=True)
class _Page:
    """A page with a right checksum."""

    start: int
    flags: int
    granule: int
    serial: int
    sequence: int
    lacing: bytes
    body: bytes

    def packets(self) -> Iterator[tuple[bytes, bool, bool]]:
        """Of each packet its bytes in this page, whether it begins here, and whether it ends here."""
        begins = not self.flags & _CONTINUED
        offset = size = 0
        for lace in self.lacing:
            size += lace
            if lace < 255:
                yield self.body[offset : offset + size], begins, True
                offset, size, begins = offset + size, 0, True
        if size or (self.lacing and self.lacing[-1] == 255):
            yield self.body[offset : offset + size], begins, False

    @property
    def bytes(self) -> bytes:
        granule = self.granule & 0xFFFF_FFFF_FFFF_FFFF
        head = struct.pack(
            "<4sBBQIIIB", b"OggS", 0, self.flags, granule, self.serial, self.sequence, 0, len(self.lacing)
        )
        page = head + self.lacing + self.body
        return page[:22] + struct.pack("<I", ogg_checksum(page)) + page[26:]


@dataclass
class _Link:
    """A link of the chain: the pages of its first stream of sound."""

    serials: set[int] = field(default_factory=set)
    sound: int | None = None
    codec: bytes = b""
    rate: int = 0
    pre_skip: int = 0
    pages: list[_Page] = field(default_factory=list)
    others: bool = False


def plan(source: Source) -> Plan | None:
    """The plan of an Ogg file; None if it has no sound that can be followed."""
    pages, damaged, cut = _read_pages(source)
    links = [link for link in _links(pages) if link.sound is not None and link.pages]
    if not links:
        return None
    made = Plan(cut=cut)
    parts: list[Part] = []
    plain = len(links) == 1 and not damaged and not cut and not links[0].others and pages[0].start == 0
    start = 0.0  # of the link, in seconds
    for link in links:
        headers, audio = _split_headers(link)
        if headers is None:
            return None
        if not cut and not link.pages[-1].flags & _LAST:
            made.say(NO_END)
            plain = False
        stretches = _stretches(link, headers, audio, made, start)
        if stretches is None:
            # Only the pages can be checked, not their times.
            parts.append(Part((_write(headers, audio, 0),), foreign=link.codec not in (b"vorbis", b"opus")))
            if damaged:
                made.say(DAMAGED, at=start)
            continue
        plain = (
            plain and len(stretches) == 1 and not made.notes and audio[0].sequence == headers[-1].sequence + 1
        )
        # A stream may begin at any time; but what is lost at its beginning was there.
        whole = bool(headers) and audio[0].sequence == headers[-1].sequence + 1
        position = (stretches[0].start if whole else 0) + link.pre_skip
        jumped = -position
        for number, stretch in enumerate(stretches):
            if whole and not number:
                content, at = _write(headers, stretch.pages, stretch.start), None
            else:
                gap = stretch.start - position
                seconds, where = gap / link.rate, start + (position + jumped) / link.rate
                if 0 <= seconds <= MAX_GAP_SECONDS:
                    made.say(KEPT_SILENCE, seconds=seconds, at=where)
                else:
                    made.say(CLOCK, seconds=seconds, at=where)
                    jumped -= gap
                content = _write(_without_skip(headers), stretch.pages, stretch.start)
                at = start + (stretch.start + jumped) / link.rate
            parts.append(Part((content,), at))
            position = stretch.stop
            if len(parts) > MAX_PARTS:
                raise too_many_parts()
        start += (position + jumped) / link.rate
    if len(links) > 1:
        made.say(JOINED, count=len(links))
    made.parts = (Part(foreign=parts[0].foreign),) if plain else parts
    return made


def _read_pages(source: Source) -> tuple[list[_Page], bool, bool]:
    """The pages whose checksums are right; whether any is damaged; whether the file ends inside one."""
    pages: list[_Page] = []
    damaged = bad = False  # the whole file, and what has just been read
    window, base, position, end, bad_pages = b"", 0, 0, 0, 0
    while position < source.size:
        if position + _LARGEST > base + len(window) and base + len(window) < source.size:
            window, base = source.read(position, _WINDOW), position
        at = position - base
        found = window.find(b"OggS", at)
        if found != at:
            if found < 0:
                position = max(position + 1, base + len(window) - 3)
                if base + len(window) >= source.size:
                    break
            else:
                position = base + found
            continue
        if len(window) - at < _PAGE.size:
            return pages, damaged, True
        _, version, flags, granule, serial, sequence, checksum, count = _PAGE.unpack_from(window, at)
        lacing = window[at + _PAGE.size : at + _PAGE.size + count]
        size = _PAGE.size + count + sum(lacing)
        whole = window[at : at + size]
        if version == 0 and len(whole) == size and ogg_checksum(whole) == checksum:
            body = whole[_PAGE.size + count :]
            pages.append(_Page(position, flags, granule, serial, sequence, lacing, body))
            if len(pages) > _MAX_PAGES:
                raise too_many_parts()
            # Between pages there is nothing, in a whole file.
            damaged = damaged or bad or (len(pages) > 1 and position != end)
            position += size
            end, bad = position, False
        elif version == 0 and len(whole) < size and window.find(b"OggS", at + 4) < 0:
            return pages, damaged, True
        else:
            bad = True
            bad_pages += 1
            if bad_pages > _MAX_BAD_PAGES:
                raise too_many_parts()
            position += 4
    return pages, damaged, bad


def _links(pages: Sequence[_Page]) -> list[_Link]:
    links: list[_Link] = []
    beginning = False
    for page in pages:
        if page.flags & _FIRST:
            if not beginning:
                links.append(_Link())
            beginning = True
            links[-1].serials.add(page.serial)
            if links[-1].sound is None:
                _identify(links[-1], page)
            else:
                links[-1].others = True
            if links[-1].sound != page.serial:
                links[-1].others = True
        else:
            beginning = False
        if links and page.serial == links[-1].sound:
            links[-1].pages.append(page)
    return links


def _identify(link: _Link, page: _Page) -> None:
    head = page.body
    if head.startswith(b"\x01vorbis") and len(head) >= 30:
        link.codec, link.rate = b"vorbis", int.from_bytes(head[12:16], "little")
    elif head.startswith(b"OpusHead") and len(head) >= 19:
        link.codec, link.rate = b"opus", 48_000
        link.pre_skip = int.from_bytes(head[10:12], "little")
    elif head.startswith(b"\x7fFLAC"):
        link.codec = b"flac"
    elif head.startswith(b"Speex   "):
        link.codec = b"speex"
    else:
        return
    link.sound = page.serial


def _split_headers(link: _Link) -> tuple[list[_Page] | None, list[_Page]]:
    """The pages of the headers, which end with a page, and those of the sound."""
    wanted = {b"vorbis": 3, b"opus": 2}.get(link.codec)
    if wanted is None:
        return [], link.pages
    ended = 0
    for number, page in enumerate(link.pages):
        ended += sum(ends for _, _, ends in page.packets())
        if ended >= wanted:
            return link.pages[: number + 1], link.pages[number + 1 :]
    return None, []


@dataclass(frozen=True)
class _Stretch:
    """Pages that follow each other: from `start` to before `stop`, in samples of the stream's clock."""

    pages: list[_Page]
    start: int
    stop: int


def _stretches(
    link: _Link, headers: Sequence[_Page], audio: Sequence[_Page], made: Plan, at: float
) -> list[_Stretch] | None:
    """The pages between the gaps; None if the packets' durations cannot be told.

    A clock that was set is set back, and noted in `made`; `at` is the link's beginning in seconds.
    """
    duration = _durations(link, headers)
    if duration is None or not link.rate or not audio:
        return None
    tolerance = link.rate // 500
    found: list[_Stretch] = []
    pages: list[_Page] = []
    start: int | None = None
    position = shift = 0
    sequence = link.pages[len(link.pages) - len(audio) - 1].sequence
    first = b""  # bytes of a packet that goes on in the next page
    for page in audio:
        follows = page.sequence == (sequence + 1) & 0xFFFF_FFFF
        if not follows:
            _close(found, pages, start, position)
            pages, start, first = [], None, b""
            duration.restart()
        sequence = page.sequence
        carried = first
        length, first = _page_length(page, carried, duration)
        if page.granule != -1:
            gap = page.granule - shift - position - length
            if start is not None and abs(gap) > tolerance:
                if follows and not 0 <= gap <= MAX_GAP_SECONDS * link.rate and page is not audio[-1]:
                    # The clock was set, and nothing is missing.
                    made.say(CLOCK, seconds=gap / link.rate, at=at + position / link.rate)
                    shift += gap
                elif gap > 0 or page is not audio[-1]:  # else what the end is trimmed by
                    # A hole that no sequence number shows.
                    _close(found, pages, start, position)
                    pages, start = [], None
                    duration.restart()
                    length, first = _page_length(page, carried, duration)
            now = page.granule - shift
            if start is None:
                start = now - length
                if not found:
                    start = max(0, start)  # below 0: trimmed, which is the decoder's business
            position = now
            page = replace(page, granule=now)
        pages.append(page)
    _close(found, pages, start, position)
    return found or None


def _close(found: list[_Stretch], pages: list[_Page], start: int | None, stop: int) -> None:
    kept = list(pages)
    while kept and kept[-1].granule == -1:  # of a packet that never ends
        kept.pop()
    if kept and start is not None:
        found.append(_Stretch(kept, start, stop))


def _page_length(page: _Page, first: bytes, duration: _Durations) -> tuple[int, bytes]:
    """Samples of the packets that end in a page, and the first bytes of one that goes on after it."""
    length = 0
    for data, begins, ends in page.packets():
        if begins:
            first = data[:2]
        if ends:
            length += duration.of(first) if first else 0
            first = b""
    return length, first


class _Durations(ABC):
    """How many samples each packet gives, by its first bytes."""

    def restart(self) -> None:  # noqa: B027 -- most have no memory
        """Packets follow that nothing came before."""

    @abstractmethod
    def of(self, packet: bytes) -> int: ...


class _Opus(_Durations):
    """RFC 6716, 3.1 and 3.2: configuration and number of frames, at 48 kHz."""

    def of(self, packet: bytes) -> int:
        configuration, code = packet[0] >> 3, packet[0] & 3
        if configuration < 12:
            frame = (480, 960, 1920, 2880)[configuration & 3]
        elif configuration < 16:
            frame = (480, 960)[configuration & 1]
        else:
            frame = (120, 240, 480, 960)[configuration & 3]
        count = 1 if code == 0 else 2 if code < 3 else packet[1] & 63 if len(packet) > 1 else 0
        return frame * count


class _Vorbis(_Durations):
    """Vorbis I, 4.3.8: a quarter of this block's size and of the one's before."""

    def __init__(self, sizes: tuple[int, int], long: Sequence[bool]) -> None:
        self._sizes, self._long = sizes, long
        self._bits = max(0, len(long) - 1).bit_length()
        self._before: int | None = None

    def restart(self) -> None:
        self._before = None

    def of(self, packet: bytes) -> int:
        mode = packet[0] >> 1 & (1 << self._bits) - 1
        if packet[0] & 1 or mode >= len(self._long):
            return 0  # no packet of sound
        size = self._sizes[self._long[mode]]
        length = 0 if self._before is None else (self._before + size) // 4
        self._before = size
        return length


def _durations(link: _Link, headers: Sequence[_Page]) -> _Durations | None:
    if link.codec == b"opus":
        return _Opus()
    packets = [b""]
    for page in headers:
        for data, _, ends in page.packets():
            packets[-1] += data
            if ends:
                packets.append(b"")
    if link.codec != b"vorbis" or len(packets) < 3:
        return None
    sizes = 1 << (packets[0][28] & 15), 1 << (packets[0][28] >> 4)
    long = _modes(packets[2])
    return _Vorbis(sizes, long) if long else None


def _modes(setup: bytes) -> list[bool]:
    """Which modes have long blocks. They are the last thing in the setup header (Vorbis I, 4.2.4).

    As nothing before them says where they begin, they are read from the end: a mode has 41 bits, of which the
    two types of 16 bits are zero, and before them stands their number less one in 6 bits.
    """
    bits = int.from_bytes(setup, "little")
    at = bits.bit_length() - 1  # the framing bit
    found: list[bool] = []
    best: list[bool] = []
    while at >= 41 and len(found) < 64:
        at -= 41
        if bits >> at + 1 & 0xFFFF_FFFF:
            break
        found.insert(0, bool(bits >> at & 1))
        if at >= 6 and (bits >> at - 6 & 63) + 1 == len(found):
            best = list(found)
    return best


def _write(headers: Sequence[_Page], audio: Sequence[_Page], origin: int) -> bytes:
    """An Ogg file of these pages, its clock beginning at `origin`."""
    written = []
    for number, page in enumerate([*headers, *audio]):
        is_sound = number >= len(headers)
        flags = page.flags & _CONTINUED | (_FIRST if number == 0 else 0)
        if number == len(headers) + len(audio) - 1:
            flags |= _LAST
        granule = max(0, page.granule - origin) if is_sound and page.granule != -1 else page.granule
        written.append(replace(page, flags=flags, sequence=number, granule=granule).bytes)
    return b"".join(written)


def _without_skip(headers: Sequence[_Page]) -> list[_Page]:
    """The headers of a stream that goes on: nothing is to be left out at its beginning."""
    first = headers[0]
    if not first.body.startswith(b"OpusHead"):
        return list(headers)
    return [replace(first, body=first.body[:10] + b"\0\0" + first.body[12:]), *headers[1:]]
