"""Child processes that end with their parent: for the bundled Redis and for `manage.py demo`."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LOG_LIMIT_BYTES = 5_000_000


def spawn(
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    death_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `command` in a process group of its own, its output appended to `log`.

    Ctrl-C in a terminal goes to the whole foreground group; in its own group, the child stops when its
    parent decides. On Linux, the child gets `death_signal` if its parent is killed and cannot stop it any
    more.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  (programs and options of this project)
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
            preexec_fn=_signal_on_parents_death(death_signal),
        )


def die_with(parent: int) -> None:
    """Have this process killed when its parent dies, however that dies: it would go on unseen."""
    if ask := _signal_on_parents_death(signal.SIGKILL, parent):
        ask()


def _signal_on_parents_death(number: int, parent: int | None = None) -> Callable[[], None] | None:
    """A function for the child of `parent`, by default of this process."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)  # loaded before the fork: the child should do as little as possible
    parent = parent or os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # the parent died in between
            os._exit(1)

    return ask


def stop_groups(
    processes: Sequence[subprocess.Popen[bytes]], *, ask: Mapping[int, int] | None = None, seconds: float
) -> None:
    """Send each process SIGTERM (or its signal in `ask`, by id), wait up to `seconds`, then kill the rest of
    every group, so that no grandchild outlives this call."""
    for process in processes:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, (ask or {}).get(process.pid, signal.SIGTERM))
    deadline = time.monotonic() + seconds
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class ChildrenKeepDying(Exception):
    """A child died several times in a short time; the message names it and quotes its log."""


@dataclass
class Child:
    """A process that runs as long as its supervisor.

    Attributes:
        name: name for people, and of its log.
        command: program and arguments.
        stop_signal: signal that makes it end soon and cleanly.
        death_signal: the signal that it gets if its supervisor is killed. A program that is still starting
            may not heed all of them.
        environment, folder: environment and working directory; None inherits.
    """

    name: str
    command: Sequence[str]
    log: Path
    stop_signal: int = signal.SIGTERM
    death_signal: int = signal.SIGTERM
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=3))

    def start(self) -> None:
        self.process = spawn(
            self.command,
            self.log,
            environment=self.environment,
            folder=self.folder,
            death_signal=self.death_signal,
        )

    def tail(self, lines: int = 12) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Supervisor:
    """Starts children, restarts those that die, stops them all."""

    #: A child that dies three times within this many seconds is not started again.
    GIVE_UP_SECONDS = 60.0
    STOP_SECONDS = 4.0

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.children: list[Child] = []
        #: A signal's handler must not raise now: a child that was just forked would be forgotten, and stay.
        self.starting = False
        self._tell = tell

    def start(self, child: Child) -> None:
        self.children.append(child)
        self._start(child)

    def _start(self, child: Child) -> None:
        self.starting = True
        try:
            child.start()
        finally:
            self.starting = False

    def check(self) -> None:
        """Restart children that died since the last call.

        Raises:
            ChildrenKeepDying: it has died three times within a minute.
        """
        for child in self.children:
            if child.process is None or (status := child.process.poll()) is None:
                continue
            stop_groups([child.process], seconds=0)  # its surviving descendants
            child.deaths.append(time.monotonic())
            reason = f"signal {-status}" if status < 0 else f"exit status {status}"
            if (
                len(child.deaths) == child.deaths.maxlen
                and child.deaths[-1] - child.deaths[0] < self.GIVE_UP_SECONDS
            ):
                raise ChildrenKeepDying(
                    f"The {child.name} keeps dying ({reason}). The end of {child.log}:\n{child.tail()}"
                )
            self._tell(f"The {child.name} died ({reason}); starting it again. Its log: {child.log}")
            self._start(child)

    def stop(self) -> None:
        running = [child for child in self.children if child.process is not None]
        processes = [child.process for child in running if child.process is not None]
        signals = {child.process.pid: child.stop_signal for child in running if child.process is not None}
        stop_groups(processes, ask=signals, seconds=self.STOP_SECONDS)
        self.children.clear()
