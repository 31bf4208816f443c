"""How far a transfer is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

#: Bytes that are read at once.
CHUNK = 1 << 20


class Progress:
    """What has come or gone of a file, with its rate, on a terminal; nothing elsewhere.

    Args:
        name: of the file.
        total: bytes; 0 if that is not known.
    """

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total, self._done = name, total, 0
        self._begun = self._shown = time.monotonic()

    def follow(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield `pieces`, and show how many bytes they are so far."""
        for piece in pieces:
            yield piece
            self._done += len(piece)
            self._show()
        if self._shown > self._begun:
            print(file=sys.stderr)

    def _show(self) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._shown < 0.2:
            return
        self._shown = now
        done, total = self._done / 1e6, self._total / 1e6
        share = f"{min(100, 100 * done / total):.0f} % of {total:.1f} MB" if total else f"{done:.1f} MB"
        line = f"{self._name}: {share}, {done / max(now - self._begun, 1e-9):.1f} MB/s"
        print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)
