"""What a file leaves open: a question with its answers, their consequences, and the one that is taken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """An answer to a doubt, and what it leads to."""

    value: str
    label: str
    consequence: str = ""


@dataclass(frozen=True)
class Doubt:
    """Something that a file leaves open, and the answer that is taken.

    Attributes:
        key: its name in answers; it has a colon.
        line: line of the file; 0 if there is none.
        kind: of a configuration ``role`` of a page, ``text`` for listeners, whether a ``system`` is compared;
            of results ``column``; of both ``meaning``.
        answer: value of the option that applies: the researcher's, or the `default`.
        quoted: the text of the file that it is about; may be empty.
    """

    key: str
    line: int
    text: str
    options: tuple[Option, ...]
    default: str
    answer: str
    kind: str = "meaning"
    quoted: str = ""
