"""Which process holds a claim: its token says so, and processes on the same host can see whether it lives."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import uuid
from functools import cache
from pathlib import Path
from typing import NamedTuple

#: Linux's largest process id has 22 bits.
_PID_BITS = 22
_PIDS = (1 << _PID_BITS) - 1
_TASK_BITS = 128 - 32 - 2 * _PID_BITS


class Holder(NamedTuple):
    """A worker's child, which holds one claim at a time, and the worker itself."""

    host: int
    parent: int
    child: int


def token_of(task_id: str, child: int, parent: int) -> uuid.UUID:
    """The token of the claim that a Celery task makes in a worker's child.

    So the worker, which sees its child die, can name the claim: a message that is delivered twice makes two.
    """
    task = int.from_bytes(hashlib.sha256(task_id.encode()).digest()) >> (256 - _TASK_BITS)
    number = (this_host() << _PID_BITS | parent & _PIDS) << _PID_BITS | child & _PIDS
    return uuid.UUID(int=number << _TASK_BITS | task)


def holder_of(token: uuid.UUID) -> Holder:
    """Whose claim it is. A token that no Celery task made names no host that there is."""
    number = token.int >> _TASK_BITS
    return Holder(number >> 2 * _PID_BITS, number >> _PID_BITS & _PIDS, number & _PIDS)


def is_orphan(holder: Holder) -> bool:
    """Whether the worker and its child are known to be dead: they were on this host, and are not any more."""
    return holder.host == this_host() and not _is_alive(holder.parent) and not _is_alive(holder.child)


@cache
def this_host() -> int:
    """32 bits that name this host since it was started, or a container of its own process ids."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # not Linux
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]
    return int.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest()[:4])


def _is_alive(process: int) -> bool:
    """Whether there is such a process; one that ended and was not waited for is none."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        if Path("/proc/self/stat").exists():
            return False
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    return state not in "ZX"
