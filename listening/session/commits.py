"""One commit for what several requests store at the same moment.

A commit waits for the disk, however little it holds. The first thread that comes stores its own work; what
others bring meanwhile waits, and the next thread stores all of that at once. Each thread returns after the
commit that holds its work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import Generic, TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")


class _Waiting(Generic[Work, Result]):
    """A thread's work, and its turn to be told or to lead."""

    __slots__ = ("error", "is_done", "result", "turn", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.turn = Event()
        self.is_done = False
        self.result: Result | None = None
        self.error: Exception | None = None


class GroupCommit(Generic[Work, Result]):
    """Stores the work of concurrent threads together.

    Args:
        store: stores works in one transaction and returns their results in the same order, or raises and has
            stored nothing. Called by one thread at a time.
    """

    def __init__(self, store: Callable[[Sequence[Work]], Sequence[Result]]) -> None:
        self._store = store
        self._lock = Lock()
        self._waiting: list[_Waiting[Work, Result]] = []
        self._has_leader = False

    def submit(self, work: Work) -> Result:
        """Store `work` and return its result once it is durable. Raises what `store` raised for its group."""
        mine: _Waiting[Work, Result] = _Waiting(work)
        with self._lock:
            self._waiting.append(mine)
            leads = not self._has_leader
            self._has_leader = True
        if not leads:
            mine.turn.wait()
        if not mine.is_done:
            self._lead()
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # set by whoever led

    def _lead(self) -> None:
        """Store all that waits, this thread's work among it, and let the next thread lead."""
        with self._lock:
            group, self._waiting = self._waiting, []
        error: Exception | None = InterruptedError("The thread that stored this was stopped.")
        results: Sequence[Result] = ()
        try:
            results = self._store([each.work for each in group])
            error = None
        except Exception as raised:  # noqa: BLE001  (every thread of the group raises it)
            error = raised
        finally:  # whatever happens to this thread, the others must not wait for ever
            for place, each in enumerate(group):
                each.is_done = True
                each.error = error
                each.result = None if error else results[place]
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._has_leader = following is not None
            if following is not None:
                following.turn.set()
            for each in group:
                each.turn.set()
