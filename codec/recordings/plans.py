"""What is to be decoded of a file, and what its headers claim: made before anything is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from codec.base import AudioError, Note, gettext_noop
from codec.recordings.spans import Part

#: More parts (links of a chain, stretches between damaged places) than any recording has.
MAX_PARTS = 200
# More looks at a file than any recording's structure needs: hostile ones have endless boxes in boxes.
_MAX_READS = 500_000
#: A longer gap between time stamps is no lost sound, but a clock that was set.
MAX_GAP_SECONDS = 60.0

UNKNOWN_LENGTH = gettext_noop("the header does not state the length: read to the end of the file")
JOINED = gettext_noop("%(count)s recordings one after the other in the file were joined")
NO_END = gettext_noop("the file has no end mark: what recorded it may not have finished")
KEPT_SILENCE = gettext_noop(
    "%(seconds).2f s from %(at).2f s on are damaged or missing: silence keeps the rest in time"
)
DAMAGED = gettext_noop("the file is damaged at %(at).2f s")
BREAKS_OFF = gettext_noop("the file breaks off at %(at).2f s: what follows is missing or damaged")
BREAKS_OFF_OF = gettext_noop(
    "the file breaks off at %(at).2f s of %(claimed).2f s: what follows is missing or damaged"
)
DAMAGED_PARTS = gettext_noop("parts of the file are damaged: listen to it before you use it")
#: The notes that say that sound is missing: a person has to know before anything is done with the rest.
LOSSES = frozenset({KEPT_SILENCE, DAMAGED, DAMAGED_PARTS, BREAKS_OFF, BREAKS_OFF_OF})
NO_DELAY = gettext_noop("the file does not state its encoder's delay: its start may be off by up to 0.1 s")
CLOCK = gettext_noop("the time stamps jump by %(seconds).2f s at %(at).2f s: nothing was put there")


@dataclass
class Plan:
    """How a file is decoded.

    Attributes:
        parts: in order.
        notes: what the file's structure says, for people.
        claims: lengths in samples that headers state and that are compared with what is decoded.
        tolerance: in samples: how much less than claimed is no difference.
        cut: whether the file ends inside something that it should hold whole.
        container: its name where the decoder sees another one, such as ``MP3 in WAV``.
    """

    parts: Sequence[Part] = (Part(),)
    notes: list[Note] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)
    tolerance: int = 0
    cut: bool = False
    container: str = ""

    def say(self, text: str, **values: object) -> None:
        note = Note(text, **values)
        if note not in self.notes:
            self.notes.append(note)


class Source:
    """The bytes of a file for those who make plans: random access, never all of it by accident."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._reads = 0
        self.size = file.seek(0, 2)
        file.seek(0)

    def read(self, start: int, count: int) -> bytes:
        """`count` bytes from `start`; fewer, or none, where the file has no more."""
        self._reads += 1
        if self._reads > _MAX_READS:
            raise too_many_parts()
        if not 0 <= start < self.size:  # as a damaged header may say
            return b""
        self.file.seek(start)
        found = b""
        # An unbuffered file may give less than it has.
        while len(found) < count and (more := self.file.read(count - len(found))):
            found += more
        return found


def too_many_parts() -> AudioError:
    return AudioError(gettext_noop("The file consists of too many pieces to be a recording."))
