"""WAV, RF64, BW64, W64, AIFF, AU, CAF and NIST SPHERE: what their headers claim, and what is there.

libsndfile believes the headers of some of these, and mends those of others without a word. Here the lengths
are compared with the file, and a header that is wrong is mended before libsndfile sees it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from codec.base import AudioError, gettext_noop
from codec.recordings import mpeg
from codec.recordings.plans import JOINED, MAX_PARTS, UNKNOWN_LENGTH, Plan, Source, too_many_parts
from codec.recordings.spans import Part, Piece

_MAX_CHUNKS = 10_000
_MAX_FILL = 1 << 16
# What programs write that do not know the length yet: 0 and the largest sizes, signed and unsigned.
_UNKNOWN_FROM = 0x7FFF_0000
_PCM, _MS_ADPCM, _FLOAT, _ALAW, _ULAW, _IMA_ADPCM, _GSM = 1, 2, 3, 6, 7, 0x11, 0x31
_MPEG = (0x50, 0x55)
#: Encodings of WAV whose lengths are understood here.
_KNOWN = (_PCM, _MS_ADPCM, _FLOAT, _ALAW, _ULAW, _IMA_ADPCM, _GSM)


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    start: int
    size: int


def _chunks(source: Source, start: int, end: int, order: str) -> Iterator[_Chunk]:
    for _ in range(_MAX_CHUNKS):
        head = source.read(start, 8)
        if start + 8 > end or len(head) < 8:
            return
        name, size = struct.unpack(f"{order}4sI", head)
        yield _Chunk(name, start + 8, size)
        start += 8 + size + size % 2


def plan_wav(source: Source) -> Plan | None:
    """The plan of a WAV file; None if it has no structure that can be followed."""
    plan = Plan(parts=())
    if source.read(0, 4) in (b"RF64", b"BW64"):
        plan.container = "RF64"
    parts: list[Part] = []
    start = claimed = links = 0
    whole = True
    while True:
        one = _read_wav(source, start, plan)
        if one is None:
            if start == 0:
                return None
            break
        parts += one.parts
        whole = whole and one.whole
        links += 1
        claimed += one.claimed
        plan.tolerance = max(plan.tolerance, one.tolerance)
        start = one.end
        if len(parts) > MAX_PARTS:
            raise too_many_parts()
        if source.read(start, 4) not in (b"RIFF", b"RF64", b"RIFX", b"BW64"):
            break
    if links > 1:
        plan.say(JOINED, count=links)
    elif whole and start == source.size and parts[0].pieces:
        parts = [Part(skip=parts[0].skip, frames=parts[0].frames)]  # nothing was mended
    plan.parts = parts
    if claimed:
        plan.claims.append(claimed)
    return plan


@dataclass(frozen=True)
class _Wav:
    parts: list[Part]
    claimed: int
    tolerance: int
    end: int
    whole: bool = False  # whether libsndfile reads it right as it is


def _read_wav(source: Source, start: int, plan: Plan) -> _Wav | None:
    head = source.read(start, 12)
    if len(head) < 12 or head[8:] != b"WAVE":
        return None
    order = ">" if head[:4] == b"RIFX" else "<"
    (riff_size,) = struct.unpack(f"{order}I", head[4:8])
    kept, form, fact, large = b"", None, None, None
    for chunk in _chunks(source, start + 12, source.size, order):
        if chunk.name == b"ds64":
            large = struct.unpack("<QQQ", source.read(chunk.start, 24).ljust(24, b"\0"))
        elif chunk.name == b"fmt ":
            form = source.read(chunk.start, min(chunk.size, 1 << 16))
            kept += struct.pack(f"{order}4sI", b"fmt ", len(form)) + form + b"\0" * (len(form) % 2)
        elif chunk.name == b"fact" and chunk.size >= 4:
            fact = struct.unpack(f"{order}I", source.read(chunk.start, 4).ljust(4, b"\0"))[0]
        elif chunk.name == b"data":
            break
    else:
        return None
    if form is None or len(form) < 14:
        return None
    tag, channels, _, _, block = struct.unpack_from(f"{order}HHIIH", form)
    if tag == 0xFFFE and len(form) >= 26:
        (tag,) = struct.unpack_from(f"{order}H", form, 24)
    available = source.size - chunk.start
    size, riff_end = chunk.size, start + 8 + riff_size + riff_size % 2
    if large is not None and size == 0xFFFF_FFFF:
        size, riff_end = large[1], start + 8 + large[0]
    known = 0 < size < (_UNKNOWN_FROM if large is None else 1 << 62)
    if size == 0 and _chain_ends(source, chunk.start, order):
        known = True  # empty, and properly so
    frames_claimed = _wav_frames(form, order, tag, block, size) if known else 0
    stop = min(chunk.start + size, source.size) if known else source.size
    follows = [start for start in {stop + size % 2, stop} if _chain_ends(source, start, order)]
    if known and stop < source.size and not follows:
        # What follows is neither a chunk nor another file: the header was written before the end.
        stop = source.size
    if not known and available:
        plan.say(UNKNOWN_LENGTH)
    found = range(chunk.start, stop)
    end = follows[0] if follows else stop + len(found) % 2
    if known and stop < source.size:
        end = max(end, min(riff_end, source.size))
    if tag in _MPEG:
        inner = mpeg.plan(source, found)
        if inner is None:
            return None
        plan.notes += inner.notes
        plan.container = "MP3 in WAV"
        plan.say(MP3_INSIDE)
        return _Wav(list(inner.parts), sum(inner.claims), inner.tolerance, end)
    if tag not in _KNOWN:
        return _Wav([Part()], 0, 0, source.size, whole=True)  # libsndfile knows some more, and ffmpeg others
    # A header of our own, so that a length is never believed twice.
    body = kept + (struct.pack(f"{order}4sII", b"fact", 4, fact) if fact else b"")
    header = _riff(order, body, len(found))
    pieces: tuple[Piece, ...] = (header, found, b"\0" * (len(found) % 2))
    # The last block of ADPCM and GSM is filled up; only `fact` knows where the sound ends.
    frames = None
    inside = _wav_frames(form, order, tag, block, len(found))
    if tag in (_MS_ADPCM, _IMA_ADPCM, _GSM):
        per_block = _wav_frames(form, order, tag, block, block)
        if fact and 0 <= inside - fact < max(per_block, 1):
            frames = frames_claimed = fact
        elif fact and fact < _UNKNOWN_FROM and known:
            plan.claims.append(fact)
    elif fact and fact < _UNKNOWN_FROM and known and fact not in (frames_claimed, frames_claimed * channels):
        plan.claims.append(fact)
    whole = known and stop == chunk.start + size
    return _Wav([Part(pieces, frames=frames)], frames_claimed, 0, end, whole)


def _riff(order: str, body: bytes, size: int) -> bytes:
    """The head of a WAV file with these chunks before `size` bytes of data; RF64 where 32 bits do not do."""
    total = 4 + len(body) + 8 + size + size % 2
    if total < _UNKNOWN_FROM:
        return (
            struct.pack(f"{order}4sI4s", b"RIFX" if order == ">" else b"RIFF", total, b"WAVE")
            + body
            + struct.pack(f"{order}4sI", b"data", size)
        )
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, total + 36, size, 0, 0)
    return (
        struct.pack("<4sI4s", b"RF64", 0xFFFF_FFFF, b"WAVE")
        + ds64
        + body
        + struct.pack("<4sI", b"data", 0xFFFF_FFFF)
    )


def _wav_frames(form: bytes, order: str, tag: int, block: int, size: int) -> int:
    """Samples per channel in `size` bytes."""
    if not block:
        return 0
    if tag not in (_MS_ADPCM, _IMA_ADPCM, _GSM):
        return size // block
    # As decoders do it; what headers state of it is wrong in some files of several channels.
    channels = max(1, int(struct.unpack_from(f"{order}H", form, 2)[0]))
    per_block = {
        _MS_ADPCM: (block - 7 * channels) * 2 // channels + 2,
        _IMA_ADPCM: (block - 4 * channels) * 2 // channels + 1,
        _GSM: 320,
    }[tag]
    return -(-size // block) * max(0, per_block)


def _chain_ends(source: Source, start: int, order: str) -> bool:
    """Whether chunks, or another file, follow from `start` to the end of the file."""
    for _ in range(100):
        rest = source.size - start
        if rest < 8:  # a byte of padding, or what cannot be a chunk
            return rest <= 1
        head = source.read(start, 12)
        if head[:4] in (b"RIFF", b"RF64", b"RIFX", b"BW64") and head[8:12] == b"WAVE":
            return True
        if head[:3] == b"TAG" and rest == 128:
            return True
        if rest <= _MAX_FILL and not any(source.read(start, rest)):
            return True  # filled up with zeros, to the end of a sector
        name, size = struct.unpack(f"{order}4sI", head[:8])
        if not re.fullmatch(rb"[ -~]{4}", name) or start + 8 + size > source.size + 1:
            return False
        start += 8 + size + size % 2
    return True


def plan_aiff(source: Source) -> Plan:
    """libsndfile reads to the end of what is there; here is what the header claims of it."""
    plan = Plan()
    frames = sound = 0
    known = False
    for chunk in _chunks(source, 12, source.size, ">"):
        if chunk.name == b"COMM" and chunk.size >= 18:
            frames = struct.unpack(">HI", source.read(chunk.start, 6).ljust(6, b"\0"))[1]
            kind = source.read(chunk.start + 18, 4) if chunk.size >= 22 else b"NONE"
            if kind == b"ima4":
                frames *= 64
        elif chunk.name == b"SSND":
            sound = max(0, chunk.size - 8)
            known = 0 < sound < _UNKNOWN_FROM
            break
    if known and frames:
        plan.claims.append(frames)
    elif not known:
        plan.say(UNKNOWN_LENGTH)
    return plan


def plan_au(source: Source) -> Plan:
    plan = Plan()
    offset, size, encoding, _, channels = struct.unpack(">IIIII", source.read(4, 20).ljust(20, b"\0"))
    width = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}.get(encoding, 0)
    if not 0 < size < _UNKNOWN_FROM:
        plan.say(UNKNOWN_LENGTH)
        if size == 0 and source.size > offset:
            head = bytearray(source.read(0, offset))
            head[8:12] = b"\xff\xff\xff\xff"
            plan.parts = (Part((bytes(head), range(offset, source.size))),)
    elif width and channels:
        plan.claims.append(size // (width * channels))
        if source.size > offset + size:
            head = bytearray(source.read(0, offset))
            head[8:12] = struct.pack(">I", min(source.size - offset, 0xFFFF_FFFE))
            plan.parts = (Part((bytes(head), range(offset, source.size))),)
    return plan


MP3_INSIDE = gettext_noop("the WAV file holds MP3: read as such")

_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
#: The encodings whose samples have a size each.
_W64_COUNTED = (0xFFFE, _PCM, _FLOAT, _ALAW, _ULAW)
_W64_FORMAT = b"fmt \xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


def plan_w64(source: Source) -> Plan:
    plan = Plan()
    start, form, tag = 40, bytes(16), 0
    for _ in range(_MAX_CHUNKS):
        head = source.read(start, 24)
        if len(head) < 24:
            break
        (size,) = struct.unpack("<Q", head[16:])
        if head[:16] == _W64_FORMAT:
            form = source.read(start + 24, min(max(size, 24) - 24, 1 << 16)).ljust(16, b"\0")
            (tag,) = struct.unpack("<H", form[:2])
        if head[:16] == _W64_DATA:
            known = 24 < size < 1 << 62
            stop = min(start + size, source.size) if known else source.size
            if tag == 0xFFFE:
                # libsndfile takes floating-point numbers of the extensible format for integers here.
                kept = struct.pack("<4sI", b"fmt ", len(form)) + form + b"\0" * (len(form) % 2)
                found = range(start + 24, stop)
                plan.parts = (Part((_riff("<", kept, len(found)), found, b"\0" * (len(found) % 2))),)
                plan.container = "W64"
            if not known:
                plan.say(UNKNOWN_LENGTH)
                if tag != 0xFFFE:
                    mended = source.read(0, start + 16) + struct.pack("<Q", source.size - start)
                    plan.parts = (Part((mended, range(start + 24, source.size))),)
            elif (block := struct.unpack("<H", form[12:14])[0]) and tag in _W64_COUNTED:
                plan.claims.append((size - 24) // block)
            break
        start += max(24, size + -size % 8)
    return plan


def plan_caf(source: Source) -> Plan:
    """The size -1 of the last chunk is allowed, and libsndfile refuses it."""
    plan = Plan()
    start, per_packet, frames_per_packet, valid = 8, 0, 0, 0
    for _ in range(_MAX_CHUNKS):
        head = source.read(start, 12)
        if len(head) < 12:
            break
        name, size = struct.unpack(">4sq", head)
        if name == b"desc":
            per_packet, frames_per_packet = struct.unpack(
                ">II", source.read(start + 12 + 16, 8).ljust(8, b"\0")
            )
        elif name == b"pakt":
            valid = struct.unpack(">qq", source.read(start + 12, 16).ljust(16, b"\0"))[1]
        elif name == b"data":
            if size < 4 and source.size > start + 16:
                plan.say(UNKNOWN_LENGTH)
                mended = source.read(0, start + 4) + struct.pack(">q", source.size - start - 12)
                plan.parts = (Part((mended, range(start + 12, source.size))),)
                break
            if per_packet:
                plan.claims.append((size - 4) // per_packet * frames_per_packet)
        if size < 0:
            break
        start += 12 + size
    if valid and not per_packet:
        plan.claims.append(valid)
        plan.tolerance = frames_per_packet  # ffmpeg counts whole packets
    return plan


def plan_nist(source: Source) -> Plan:
    """libsndfile ignores the number of samples that the header states."""
    plan = Plan()
    head = source.read(0, 1024)
    if b"shorten" in head:
        raise AudioError(
            gettext_noop(
                "This NIST SPHERE file is compressed with shorten, which cannot be read here. Expand "
                "it first: `w_decode -o pcm in.wav out.wav` or `sph2pipe -f wav in.wav out.wav`."
            )
        )
    match = re.search(rb"^sample_count -i (\d{1,18})\s", head, flags=re.MULTILINE)
    if match:
        plan.claims.append(int(match[1]))
    return plan
