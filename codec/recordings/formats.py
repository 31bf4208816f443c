"""The one list of the formats that are read: for uploads, own systems, imports, command lines and training.

Nothing here believes in names: the content decides how a file is read. Names only choose among the files of
a folder or a zip, and what a file picker offers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from codec.base import gettext_noop


@dataclass(frozen=True)
class Format:
    """A kind of file: its name for people, and what names of such files end in."""

    name: str
    suffixes: tuple[str, ...]


FORMATS = (
    Format("WAV", (".wav", ".wave", ".bwf", ".rf64", ".w64")),
    Format("FLAC", (".flac",)),
    Format("Ogg", (".ogg", ".oga", ".opus", ".spx")),
    Format("MP3", (".mp3", ".mp2")),
    Format("AIFF", (".aif", ".aiff", ".aifc")),
    Format("AU", (".au", ".snd")),
    Format("CAF", (".caf",)),
    Format("NIST SPHERE", (".sph", ".nist")),
    Format("AAC", (".m4a", ".m4b", ".aac")),
    Format("WMA", (".wma",)),
    Format("AMR", (".amr", ".awb")),
    Format("WavPack", (".wv",)),
    Format("Matroska", (".mka", ".mkv", ".weba", ".webm")),
    Format("MP4", (".mp4", ".m4v", ".mov", ".3gp", ".3g2")),
    Format("AVI", (".avi",)),
    Format("WMV", (".wmv", ".asf")),
    Format("MPEG", (".mpg", ".mpeg")),
)

#: All suffixes, in lower case and with their dot.
SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.suffixes)

#: For the attribute `accept` of a file picker: exactly what is read.
ACCEPT = ",".join(SUFFIXES)

#: The formats in words, as messages and help texts name them.
NAMED = gettext_noop(
    "WAV, FLAC, Ogg, MP3, AIFF, AU, CAF, NIST SPHERE, M4A, AAC, WMA, AMR and the sound of videos"
)


def is_audio(name: str | PurePath) -> bool:
    """Whether a file's name is that of a recording."""
    return PurePath(name).suffix.lower() in SUFFIXES


def without_suffix(name: str) -> str:
    """A recording's name without what tells its format; other names as they are."""
    return name[: -len(PurePath(name).suffix)] if is_audio(name) else name
