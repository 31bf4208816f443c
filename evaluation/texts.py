"""Cleans texts that people write: removes what databases, files or pages cannot hold; reads their numbers."""

from __future__ import annotations

import re
import unicodedata

#: Control characters except tab and line ends, and two code points that are not characters.
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
#: Bidirectional controls: in a title, they could change how the text around it is displayed.
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


def clean_text(text: str) -> str:
    """Remove control characters from `text` and replace lone surrogates by "?"; keep line breaks."""
    return _UNFIT.sub("", text.encode("utf-8", "replace").decode()).strip()


def clean_line(text: str) -> str:
    """Clean a name or title: `clean_text` on one line, without bidirectional controls."""
    return " ".join(_TURNS.sub("", clean_text(text)).split())


def read_whole(text: str) -> int | None:
    """The whole number that `text` is in decimal digits; None if it is none, or has more than 18 digits.

    Databases hold 18 digits, and Python refuses to read more than 4300.
    """
    return int(text) if len(text) <= 18 and text.isascii() and text.isdecimal() else None


def clean_name(name: str) -> str:
    """Clean a file name for display: its last component, whatever the sender's path separator."""
    return clean_path(re.split(r"[\\/]", name)[-1])[-255:] or "recording"


def clean_path(path: str) -> str:
    """Clean a file name with its folders: one line, with invisible characters replaced by spaces."""
    seen = (" " if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in path)
    return clean_line("".join(seen))
