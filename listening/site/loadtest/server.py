"""A web server of its own for the load test, as `docs/production.md` starts it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from listening.site.processes import spawn, stop_groups


class ServerFailed(Exception):
    """The web server did not come up; the message quotes its log."""


@dataclass(frozen=True)
class WebServer:
    """A running web server.

    Attributes:
        url: of the site.
        process: gunicorn's first process, which leads the group of its workers.
    """

    url: str
    process: subprocess.Popen[bytes]

    def processor_seconds(self) -> float:
        """Processor time that all processes of the server have used so far, seconds (Linux)."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            if int(fields[2]) == self.process.pid:  # the process group
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def serve(
    environment: Mapping[str, str], folder: Path, workers: int, threads: int, log: Path
) -> Iterator[WebServer]:
    """Start a web server on a free port and stop it in the end.

    Args:
        environment: of its processes.
        folder: with the site's source.
        workers: number of processes.
        threads: of each.
        log: file for what it prints.

    Raises:
        ServerFailed: it does not come up.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = spawn(
        [
            *(sys.executable, "-m", "gunicorn", "listening.site.wsgi", "--bind", f"127.0.0.1:{port}"),
            *("--workers", str(workers), "--threads", str(threads)),
            *("--keep-alive", "30", "--no-control-socket", "--backlog", "512"),
        ],
        log,
        environment={**environment, "THROTTLING": "0"},
        folder=folder,
    )
    server = WebServer(f"http://127.0.0.1:{port}", process)
    try:
        _wait(server, log)
        yield server
    finally:
        stop_groups([process], seconds=5)


def _wait(server: WebServer, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{server.url}/signin/", timeout=5):  # noqa: S310
                return
        except OSError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"The web server does not come up:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.1)
