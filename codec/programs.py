"""Running programs on audio and bitstreams, within limits.

The limits are of processor time: on a machine under load a program that needs a tenth of a second can wait
for a minute, and is no less right for it. Wall-clock limits are there for a program that waits for ever.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from codec.base import CodecError, CodecUnavailable, gettext_noop

#: The limit of processor time, seconds, in addition to the duration of the audio. The programs start in 0.1 s
#: and code more than 100 times faster than real time.
START_SECONDS = 60.0
#: How many times the limit of processor time may pass by the clock.
PATIENCE = 10.0

#: The exit status of a process that used up its processor time.
OUT_OF_TIME = -int(getattr(signal, "SIGXCPU", 24))


def run_program(command: Sequence[str | Path], data: bytes, seconds: float, name: str) -> bytes:
    """Run `command` with `data` as its standard input and return its standard output.

    Args:
        command: the program and its arguments.
        data: all of its input.
        seconds: duration of the audio; the program is stopped if it computes for
            `START_SECONDS` longer than that.
        name: what to call the program in messages.

    Raises:
        CodecError: it takes too long, or fails; the message ends with what it said.
        CodecUnavailable: it does not start.
    """
    limit = START_SECONDS + seconds
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)  # noqa: S603
    except OSError as error:
        raise CodecUnavailable(
            gettext_noop("%(name)s does not run: %(error)s"), name=name.split()[0], error=error
        ) from error
    with process:
        limit_process(process.pid, limit)
        try:
            output, words = process.communicate(data, timeout=PATIENCE * limit)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise CodecError(
                gettext_noop("%(name)s took more than %(limit).0f s and was stopped."),
                name=name,
                limit=PATIENCE * limit,
            ) from error
        except BaseException:
            process.kill()
            raise
    if process.returncode == OUT_OF_TIME:
        raise CodecError(
            gettext_noop("%(name)s computed for more than %(limit).0f s and was stopped."),
            name=name,
            limit=limit,
        )
    if process.returncode != 0:
        reason = words[-500:].decode(errors="replace").strip() or f"exit status {process.returncode}"
        raise CodecError(gettext_noop("%(name)s failed: %(reason)s"), name=name, reason=reason)
    return output


def limit_process(pid: int, seconds: float, memory: int | None = None, files: int | None = None) -> None:
    """Limit a process that just began to `seconds` of processor time, and, of a stranger's file, `memory` and
    `files`: bytes of addresses and open files.

    From outside, as code between fork and exec is not safe in a process with threads. Only Linux can do that;
    elsewhere the limit by the clock has to do.
    """
    if sys.platform != "linux":
        return
    import resource

    limits = {
        resource.RLIMIT_CPU: (int(seconds) + 1, int(seconds) + 2),  # SIGXCPU, then SIGKILL
        resource.RLIMIT_CORE: (0, 0),
    }
    if memory is not None:
        limits[resource.RLIMIT_AS] = (memory, memory)
    if files is not None:
        limits[resource.RLIMIT_NOFILE] = (files, files)
        limits[resource.RLIMIT_FSIZE] = (1 << 20, 1 << 20)  # of its words; pipes have no size
    for which, limit in limits.items():
        try:
            resource.prlimit(pid, which, limit)
        except ProcessLookupError:
            return  # it has ended
        except (PermissionError, ValueError):
            continue  # a lower limit is there already
