"""Every file that people bring: whole, from pipes, and after accidents. A row a file."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from codec.audio import AudioError, read_audio
from codec.recordings.ogg import _PAGE
from tests.codec.recordings import making
from tests.codec.recordings.making import (
    RATE,
    SECONDS,
    VIDEOS,
    WHOLE,
    Kit,
    coded,
    data_at,
    flipped,
    lag_and_gain,
    make_whole,
    ogg_pages,
    resealed,
    sized,
    with_fact,
    without_end,
    xing,
    xing_frames,
)  # fmt: skip
from tests.rows import some

N = round(SECONDS * RATE)


@cache
def sound(seconds: float = SECONDS) -> np.ndarray:
    return making.sound(RATE, seconds)


@dataclass(frozen=True)
class Row:
    """A file and what has to come of it.

    Attributes:
        name: for people.
        make: its bytes, of the kit of whole files.
        expected: what is in it, at 16 kHz; None: the sound.
        more: samples at 16 kHz beyond that, at its end.
        lag: how late it is, in samples at 16 kHz: 0 wherever a file states its delay.
        gain: in dB.
        within: of the gain, dB: codecs that shape the spectrum do not keep it exactly.
        notes: patterns of its notes, of all of them; one on resampling goes without saying.
        holes: whether what is missing of it is silence.
        refused: pattern of the reason for a refusal.
    """

    name: str
    make: Callable[..., bytes]
    expected: Callable[[], np.ndarray] | None = None
    more: int = 0
    lag: float = 0.0
    gain: float = 0.0
    within: float = 0.05
    notes: Sequence[str] = ()
    holes: bool = False
    refused: str = ""


NO_DELAY = "does not state its encoder's delay"
NO_LENGTH = "does not state the length"
CLAIMS = r"header claims {:.3f} s, the file holds {:.3f} s"
BREAKS = r"breaks off at {}"
JOINED = "2 recordings one after the other"
NO_END = "no end mark"
MP3_INSIDE = "the WAV file holds MP3"
MONO = "2 channels mixed to mono"
#: Lag, gain and samples beyond the sound's of formats that are not exact: the codec's own.
_OWN: dict[str, dict[str, object]] = {
    # Their blocks are filled up, and ffmpeg's `fact` counts that in.
    "16000.stereo.ima.wav": {"more": 123},
    "16000.ms.w64": {"more": 1160, "within": 0.1}, "16000.ima.caf": {"within": 0.1},
    "16000.ms.wav": {"more": 1160}, "16000.ima.wav": {"more": 1210}, "8000.ima.wav": {"more": 1210},
    "44100.ima.wav": {"more": 53}, "44100.ms.wav": {"more": 6},
    # MP3 as ffmpeg puts it into WAV has no tag; that it is LAME's stands in its frames.
    "16000.mp3.wav": {"more": 431, "gain": -0.45, "notes": [MP3_INSIDE]},
    "16000.bare.mp3": {"more": 431, "gain": -0.45},
    "16000.barevbr.mp3": {"more": 431, "notes": [NO_LENGTH]},
    # The edit list counts thousandths of a second: half a one is left.
    "16000.front.m4a": {"more": 8}, "16000.mp3.mp4": {"more": 8, "gain": -0.45},
    "16000.m4a": {"more": 8}, "8000.m4a": {"more": 8}, "44100.m4a": {"more": 8}, "48000.m4a": {"more": 8},
    "44100.stereo.m4a": {"more": 8}, "video.mp4": {"more": 8},
    # These state no delay.
    "16000.mp2": {"lag": 481, "more": 384, "notes": [NO_DELAY]},
    "48000.mp2": {"lag": 160.32, "notes": [NO_DELAY]},
    "16000.pieces.mp4": {"lag": 1024, "more": 1280, "within": 0.35, "notes": [NO_DELAY]},
    "16000.aac.mkv": {"lag": 1024, "more": 1280, "notes": [NO_DELAY]},
    "16000.aac": {"lag": 1024, "more": 1280, "notes": [NO_DELAY]},
    "16000.wma": {"lag": -512, "more": -256, "notes": [NO_DELAY]},
    "44100.wma": {"lag": -743.04, "more": -624, "notes": [NO_DELAY]},
    "48000.wma": {"lag": -682.68, "more": -85, "notes": [NO_DELAY]},
    "48000.ac3.mkv": {"lag": 85.32, "more": 256, "notes": [NO_DELAY]},
    "16000.awb": {"lag": 94.93, "gain": -1.63, "notes": [NO_DELAY]},
    "8000.amr": {"lag": 79.88, "more": 320, "gain": -1.68, "notes": [NO_DELAY]},
    "8000.3gp": {"lag": -20.12, "more": 8, "gain": -1.68, "notes": [NO_DELAY]},
    "16000.spx": {"lag": 222.89, "gain": -0.57, "notes": [NO_DELAY]},
    "video.avi": {"lag": 368.32, "more": 384, "gain": -0.45, "notes": [NO_DELAY]},
    "video.wmv": {"lag": -682.68, "more": -85, "notes": [NO_DELAY]},
    "video.mpg": {"lag": 160.32, "notes": [NO_DELAY]},
}  # fmt: skip
LOSSLESS = re.compile(r"wav|aiff|aifc|au$|caf|flac|w64|rf64|oga|alac|wv|pcm|mov|video.mkv")


def whole(name: str) -> Row:
    own = dict(_OWN.get(name, {}))
    if not LOSSLESS.search(name) or "mp3.wav" in name:
        own.setdefault("within", 0.35)
    if name.endswith(".mp3"):
        own.setdefault("gain", 0.0 if "vbr" in name else -0.45)
    if "stereo" in name:
        # ffmpeg spreads one channel over two at 3 dB less each.
        own["gain"] = float(own.get("gain", 0.0)) - 3.01  # type: ignore[arg-type]
        own["notes"] = [MONO]
    if "u8" in name or "ima" in name or "ms." in name:
        own.setdefault("within", 0.1)
    return Row(name, lambda kit: kit[name], **own)  # type: ignore[arg-type]


ROWS: list[Row] = [whole(name) for name in (*WHOLE, *VIDEOS)]


def row(name: str, make: Callable[..., bytes], **more: object) -> None:
    ROWS.append(Row(name, make, **more))  # type: ignore[arg-type]


# -- Written to a pipe, or by a program that did not come to its end

for kind in making.PIPED:
    row(f"{kind} from a pipe", lambda kit, kind=kind: kit[f"pipe.{kind}"], notes=[NO_LENGTH])
row(
    "wav that claims 16 bytes more",
    lambda kit: sized(kit["16000.source"], 2 * N + 16),
    notes=[CLAIMS.format((N + 8) / RATE, N / RATE)],
)
row(
    "wav that claims 2 bytes more",
    lambda kit: sized(kit["16000.source"], 2 * N + 2),
    notes=[CLAIMS.format((N + 1) / RATE, N / RATE)],
)
for claimed in (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF - 36):
    row(
        f"wav that claims {claimed:#x} bytes",
        lambda kit, claimed=claimed: sized(kit["16000.source"], claimed),
        notes=[NO_LENGTH],
    )
row(
    "wav that claims half",
    lambda kit: sized(kit["16000.source"], N),
    notes=[CLAIMS.format(N / 2 / RATE, N / RATE)],
)
row("wav with a size of RIFF of 0", lambda kit: flipped(kit["16000.source"], 4, 0, 0, 0, 0))
row("wav with chunks after the sound", lambda kit: kit["16000.source"] + b"LIST\4\0\0\0INFO")
row("wav with a tag of MP3 after the sound", lambda kit: kit["16000.source"] + b"TAG".ljust(128, b"\0"))
row("wav with chunks before the sound", lambda kit: _with_junk(kit["16000.source"]))
row(
    "two wav one after the other",
    lambda kit: kit["16000.source"] * 2,
    expected=lambda: np.tile(sound(), 2),
    notes=[JOINED],
)
row("big-endian wav", lambda kit: _rifx(kit["16000.source"]))
row("au that claims 0", lambda kit: flipped(kit["16000.au"], 8, 0, 0, 0, 0), notes=[NO_LENGTH])
row(
    "au that claims half",
    lambda kit: flipped(kit["16000.au"], 8, *struct.pack(">I", N)),
    notes=[CLAIMS.format(N / 2 / RATE, N / RATE)],
)
row(
    "nist that claims a little more",
    lambda kit: _nist(N + 100),
    notes=[CLAIMS.format((N + 100) / RATE, N / RATE)],
)
row("nist", lambda kit: _nist(N))
row("flac without a length", lambda kit: _flac_total(kit["16000.flac"], 0), notes=[NO_LENGTH])
row(
    "flac that claims a little more",
    lambda kit: _flac_total(kit["16000.flac"], N + 100),
    notes=[CLAIMS.format((N + 100) / RATE, N / RATE)],
)
row(
    "two flac one after the other",
    lambda kit: kit["16000.flac"] * 2,
    expected=lambda: np.tile(sound(), 2),
    notes=[JOINED],
)
row(
    "two flac of other rates",
    lambda kit: kit["16000.flac"] + kit["44100.flac"],
    expected=lambda: np.tile(sound(), 2),
    notes=["from 1.20 s on it had 44100 Hz and 1 channels", JOINED],
)
row("wav filled up with zeros", lambda kit: kit["16000.source"] + bytes(700))
row(
    "wav without padding before its chunks",
    lambda kit: _odd(coded(sound(), subtype="PCM_U8")),
    more=-1,
    within=0.1,
)
row("flac after an ID3 tag", lambda kit: b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + kit["16000.flac"])

# -- MP3

row(
    "mp3 with a tag of half",
    lambda kit: xing(kit["16000.mp3"], xing_frames(kit["16000.mp3"]) // 2),
    within=0.5,
    gain=-0.45,
    notes=[r"header claims 0\.\d+ s, the file holds 1\.200 s"],
)
row("mp3 with a tag of 0", lambda kit: xing(kit["16000.vbr.mp3"], 0), within=0.5, notes=[NO_LENGTH])
row(
    "vbr mp3 with a tag of half",
    lambda kit: xing(kit["44100.vbr.mp3"], xing_frames(kit["44100.vbr.mp3"]) // 2),
    within=0.5,
    notes=[r"header claims 0\.\d+ s, the file holds 1\.200 s"],
)
row(
    "two mp3 one after the other",
    lambda kit: kit["16000.mp3"] * 2,
    expected=lambda: np.tile(sound(), 2),
    gain=-0.45,
    within=0.35,
    notes=[JOINED],
)
row(
    "two vbr mp3 one after the other",
    lambda kit: kit["44100.vbr.mp3"] * 2,
    expected=lambda: np.tile(sound(), 2),
    within=0.35,
    notes=[JOINED],
)
row(
    "two mp3 of other rates",
    lambda kit: kit["16000.mp3"] + kit["44100.mp3"],
    expected=lambda: np.tile(sound(), 2),
    gain=-0.45,
    within=0.35,
    notes=["from 1.20 s on it had 44100 Hz and 1 channels", JOINED],
)
row(
    "two mp3 without tags",
    lambda kit: kit["16000.bare.mp3"] * 2,
    expected=lambda: _doubled(431),
    more=431,
    gain=-0.45,
    within=0.5,
)
row(
    "mp3 with ID3v1 and APE tags",
    lambda kit: kit["16000.mp3"] + b"APETAGEX".ljust(64, b"\0") + b"TAG".ljust(128, b"\0"),
    gain=-0.45,
    within=0.35,
)
row(
    "mp3 after rubbish",
    lambda kit: b"ID3\3\0\0\0\0\0\x0a" + bytes(500) + kit["16000.mp3"],
    gain=-0.45,
    within=0.35,
)
row(
    "mp3 with a damaged frame",
    lambda kit: _mp3_damaged(kit["16000.mp3"]),
    gain=-0.45,
    within=0.8,
    notes=[r"0\.07 s from 0\.\d\d s on are damaged or missing"],
)

# -- Ogg

row(
    "two ogg one after the other",
    lambda kit: kit["16000.ogg"] * 2,
    expected=lambda: np.tile(sound(), 2),
    within=0.35,
    notes=[JOINED],
)
row(
    "two opus one after the other",
    lambda kit: kit["48000.opus"] * 2,
    expected=lambda: np.tile(sound(), 2),
    within=0.35,
    notes=[JOINED],
)
row(
    "ogg and opus one after the other",
    lambda kit: kit["16000.ogg"] + kit["48000.opus"],
    expected=lambda: np.tile(sound(), 2),
    within=0.35,
    notes=["from 1.20 s on it had 48000 Hz and 1 channels", JOINED],
)
row(
    "two ogg flac one after the other",
    lambda kit: kit["16000.oga"] * 2,
    expected=lambda: np.tile(sound(), 2),
    notes=[JOINED],
)
for name in ("16000.ogg", "16000.opus", "48000.opus", "16000.pages.ogg"):
    row(
        f"{name} without an end mark",
        lambda kit, name=name: without_end(kit[name]),
        within=0.35,
        notes=[NO_END],
    )
row("ogg flac without an end mark", lambda kit: without_end(kit["16000.oga"]), notes=[NO_END])
row("ogg with rubbish at its end", lambda kit: kit["16000.ogg"] + b"TAG".ljust(128, b"\0"), within=0.35)
for name, seconds in (("16000.pages.ogg", r"0\.\d\d"), ("16000.pages.opus", r"0\.1\d")):
    gap = [seconds + r" s from 0\.\d\d s on are damaged or missing"]
    row(
        f"{name} with a damaged page",
        lambda kit, name=name: _page_damaged(kit[name], 6),
        within=0.8,
        holes=True,
        notes=gap,
    )
    row(
        f"{name} without a page",
        lambda kit, name=name: _page_lost(kit[name], 6),
        within=0.8,
        holes=True,
        notes=gap,
    )
    row(
        f"{name} without its first page of sound",
        lambda kit, name=name: _page_lost(kit[name], 2),
        within=0.8,
        holes=True,
        notes=[r"0\.\d\d s from 0\.00 s on are damaged or missing"],
    )
    row(
        f"{name} without two pages",
        lambda kit, name=name: _page_lost(_page_lost(kit[name], 9), 5),
        within=0.8,
        holes=True,
        notes=gap * 2,
    )
    row(
        f"{name} whose clock is set",
        lambda kit, name=name: _clock_set(kit[name], 6),
        within=0.35,
        notes=["time stamps jump by"],
    )

# -- ADPCM

row("ima adpcm with a fact", lambda kit: with_fact(kit["16000.ima.wav"], N), within=0.1)
row("ms adpcm with a fact", lambda kit: with_fact(kit["16000.ms.wav"], N), within=0.1)
row("ima adpcm at 8 kHz with a fact", lambda kit: with_fact(kit["8000.ima.wav"], N // 2), within=0.1)
row(
    "ima adpcm in stereo with a fact",
    lambda kit: with_fact(kit["16000.stereo.ima.wav"], N),
    gain=-3.01,
    within=0.1,
    notes=[MONO],
)
for subtype in ("G721_32", "NMS_ADPCM_32", "GSM610"):
    row(
        f"wav with {subtype}",
        lambda kit, subtype=subtype: coded(sound(), subtype=subtype),
        gain=-1.27 if subtype == "GSM610" else 0.0,
        within=0.1,
    )
row("ima adpcm with a fact of 0", lambda kit: with_fact(kit["16000.ima.wav"], 0), more=1210, within=0.1)

# -- Offset, scale, clipping

for offset in (0.1, -0.03, 0.005):
    row(
        f"an offset of {offset}",
        lambda kit, offset=offset: coded(sound() + offset),
        notes=[rf"an offset of {abs(offset) * 100:.2g} % of full scale was removed"],
    )
row(
    "an offset in one channel",
    lambda kit: coded(np.stack([sound() + 0.1, sound()], axis=1)),
    notes=[MONO, "an offset of 5 % of full scale was removed"],
)
row(
    "an offset and a pipe",
    lambda kit: sized(coded(sound() + 0.05), 0xFFFFFFFF),
    notes=[NO_LENGTH, "an offset of 5 % of full scale was removed"],
)
row(
    "an offset in flac at 44.1 kHz",
    lambda kit: coded(making.sound(44100) + 0.02, 44100, "FLAC"),
    notes=["an offset of 2 % of full scale was removed"],
)
for bits in (16, 24, 32):
    row(
        f"floating point in the scale of {bits} bits",
        lambda kit, bits=bits: coded(sound() * 2.0 ** (bits - 1), subtype="FLOAT"),
        notes=[rf"in the scale of integers: divided by {2 ** (bits - 1)}"],
    )
row(
    "doubles in the scale of 16 bits",
    lambda kit: coded(np.rint(sound() * 32767), subtype="DOUBLE"),
    notes=["in the scale of integers: divided by 32768"],
)
row(
    "floating point at twice full scale",
    lambda kit: coded(5 * sound(), subtype="FLOAT"),
    expected=lambda: np.clip(5 * sound(), -1, 1),
    notes=[r"% of samples above full scale were cut to it", r"clipping: .* % of samples at full scale"],
)
row(
    "clipped",
    lambda kit: coded(np.clip(5 * sound(), -1, 1)),
    expected=lambda: np.clip(5 * sound(), -1, 1),
    notes=[r"clipping: .* % of samples at full scale"],
)
for subtype in ("ULAW", "ALAW", "PCM_U8"):
    row(
        f"clipped in {subtype}",
        lambda kit, subtype=subtype: coded(np.clip(5 * sound(), -1, 1), subtype=subtype),
        expected=lambda: np.clip(5 * sound(), -1, 1),
        within=0.3,
        notes=[r"clipping: .* % of samples at full scale"],
    )
row(
    "clipped in one channel",
    lambda kit: coded(np.stack([np.clip(5 * sound(), -1, 1), sound()], axis=1)),
    expected=lambda: (np.clip(5 * sound(), -1, 1) + sound()) / 2,
    notes=[MONO, r"clipping: .* % of samples of channel 1 at full scale"],
)
row("silence", lambda kit: coded(np.zeros(N)), expected=lambda: np.zeros(N), notes=["is silent"])
row(
    "silence with an offset",
    lambda kit: coded(np.full(N, 0.1)),
    expected=lambda: np.zeros(N),
    notes=["an offset of 10 % of full scale was removed", "is silent"],
)

# -- What breaks off: its good part is offered, with the time

for name, cut, where in (
    ("16000.source", 0.5, "0.60"),
    ("16000.w64", 0.5, r"0\.\d\d"),
    ("16000.aiff", 0.5, r"0\.\d\d"),
    ("16000.au", 0.5, r"0\.\d\d"),
    ("16000.rf64", 0.5, r"0\.\d\d"),
    ("16000.caf", 0.5, r"0\.\d\d"),
    ("16000.flac", 0.7, r"0\.\d\d"),
    ("16000.mp3", 0.5, r"0\.\d\d"),
    ("16000.pages.ogg", 0.8, r"\d\.\d\d"),
    ("16000.pages.opus", 0.6, r"0\.\d\d"),
    ("16000.ima.wav", 0.5, r"0\.\d\d"),
    ("16000.mka", 0.8, r"\d\.\d\d"),
    ("16000.pcm.avi", 0.6, r"0\.\d\d"),
    ("16000.pages.oga", 0.6, ""),
):
    note = BREAKS.format(where or r"0\.\d\d")
    row(
        f"{name}, {cut:g} of it",
        lambda kit, name=name, cut=cut: kit[name][: round(cut * len(kit[name]))],
        expected=lambda: np.zeros(0),
        within=0.5,
        notes=[note],
    )
row(
    "flac with a damaged middle",
    lambda kit: _spoilt(kit["16000.small.flac"], 0.6),
    within=1.0,
    notes=[r"0\.\d\d s from 0\.\d\d s on are damaged or missing"],
)
row("mp4 without its index", lambda kit: kit["16000.m4a"][:3000], refused="not a recording that can be read")

# -- What is none

for name, content, reason in (
    ("nothing", b"", r"The file is empty\."),
    ("a text", b"This is no recording.\n" * 99, r"This is a text file"),
    ("a picture", b"\x89PNG\r\n\x1a\n" + bytes(999), "This is a picture: there is no sound in it"),
    ("a PDF", b"%PDF-1.7\n\xe2\xe3" + bytes(999), "This is a PDF document: there is no sound"),
    ("a MIDI file", b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\0", "which holds notes: there is no sound"),
    ("a zip", b"PK\3\4" + bytes(999), "This is a zip archive. Unpack it"),
    ("Monkey's Audio", b"MAC \x96\x0f" + bytes(999), "This is Monkey's Audio, .* Convert it first"),
    ("RealMedia", b".RMF\0\0\0\x12" + bytes(999), "This is RealMedia, .* Convert it first"),
    ("a pointer of LFS", b"version https://git-lfs.github.com/spec/v1\n", "`git lfs pull` fetches it"),
    ("a text in UTF-16", "words ".encode("utf-16") * 99, "This is a text file"),
    ("MP3 that is none", b"\xff\xfb\x90\x64" + bytes(40), "reader says: Format not recognised"),
    ("a playlist", b"#EXTM3U\n/etc/passwd\n" + bytes(9), "not a recording that can be read"),
    (
        "a list of files",
        b"ffconcat version 1.0\nfile /etc/passwd\n" + bytes(9),
        "not a recording that can be read",
    ),
    ("zeros", bytes(4000), "not a recording that can be read"),
    ("wav without sound", coded(np.zeros(0)), r"holds no audio"),
):
    row(name, lambda kit, content=content: content, refused=reason)
row("half a header", lambda kit: kit["16000.source"][:30], refused="not a recording that can be read")
row("video without sound", lambda kit: kit["video.silent.mp4"], refused="holds pictures, but no sound")
for name, kind in (("refused.flv", "FLV"), ("refused.ts", "MPEG-TS"), ("refused.m2ts", "MPEG-TS")):
    advice = f"This is {kind}, which is not read here. .*`ffmpeg -i IN -vn -c:a copy OUT.mka`"
    row(name, lambda kit, name=name: kit[name], refused=advice)
for name in ("16000.ogg", "16000.opus"):
    row(
        f"{name}, before the end of its only page of sound",
        lambda kit, name=name: kit[name][: len(kit[name]) - 2000],
        refused=r"breaks off at 0\.00 s: the file is truncated",
    )


# -- How they are made


def _with_junk(wav: bytes) -> bytes:
    at = wav.index(b"fmt ")
    return wav[:at] + b"bext" + struct.pack("<I", 602) + bytes(602) + wav[at:]


def _odd(wav: bytes) -> bytes:
    """An odd number of bytes, and no byte that makes it even before what follows."""
    return sized(wav, N - 1)[: data_at(wav) + N - 1] + b"LIST\4\0\0\0INFO"


def _rifx(wav: bytes) -> bytes:
    samples = np.frombuffer(wav[data_at(wav) :], dtype="<i2").astype(">i2").tobytes()
    head = struct.pack(">HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    body = b"WAVEfmt " + struct.pack(">I", 16) + head + b"data" + struct.pack(">I", len(samples)) + samples
    return b"RIFX" + struct.pack(">I", len(body)) + body


def _nist(count: int) -> bytes:
    nist = coded(sound(), kind="NIST")
    said = b"sample_count -i %d\n" % count
    old = re.search(rb"sample_count -i \d+\n", nist)
    assert old
    head = nist[:1024].replace(old[0], said)[:1024].ljust(1024)
    return head + nist[1024:]


def _flac_total(flac: bytes, total: int) -> bytes:
    packed = int.from_bytes(flac[18:26], "big") >> 36 << 36 | total
    return flac[:18] + packed.to_bytes(8, "big") + flac[26:]


def _doubled(between: int) -> np.ndarray:
    """The sound, the padding of its encoder and the delay of the next, and the sound again."""
    return np.concatenate([sound(), np.zeros(between + 1105), sound()])


def _mp3_damaged(mp3: bytes) -> bytes:
    """The headers of two frames in the middle are overwritten."""
    frames = [match.start() for match in re.finditer(re.escape(mp3[mp3.index(b"\xff\xf3") :][:2]), mp3)]
    size = frames[11] - frames[10]
    return flipped(flipped(mp3, frames[10], *bytes(4)), frames[10] + size, *bytes(4))


def _page_damaged(data: bytes, number: int) -> bytes:
    pages = ogg_pages(data)
    pages[number] = flipped(pages[number], len(pages[number]) - 30, *bytes(20))
    return b"".join(pages)


def _page_lost(data: bytes, number: int) -> bytes:
    pages = ogg_pages(data)
    return b"".join([*pages[:number], *pages[number + 1 :]])


def _clock_set(data: bytes, number: int) -> bytes:
    """From a page on the clock is two hours later."""
    pages = ogg_pages(data)
    for at in range(number, len(pages)):
        granule = _PAGE.unpack_from(pages[at])[3] + 2 * 3600 * 48_000
        pages[at] = resealed(flipped(pages[at], 6, *struct.pack("<q", granule)))
    return b"".join(pages)


def _spoilt(data: bytes, where: float) -> bytes:
    at = round(where * len(data))
    return flipped(data, at, *bytes(range(1, 60)))


# -- The test


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """Made by the first process of a run that needs it, because that takes seconds."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    whole = shared / "kit"
    with (shared / "kit.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.is_dir():
            folder = tmp_path_factory.mktemp("kit")
            for name, content in make_kit(tmp_path_factory.mktemp("whole")).files.items():
                (folder / name).write_bytes(content)
            folder.rename(whole)
    return Kit({path.name: path.read_bytes() for path in whole.iterdir()})


def make_kit(folder: Path) -> Kit:
    made = make_whole(folder)
    making.run(
        folder, ["-f", "lavfi", "-i", "color=gray:s=64x48:r=5:d=1"], {"video.silent.mp4": "-c:v mpeg4"}
    )
    refused = {"refused.flv": "-ar 44100 -b:a 64k", "refused.ts": "-c:a aac", "refused.m2ts": "-c:a ac3"}
    making.run(folder, ["-i", "48000.source"], refused)
    for name in ("video.silent.mp4", *refused):
        made.files[name] = (folder / name).read_bytes()
    return made


def _is_telling(case: Row) -> bool:
    """Every format once, and everything that can happen to a file: not each format at every rate."""
    at_other_rates = re.match(r"(?!16000)\d+\.(?!amr|3gp|ac3|stereo)", case.name)
    return not at_other_rates or case.name in ("44100.wav", "44100.mp3", "48000.opus")


@pytest.mark.parametrize("case", some(ROWS, _is_telling), ids=lambda case: case.name)
def test_every_file(kit: Kit, case: Row, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(case.make(kit))
    if case.refused:
        with pytest.raises(AudioError, match=case.refused):
            read_audio(path, max_seconds=60)
        return
    recording = read_audio(path, max_seconds=60)
    said = [str(note) for note in recording.notes if not note.startswith("resampled from")]
    assert len(said) == len(case.notes), said
    for pattern in case.notes:
        assert any(re.search(pattern, note) for note in said), f"{pattern} in {said}"
    expected = sound() if case.expected is None else case.expected()
    audio = recording.audio.astype(np.float64)
    if not expected.size:  # a part of the sound, to its end
        expected = sound()[: audio.size]
        assert 0.2 * N < audio.size < N
    assert audio.size - expected.size == case.more
    if not expected.any():
        assert np.abs(audio).max() < 1e-4
        return
    if case.holes:
        silent = audio == 0
        noted = sum(float(note.split()[0]) for note in said)
        assert abs(silent.sum() / RATE - noted) < 0.04
        expected = np.where(silent, 0, expected)
    # Each third of its own: nothing in the middle may come early or late.
    for part in np.array_split(np.arange(expected.size), 3):
        here = slice(part[0], part[-1] + 1)
        lag, _, correlation = lag_and_gain(np.pad(audio, (0, max(0, -case.more)))[here], expected[here])
        assert correlation > 0.6
        assert abs(lag - case.lag) < 0.06, f"{lag} in {here}"
    _, gain, correlation = lag_and_gain(audio, expected)
    assert abs(gain - case.gain) <= case.within
    assert correlation > 0.8


def test_the_table_is_long() -> None:
    assert len(ROWS) >= 180
    assert len({case.name for case in ROWS}) == len(ROWS)
