"""How far a transfer is, or work that a site does."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

#: Bytes that are read at once.
CHUNK = 1 << 20
#: How often the line is written anew.
SHOWN_SECONDS = 0.2


class Line:
    """A line on a terminal that is written over and over; nothing elsewhere."""

    def __init__(self) -> None:
        self.begun = self._shown = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning; never 0."""
        return max(time.monotonic() - self.begun, 1e-9)

    def show(self, text: str) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._shown < SHOWN_SECONDS:
            return
        self._shown = now
        print(f"\r{text:<78}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave what stands there."""
        if self._shown > self.begun:
            print(file=sys.stderr)


class Progress:
    """What has come or gone of a file, with its rate.

    Args:
        name: of the file.
        total: bytes; 0 if that is not known.
    """

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total, self._done = name, total, 0
        self._line = Line()

    def follow(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield `pieces`, and show how many bytes they are so far."""
        for piece in pieces:
            yield piece
            self._done += len(piece)
            self._show()
        self._line.end()

    def _show(self) -> None:
        done, total = self._done / 1e6, self._total / 1e6
        share = f"{min(100, 100 * done / total):.0f} % of {total:.1f} MB" if total else f"{done:.1f} MB"
        self._line.show(f"{self._name}: {share}, {done / self._line.seconds:.1f} MB/s")


class Work:
    """How much of some work is done, with its rate since the wait began; or only for how long it goes on.

    Args:
        name: of what is worked on.
        unit: what is counted, in the plural; "" if nothing is.
    """

    def __init__(self, name: str, unit: str = "") -> None:
        self._name, self._unit = name, unit
        self._line = Line()
        self._before: int | None = None

    def show(self, done: int = 0, total: int = 0) -> None:
        """Show that `done` of `total` are made."""
        if not self._unit or not total:
            self._line.show(f"{self._name}: {self._line.seconds:.0f} s")
            return
        if self._before is None:
            self._before = done
        rate = (done - self._before) / self._line.seconds
        pace = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
        self._line.show(f"{self._name}: {done} of {total} {self._unit}, {pace}")

    def end(self) -> None:
        self._line.end()
