"""Test processes that begin with the large libraries imported: forks of one process that imported them.

Without it every worker of pytest-xdist spends seconds on the same imports. The controller starts `serve` and
tells xdist to start this file in place of Python (`forked`): what runs hands its standard streams to the
server, whose fork reads xdist's program from them.

Only libraries are imported here, no Django settings: each process has a home of its own (tests.settings).
Nothing may start a thread (onnxruntime does), since threads do not survive a fork; NumPy's know that.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

#: What takes long to import. Plugins of pytest are not among them: it rewrites their assertions first.
LIBRARIES = (
    "numpy",
    "scipy.signal",
    "scipy.stats",
    "scipy.optimize",
    "pandas",
    "statsmodels.api",
    "pingouin",
    "torch",
    "torch.nn.functional",
    "torch.utils.data",
    "safetensors.torch",
    "soundfile",
    "soxr",
    "pyloudnorm",
    "pystoi",
    "django.test",
    "django.contrib.auth.hashers",
    "django.contrib.staticfiles.finders",
    "django.core.management",
    "django.views.generic",
    "django.db.backends.sqlite3.base",
    "psycopg",
    "whitenoise.middleware",
    "celery.app.base",
    "celery.app.task",
    "kombu",
    "redis",
    "pydantic",
    "yaml",
    "markdown_it",
    "nh3",
    "segno",
    "weasyprint",
    "resvg_py",
    "playwright.sync_api",
    "unittest.mock",
    "codec.registry",
    "codec.bpgan.system",
    "evaluation.analysis.statistics",
)
ROOT = Path(__file__).resolve().parent.parent
#: Seconds for the imports, on a machine that has much else to do.
PATIENCE = 300.0


def start_server(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start the process that forks; returns it, which ends with this one, and what to start for Python."""
    address = folder / "warm"
    server = subprocess.Popen(
        [sys.executable, __file__, "serve", str(address)], stdin=subprocess.PIPE, cwd=ROOT
    )
    return server, shlex.join([sys.executable, "-S", __file__, "forked", str(address)])


def serve(address: str) -> None:
    """Import, then fork for each connection until standard input ends."""
    sys.path.insert(0, str(ROOT))
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):  # tests that need it say so
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a fork but who connected
        while listener in select.select([listener, 0], [], [])[0]:
            client, _ = listener.accept()
            _, streams, _, _ = socket.recv_fds(client, 1, 3)
            if os.fork() == 0:
                listener.close()
                become(streams)
                return  # the program has run; `client` is closed at the end of this process
            client.close()
            for stream in streams:
                os.close(stream)


def become(streams: Sequence[int]) -> None:
    """Run xdist's first line, as ``python -u -c`` does, on other standard streams."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, buffering=1, closefd=False)  # noqa: SIM115
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    sys.argv = ["-c"]
    exec(eval(sys.stdin.readline()), {"__name__": "__main__"})  # noqa: S102, S307 -- as execnet starts it


def forked(address: str) -> None:
    """Hand the standard streams to a fork, and end when it ends."""
    deadline = time.monotonic() + PATIENCE
    with socket.socket(socket.AF_UNIX) as connection:
        while True:
            try:
                connection.connect(address)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        socket.send_fds(connection, [b"."], [0, 1, 2])
        os.close(0)
        os.close(1)
        connection.recv(1)


if __name__ == "__main__":
    {"serve": serve, "forked": forked}[sys.argv[1]](sys.argv[2])
