"""Reads strangers' files in processes of their own, within limits, and keeps what was read.

A file that takes long or much memory holds no thread of Python here and nobody else's page; when its time is
over, its process is killed. What the process said, a refusal too, is kept for the next look at the same file;
a process that was killed said nothing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from django.utils import translation
from django.utils.translation import gettext_lazy as _

from codec.programs import limit_process
from evaluation.refusals import Refusal
from listening.interchange.imports.reading import ImportProblem

T = TypeVar("T")

#: Of processor time, seconds: twice of what the largest files take that can be imported.
SECONDS = 20.0
#: By the clock, for a machine under load.
PATIENCE = 60.0
#: Of addresses, bytes.
MEMORY = 1_500_000_000
#: Files that are read at a time by one process of the site, and how long another waits, seconds.
_AT_ONCE = 2
_QUEUE_SECONDS = 30.0
#: What is kept, bytes.
_KEPT_BYTES = 64_000_000

_turns = threading.BoundedSemaphore(_AT_ONCE)
_kept: OrderedDict[Hashable, bytes] = OrderedDict()
_lock = threading.Lock()
#: Its server has no threads, so that it can fork; it imports what readers need, and ends with this process.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["evaluation.work.ready", "listening.interchange.imports.configuring"])


def read_confined(key: Hashable, read: Callable[..., T], *arguments: Any) -> T:
    """What `read` makes of `arguments`, in a process that may do nothing for long.

    Args:
        key: stands for `read` and its arguments: the same key gets what was read before.
        read: a function of a module, which needs neither database nor storage.

    Raises:
        ImportProblem: it took too long or too much memory, or too many files are being read.
        Refusal: of `read`.
    """
    content = _recall(key)
    if content is None:
        if not _turns.acquire(timeout=_QUEUE_SECONDS):
            raise ImportProblem(_("Other files are being read at the moment. Please try again in a minute."))
        try:
            content = _recall(key)
            if content is None:
                content = _run(read, arguments)
                if content is None:  # perhaps for others' work on the machine: not kept
                    raise ImportProblem(_("The file takes too long to read, and was not read to its end."))
                _keep(key, content)
        finally:
            _turns.release()
    error, result = pickle.loads(content)  # noqa: S301 -- our own process wrote it
    if error is not None:
        raise _unpack(*error)
    found: T = result
    return found


def _recall(key: Hashable) -> bytes | None:
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
        return _kept.get(key)


def _keep(key: Hashable, content: bytes) -> None:
    with _lock:
        _kept[key] = content
        while len(_kept) > 1 and sum(map(len, _kept.values())) > _KEPT_BYTES:
            _kept.popitem(last=False)


def _run(read: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes | None:
    """What a process sends that reads; None: it was killed, or did not end in time."""
    _ensure_server()
    receiver, sender = _context.Pipe(duplex=False)
    language = translation.get_language()
    process = _context.Process(target=_work, args=(sender, language, read, arguments), daemon=True)
    process.start()
    sender.close()
    try:
        assert process.pid is not None  # noqa: S101
        limit_process(process.pid, SECONDS, MEMORY)
        if receiver.poll(PATIENCE):
            with contextlib.suppress(EOFError):  # it was killed
                return receiver.recv_bytes()
        return None
    finally:
        process.kill()
        process.join()
        process.close()
        receiver.close()


def _ensure_server() -> None:
    """Start the server, if it does not run, where it finds what this process finds.

    It looks for modules in the current folder first, and does not know `sys.path` when it imports.
    """
    with _lock:
        usual = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        try:
            forkserver.ensure_running()
        finally:
            if usual is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = usual


def _work(sender: Connection, language: str | None, read: Callable[..., Any], arguments: Any) -> None:
    """In the process: read, and send what was read or why it was not."""
    with contextlib.suppress(OSError):
        os.nice(5)  # pages come first, but ten would get it a hundredth of a busy processor
    try:
        with translation.override(language):
            content = pickle.dumps((None, read(*arguments)))
    except Refusal as refusal:
        content = _pack(refusal)
    except MemoryError:
        content = _pack(ImportProblem(_("The file takes too much memory to read.")))
    except RecursionError:
        content = _pack(ImportProblem(_("The file is nested too deeply.")))
    sender.send_bytes(content)


def _pack(refusal: Refusal) -> bytes:
    """A refusal as `read_confined` keeps it; its messages stay to be translated by whoever shows them."""
    return pickle.dumps(((type(refusal), refusal.args, vars(refusal)), None))


def _unpack(kind: type[Refusal], arguments: tuple[Any, ...], fields: dict[str, Any]) -> Refusal:
    refusal = kind.__new__(kind, *arguments)
    refusal.args = arguments
    vars(refusal).update(fields)
    return refusal
