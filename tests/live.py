"""A site of real processes for tests: web server, worker and Redis, each started and killed on its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.test import override_settings
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from listening.site.embedded_redis import EmbeddedRedis
from listening.site.processes import spawn, stop_groups
from listening.web.accounts import make_api_token
from tests.conftest import ROOT
from tests.database import connected_to

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T], seconds: float, every: float = 0.1) -> T:
    """Poll `look` until it returns something true, and return that; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:g} s in vain for {what}")
        time.sleep(every)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, port: int, **extra: str) -> dict[str, str]:
    """The environment of a site that shares nothing with whatever else runs here."""
    own = ("DATABASE_URL", "REDIS_URL", "SITE_URL", "MEDIA_S3_BUCKET", "SECRET_KEY", "DJANGO_SETTINGS_MODULE")
    clean = {name: value for name, value in os.environ.items() if name not in own}
    return {
        **clean,
        "DJANGO_SETTINGS_MODULE": "listening.site.settings",
        "EARSHOT_HOME": str(home),
        "PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "EARSHOT_TORCH_THREADS": "1",
        # Short, so that tests see a killed worker's work come back soon.
        "JOB_LEASE_SECONDS": "4",
        **extra,
    }


class Site:
    """One home, its processes and its API. Everything it started ends with `stop`."""

    def __init__(self, home: Path, **extra: str) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.environment = environment(home, self.port, **extra)
        self.redis = EmbeddedRedis(home)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.token = ""

    def manage(self, *arguments: str) -> str:
        """Run a management command; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def database(self) -> Path:
        """The SQLite database, where the site has one."""
        return self.home / "earshot.sqlite3"

    @contextmanager
    def here(self) -> Iterator[None]:
        """Have this process work on the site's database and files. Messages to its workers need `in_site`."""
        with (
            connected_to(self.environment.get("DATABASE_URL") or self.database),
            override_settings(MEDIA_ROOT=self.home / "media"),
        ):
            yield

    def start_web(self, workers: int = 1, *, wait: bool = True) -> subprocess.Popen[bytes]:
        process = self._start(
            "web",
            *("gunicorn", "listening.site.wsgi", "--bind", f"127.0.0.1:{self.port}", "--no-control-socket"),
            *("--workers", str(workers), "--threads", "4", "--preload"),
        )
        if wait:
            wait_for("the web server", self._answers, 300)
        return process

    def start_worker(
        self, queues: Sequence[str] = settings.WORKER_QUEUES, *, children: int = 2, beat: bool = True
    ) -> subprocess.Popen[bytes]:
        """A worker of some children; with `beat` it has the sweeper's clock in a further one."""
        return self._start(
            "worker",
            *("celery", "-A", "listening.site", "worker", "--concurrency", str(children)),
            *("--queues", ",".join(queues), "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
            *(("--beat", *self._schedule) if beat else ()),
        )

    def start_beat(self) -> subprocess.Popen[bytes]:
        return self._start("beat", "celery", "-A", "listening.site", "beat", *self._schedule)

    @property
    def _schedule(self) -> tuple[str, str]:
        return "--schedule", str(self.home / "celerybeat-schedule")

    def _start(self, name: str, *module: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *module]
        process = spawn(command, self.home / f"{name}.log", environment=self.environment, folder=ROOT)
        self.processes.append(process)
        return process

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        stop_groups(self.processes, ask={p.pid: signal.SIGQUIT for p in self.processes}, seconds=5)
        self.redis.stop()

    def api(self, path: str, data: dict[str, Any] | None = None, *, json_body: Any = None) -> Any:
        """GET a path of the API, or POST a form with files or a JSON body to it."""
        headers = {"Authorization": f"Bearer {self.token}"}
        body: bytes | None = None
        if data is not None:
            headers["Content-Type"], body = MULTIPART_CONTENT, encode_multipart(BOUNDARY, data)
        elif json_body is not None:
            headers["Content-Type"], body = "application/json", json.dumps(json_body).encode()
        request = urllib.request.Request(f"{self.url}/api{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read()[:500]!r}") from error

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the site's SQLite database from outside."""
        database = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=20)
        try:
            return database.execute(query).fetchall()
        finally:
            database.close()


def in_site(site: Site, script: str, given: Any = None) -> Any:
    """Run a script on the site's database; what it assigns to `out` comes back."""
    code = (
        "import json, sys, django; django.setup(); "
        "given = json.load(sys.stdin)\n" + script + "\nprint(json.dumps(out))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=site.environment,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def children_of(pid: int) -> list[int]:
    done = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True)
    return [int(line) for line in done.stdout.split()]


def running_site(home: Path, new_database: Callable[[Path], None], **extra: str) -> Iterator[Site]:
    """A site with a database and a token, nothing started yet; for fixtures."""
    site = Site(home, **extra)
    if "DATABASE_URL" not in extra:
        new_database(site.database)
    with site.here():
        site.token = make_api_token(User.objects.create_user("alice"))
    try:
        yield site
    finally:
        site.stop()
