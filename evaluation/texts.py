"""Texts that people write, without what a database, a file or a page cannot hold."""

from __future__ import annotations

import re
import unicodedata

#: Control characters but tab and line ends, and two code points that are no characters.
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
#: They turn the direction of what follows: a title could change how the page around it reads.
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


def clean_text(text: str) -> str:
    """`text` without control characters, and with "?" for halves of characters; its lines stay."""
    return _UNFIT.sub("", text.encode("utf-8", "replace").decode()).strip()


def clean_line(text: str) -> str:
    """`clean_text` in one line, without changes of direction: a name or title."""
    return " ".join(_TURNS.sub("", clean_text(text)).split())


def clean_name(name: str) -> str:
    """The last part of a file name as its sender's system wrote it, for showing; never a path."""
    return clean_path(re.split(r"[\\/]", name)[-1])[-255:] or "recording"


def clean_path(path: str) -> str:
    """A file name with its folders in one line; whatever cannot be seen in it parts words."""
    seen = (" " if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in path)
    return clean_line("".join(seen))
