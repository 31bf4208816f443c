"""What strangers send cannot hold a process up, fill the memory, or make ffmpeg open other files."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import codec.recordings.decoders
import codec.tool
from codec.audio import AudioError, read_audio
from codec.recordings.formats import ACCEPT, FORMATS, SUFFIXES, is_audio, without_suffix
from codec.tool import Tool, run_limited
from tests.codec.recordings.making import RATE, coded, ogg_pages, sound
from tests.codec.recordings.test_table import ROWS

#: The head of an AU file of 16 kHz mono floats.
AU = ".snd" + "".join(f"\\{byte:03o}" for byte in struct.pack(">5I", 24, 0xFFFFFFFF, 6, RATE, 1))


def pretend(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Let a shell script be the ffmpeg of the wheel."""
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(codec.tool, "find_ffmpeg", lambda: Tool(path, {}))


@pytest.fixture
def mp4(tmp_path: Path) -> Path:
    """What only ffmpeg could read."""
    path = tmp_path / "upload"
    path.write_bytes(struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + bytes(range(200)))
    return path


def test_a_hanging_ffmpeg_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mp4: Path) -> None:
    pretend(monkeypatch, tmp_path, "exec sleep 600")
    monkeypatch.setattr(codec.recordings.decoders, "_START_SECONDS", 0.2)
    with pytest.raises(AudioError, match=r"took more than 0 s and was stopped at 0\.00 s"):
        read_audio(mp4, max_seconds=1)


@pytest.mark.parametrize("end", ["exec sleep 600", "kill -XCPU $$"], ids=["clock", "processor"])
def test_a_file_that_takes_too_long_does_not_break_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mp4: Path, end: str
) -> None:
    """A server that is slow says nothing of the recording: it is refused, not cut."""
    pretend(monkeypatch, tmp_path, f"printf '{AU}'; head -c {4 * RATE} /dev/zero; {end}")
    monkeypatch.setattr(codec.recordings.decoders, "_START_SECONDS", 1.0)
    with pytest.raises(AudioError, match=r"was stopped at 1\.00 s of it"):
        read_audio(mp4, max_seconds=5)


def test_an_ffmpeg_that_dies_in_the_middle_gives_its_good_part(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mp4: Path
) -> None:
    pretend(monkeypatch, tmp_path, f"printf '{AU}'; head -c {4 * RATE} /dev/zero; kill -SEGV $$")
    recording = read_audio(mp4, max_seconds=5)
    assert recording.seconds == 1.0
    assert any("breaks off at 1.00 s" in note for note in recording.notes)


def test_an_endless_sound_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mp4: Path) -> None:
    pretend(monkeypatch, tmp_path, f"printf '{AU}'; exec cat /dev/zero")
    with pytest.raises(AudioError, match="longer than the 5 s"):
        read_audio(mp4, max_seconds=5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process from outside")
def test_memory_time_and_files_are_limited(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mp4: Path
) -> None:
    """It waits for the limits, which are set from outside, and says what they are."""
    script = 'until [ "$(ulimit -n)" = 64 ]; do :; done; ulimit -v; ulimit -t; ulimit -n'
    pretend(monkeypatch, tmp_path, script)
    with mp4.open("rb", buffering=0) as file, run_limited([], file, seconds=20, memory=1 << 30) as running:
        said = running.output.read()
        while more := running.output.read():
            said += more
    assert said.split() == [b"1048576", b"21", b"64"]
    assert running.status == 0


def test_ffmpeg_opens_no_other_file(tmp_path: Path) -> None:
    """A track of a MOV file may name another file, and a playlist does nothing else."""
    secret = tmp_path / "secret.wav"
    secret.write_bytes(coded(sound(RATE)))
    upload = tmp_path / "upload"
    for text in (f"ffconcat version 1.0\nfile '{secret}'\n", f"#EXTM3U\n#EXTINF:1,\n{secret}\n"):
        upload.write_bytes(text.encode() + b"\0")  # so that it is not taken for a text at once
        with pytest.raises(AudioError, match="not a recording that can be read"):
            read_audio(upload)


PAGE = ogg_pages(coded(sound(RATE), kind="OGG"))[0]


@pytest.mark.parametrize(
    "content",
    [
        PAGE + (PAGE[:26] + b"\0") * 20_000,  # pages of 27 bytes
        PAGE + (b"OggS" + bytes(22) + b"\xff" + b"\xff" * 40) * 20_000,  # each claims 64 kB, and is none
        b"\xff\xfb\x90\x64" + bytes(413) + b"\xff\xfb" * 500_000,  # frames of MP3 that are none
        b"fLaC" + bytes(42) + b"\xff\xf8" * 500_000,
        b"fLaC\x80\0\0\x22" * 1000,
        b"RIFF\xff\xff\xff\xffWAVE" + b"junk\0\0\0\0" * 100_000,
        struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + struct.pack(">I4s", 8, b"free") * 100_000,
    ],
    ids=["empty pages", "false pages", "false frames", "false flac", "flac heads", "chunks", "boxes"],
)
def test_structures_without_end_take_little_time(tmp_path: Path, content: bytes) -> None:
    """Without limits some of these would take hours."""
    upload = tmp_path / "upload"
    upload.write_bytes(content)
    with pytest.raises(AudioError, match=r"too many pieces|not a recording that can be read"):
        read_audio(upload, max_seconds=60)


@pytest.mark.parametrize("size", [2**31 - 1, 2**32 - 1])
def test_claimed_sizes_cost_nothing(tmp_path: Path, size: int) -> None:
    wav = bytearray(coded(np.zeros(RATE)))
    wav[16:20] = struct.pack("<I", size)  # of the chunk `fmt `
    upload = tmp_path / "upload"
    upload.write_bytes(bytes(wav))
    with pytest.raises(AudioError):
        read_audio(upload, max_seconds=60)


# -- The one list of formats


def test_every_format_on_the_list_is_in_the_table() -> None:
    names = [case.name.lower() for case in ROWS if not case.refused]
    for each in FORMATS:
        assert any(name.endswith(each.suffixes) or each.name.lower() in name for name in names) or any(
            name.startswith(each.name.split()[0].lower()) for name in names
        ), each.name


def test_the_list_is_what_pickers_offer() -> None:
    assert ACCEPT.split(",") == list(SUFFIXES)
    assert len(set(SUFFIXES)) == len(SUFFIXES)
    for suffix in SUFFIXES:
        assert is_audio(f"a.b/c{suffix.upper()}")
        assert without_suffix(f"a.b{suffix}") == "a.b"
    assert not is_audio("notes.txt")
    assert without_suffix("v1.2") == "v1.2"
