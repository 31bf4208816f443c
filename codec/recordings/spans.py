"""Files made of stretches of another file and of bytes: a mended header before the data as they are."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

#: Bytes, or a stretch of the file, from its first byte to before its last.
Piece = bytes | range


class SplicedFile(io.RawIOBase):
    """A readable, seekable file of `pieces`; `file` itself is read where a piece is a range."""

    def __init__(self, file: BinaryIO, pieces: Iterable[Piece]) -> None:
        self._file = file
        self._pieces = [piece for piece in pieces if len(piece)]
        self._starts = [0]
        for piece in self._pieces:
            self._starts.append(self._starts[-1] + len(piece))
        self._position = 0
        self._index = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, base + offset)
        self._index = 0
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            while self._index < len(self._pieces) and self._position >= self._starts[self._index + 1]:
                self._index += 1
            if self._index == len(self._pieces):
                break
            piece = self._pieces[self._index]
            inside = self._position - self._starts[self._index]
            count = min(len(view) - done, len(piece) - inside)
            if isinstance(piece, bytes):
                chunk = piece[inside : inside + count]
            else:
                self._file.seek(piece.start + inside)
                chunk = self._file.read(count) or b""
            if not chunk:
                break
            view[done : done + len(chunk)] = chunk
            done += len(chunk)
            self._position += len(chunk)
        return done

    def copy_to(self, target: BinaryIO) -> None:
        self.seek(0)
        shutil.copyfileobj(self, target, 1 << 20)


@dataclass(frozen=True)
class Part:
    """A stretch of a recording that a decoder can read by itself.

    Attributes:
        pieces: its file; empty: the whole file, untouched.
        at: where it begins in the recording, in seconds; None: where the part before ends.
        skip: samples to leave out at its beginning.
        frames: samples to take at most after that; None: all.
        seconds: the same in seconds.
        foreign: whether only ffmpeg can read it.
    """

    pieces: Sequence[Piece] = ()
    at: float | None = None
    skip: int = 0
    frames: int | None = None
    seconds: float | None = None
    foreign: bool = False
