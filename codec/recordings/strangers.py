"""What people send that is no recording, or none that is read here: known by its content, with what to do.

Looked at only after every decoder has refused a file, so that nothing here can stand in a recording's way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from codec.base import AudioError, gettext_noop
from codec.recordings.plans import Source


def _extract(kind: str) -> AudioError:
    return AudioError(
        gettext_noop(
            "This is %(kind)s, which is not read here. Take its sound out first, as it is: "
            "`ffmpeg -i IN -vn -c:a copy OUT.mka`."
        ),
        kind=kind,
    )


def _convert(kind: str) -> AudioError:
    return AudioError(
        gettext_noop(
            "This is %(kind)s, which is not read here. Convert it first: `ffmpeg -i IN -ar 48000 OUT.flac`."
        ),
        kind=kind,
    )


def _unpack(kind: str) -> AudioError:
    return AudioError(gettext_noop("This is %(kind)s. Unpack it and send the recordings in it."), kind=kind)


def _no_sound(kind: str) -> AudioError:
    return AudioError(gettext_noop("This is %(kind)s: there is no sound in it."), kind=kind)


@dataclass(frozen=True)
class _Stranger:
    """A kind of file: its name, its refusal with what to do with it, and what it begins with."""

    kind: str
    refuse: Callable[[str], AudioError]
    begins: re.Pattern[bytes]


def _stranger(kind: str, refuse: Callable[[str], AudioError], begins: bytes) -> _Stranger:
    return _Stranger(kind, refuse, re.compile(begins, re.DOTALL))


_STRANGERS = (
    _stranger("FLV", _extract, rb"FLV\x01"),
    # Packets of 188 bytes, on discs with 4 bytes of time before each.
    _stranger("MPEG-TS", _extract, rb"(\x47.{187}){4}\x47|.{4}(\x47.{191}){4}\x47"),
    _stranger("RealMedia", _convert, rb"\.RMF|\.ra\xfd"),
    _stranger("Monkey's Audio", _convert, rb"MAC "),
    _stranger("True Audio (TTA)", _convert, rb"TTA[12]"),
    _stranger("Musepack", _convert, rb"MPCK|MP\+"),
    _stranger("Shorten", _convert, rb"ajkg"),
    _stranger("DSD", _convert, rb"DSD |FRM8.{8}DSD "),
    _stranger("Creative Voice", _convert, rb"Creative Voice File\x1a"),
    _stranger("AC-3", _convert, rb"\x0b\x77"),
    _stranger("DTS", _convert, rb"\x7f\xfe\x80\x01|\xfe\x7f\x01\x80"),
    _stranger("a zip archive", _unpack, rb"PK\x03\x04"),
    _stranger("a gzip file", _unpack, rb"\x1f\x8b"),
    _stranger("a 7-Zip archive", _unpack, rb"7z\xbc\xaf\x27\x1c"),
    _stranger("a RAR archive", _unpack, rb"Rar!\x1a\x07"),
    _stranger("a MIDI file, which holds notes", _no_sound, rb"MThd"),
    _stranger("a picture", _no_sound, rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF.{4}WEBP"),
    _stranger("a PDF document", _no_sound, rb"%PDF-"),
)


def name_stranger(source: Source) -> AudioError | None:
    """Why a file that nothing decodes is refused, and what to do with it; None if nobody knows it."""
    head = source.read(0, 1024)
    for each in _STRANGERS:
        if each.begins.match(head):
            return each.refuse(each.kind)
    return None
