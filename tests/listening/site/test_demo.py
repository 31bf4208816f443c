"""``make demo``'s supervisor: what it prints, that it goes on with its data, and that nothing outlives it."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evaluation.clips.demo_clips import DemoClipsMissing, demo_clips
from listening.site.processes import stop_groups
from tests.live import ROOT, environment, free_port, wait_for

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to see what is left"),
]

#: Limits for a busy machine; an idle one takes a twentieth.
START_SECONDS = 300.0
LINK_SECONDS = 600.0
STOP_SECONDS = 120.0


class Demo:
    """A running ``manage.py demo`` and every line that it has printed."""

    def __init__(self, home: Path, port: int, *options: str) -> None:
        self.home = home
        self.url = f"http://localhost:{port}"
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", *options],
            cwd=ROOT,
            env=environment(home, port),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip() for line in self.process.stdout)

    def line(self, start: str, seconds: float) -> str:
        """The rest of the first line that begins with `start`."""

        def look() -> str | None:
            found = next((line for line in list(self.lines) if line.startswith(start)), None)
            assert found or self.process.poll() is None, self.lines
            return found

        try:
            found = wait_for(f"a line {start!r}", look, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; there is {self.lines}") from error
        assert found is not None
        return found.removeprefix(start).strip()

    def left(self) -> list[str]:
        """Command lines of processes that belong to this home."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                mine = f"EARSHOT_HOME={self.home}".encode() in (folder / "environ").read_bytes().split(b"\0")
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if mine and command and int(folder.name) != os.getpid():
                found.append(command)
        return found

    def worker(self) -> int:
        """Process id of the Celery worker that the supervisor started; 0 while there is none."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        workers = [pid for pid in children if b"celery" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return int(workers[0]) if workers else 0


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    """Demos that a test started: whatever becomes of the test, none is left."""
    started: list[Demo] = []
    yield started
    for demo in started:
        if demo.process.poll() is None:
            demo.process.send_signal(signal.SIGTERM)
    stop_groups([demo.process for demo in started], seconds=STOP_SECONDS)


def status(url: str, opener: urllib.request.OpenerDirector | None = None) -> int:
    try:
        with (opener or urllib.request.build_opener()).open(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def sign_in(link: str) -> urllib.request.OpenerDirector:
    """Follow a researcher's link; what comes back is signed in."""
    signed_in = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with signed_in.open(link, timeout=30) as answer:
        fields = re.findall(r'name="(csrfmiddlewaretoken|next)" value="([^"]*)"', answer.read().decode())
    with signed_in.open(link, urllib.parse.urlencode(fields).encode(), timeout=30) as answer:
        assert answer.status == 200
    return signed_in


def check_nothing_is_left(demo: Demo, port: int) -> None:
    assert demo.process.wait(STOP_SECONDS) == 0
    # What was killed may take a moment to be gone.
    wait_for("everything to end", lambda: not demo.left(), STOP_SECONDS)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


@pytest.mark.rest
def test_it_may_be_asked_to_end_while_it_is_starting_its_processes(tmp_path: Path, demos: list[Demo]) -> None:
    demos.append(early := Demo(tmp_path, port := free_port(), "--clips", "0"))
    wait_for("a worker", early.worker, START_SECONDS, every=0.02)
    early.process.send_signal(signal.SIGTERM)
    check_nothing_is_left(early, port)


def test_it_starts_lets_a_researcher_in_once_and_leaves_nothing(
    tmp_path: Path, demos: list[Demo], new_database: Callable[[Path], None]
) -> None:
    """Without clips, on a database that is there: the tables are made when a home starts for the first time,
    and that is among the rest, with all else that it does to its last start."""
    new_database(tmp_path / "earshot.sqlite3")
    demos.append(demo := Demo(tmp_path, port := free_port(), "--clips", "0"))
    demo.line("Earshot is at ", START_SECONDS)
    signin = demo.line("Researcher sign-in: ", 30)
    assert re.fullmatch(rf"{demo.url}/signin/[\w-]+/", signin)
    assert status(f"{demo.url}/clips/", sign_in(signin)) == 200
    assert status(signin) == 410  # once
    demo.process.send_signal(signal.SIGINT)
    check_nothing_is_left(demo, port)


@pytest.mark.rest
def test_it_refuses_a_second_starts_what_dies_goes_on_with_its_data_and_leaves_nothing(
    tmp_path: Path, demos: list[Demo]
) -> None:
    """One home from its first start to its last, because each start takes seconds."""
    try:
        demo_clips()
    except DemoClipsMissing as error:
        pytest.skip(str(error))
    options = ("--clips", "1", "--systems", "opus-9k,celp-8k")
    port = free_port()

    # The links work, and clips are there.
    demos.append(first := Demo(tmp_path, port, *options))
    first.line("Earshot is at ", START_SECONDS)
    signin = first.line("Researcher sign-in: ", 30)
    listener = first.line("Listener link: ", LINK_SECONDS)
    assert re.fullmatch(rf"{first.url}/signin/[\w-]+/", signin)
    assert re.fullmatch(rf"{first.url}/t/[\w-]+/", listener)
    assert status(listener) == 200

    with sign_in(signin).open(f"{first.url}/clips/", timeout=30) as answer:
        assert b"Harvard sentence 1, woman 1" in answer.read()
    assert status(signin) == 410  # once

    # A second start from the same home is refused, and one at the same port; the first is untouched.
    demos.append(same_home := Demo(tmp_path, free_port(), *options))
    demos.append(same_port := Demo(tmp_path / "other", port, *options))
    assert "already runs from" in same_home.line("CommandError: Earshot", START_SECONDS)
    assert "is in use" in same_port.line(f"CommandError: Port {port}", START_SECONDS)
    for refused in (same_home, same_port):
        assert refused.process.wait(STOP_SECONDS) == 1
    assert status(f"{first.url}/") == 200

    # A worker that dies comes back.
    killed = first.worker()
    os.killpg(killed, signal.SIGKILL)
    first.line("The worker died (signal 9); starting it again.", START_SECONDS)
    wait_for("a new worker", lambda: first.worker() not in (0, killed), LINK_SECONDS)

    first.process.send_signal(signal.SIGINT)
    check_nothing_is_left(first, port)
    for start in ("Researcher sign-in: ", "Listener link: "):
        assert sum(line.startswith(start) for line in first.lines) == 1

    # Again with the same data: the same study, a new sign-in link. And this time nobody can clean up.
    logs = [tmp_path / "logs" / f"{name}.log" for name in ("worker", "worker-for-studies")]
    told = {log: len(log.read_text()) for log in logs}
    demos.append(second := Demo(tmp_path, port, *options))
    assert second.line("Listener link: ", START_SECONDS) == listener
    assert second.line("Researcher sign-in: ", 10) != signin
    wait_for(
        "its workers", lambda: all(" ready." in log.read_text()[told[log] :] for log in told), START_SECONDS
    )
    assert second.left()
    second.process.kill()
    second.process.wait()
    wait_for("everything to end with its killed starter", lambda: not second.left(), STOP_SECONDS)
