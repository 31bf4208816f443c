"""How many threads PyTorch gets: one rule for the command line, a worker and the benchmark.

The search takes thousands of small steps, after each of which its threads wait for each other. Measured on
two cores that others were using (load 8; `bpgan-2k`, 4.8 s of speech): 8 s with one thread; 110 to 155 s
with two that spin while they wait, as they do by default; 8 s with two that sleep. So they sleep, and there
are no more of them than cores without other work. The same holds for the threads of ONNX Runtime, of which
each network has its own.

The search itself gets one: on two idle cores, 60 s of speech took 71 s to encode with one thread and 72 s
with two, which spent 23 % more processor time. A receiver, whose steps are few and large, gains a quarter.
"""

from __future__ import annotations

import os
import sys
import time
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

#: More do not help networks of this size.
MOST = 4
#: Seconds of audio below which the work is over before a second thread has paid for its start.
SHORT = 3.0
#: How long the cores are watched, seconds: ten ticks of Linux' clock.
_WATCHED = 0.1
_STAT = Path("/proc/stat")


def let_threads_sleep() -> None:
    """Have OpenMP's threads sleep, not spin, while they wait. Works only before PyTorch is imported."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def use_threads(wanted: int | None = None, seconds: float | None = None, *, searching: bool = False) -> int:
    """Tell PyTorch, if it is loaded, how many threads to use, and return their number.

    Args:
        wanted: a number that somebody asked for; None: as `choose_threads` says.
        seconds: of audio to work on; None: a long work.
        searching: the work is a sender's search.
    """
    threads = wanted or choose_threads(seconds, searching=searching)
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads


@cache
def import_with_onnx(name: str) -> ModuleType:
    """Import a module that knows ONNX Runtime as ``ort``, and have its networks' threads follow this rule.

    The package ``speechmos`` has no option for that, and by default a network has a thread that spins for
    each core of the machine.

    Raises:
        ImportError: it is not installed.
    """
    module = import_module(name)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = choose_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    ours = SimpleNamespace(InferenceSession=partial(onnxruntime.InferenceSession, sess_options=options))
    vars(module)["ort"] = ours
    return module


def choose_threads(seconds: float | None = None, *, searching: bool = False) -> int:
    """EARSHOT_TORCH_THREADS or OMP_NUM_THREADS where one is set; else as many as cores are free, up to 4.

    `seconds` of audio to work on: short ones get one thread, and so does a search (`searching`).
    """
    for name in ("EARSHOT_TORCH_THREADS", "OMP_NUM_THREADS"):
        given = os.environ.get(name, "")
        if given.isdecimal() and int(given):
            return int(given)
    if searching or (seconds is not None and seconds < SHORT):
        return 1
    return max(1, min(MOST, count_free_cores()))


def count_free_cores() -> int:
    """Cores that this process may use and that had nothing to do, or only low-priority work, just now."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if allowed == 1:
        return 1
    try:
        before = _STAT.read_text(encoding="ascii")
        time.sleep(_WATCHED)
        share = measure_free_share(before, _STAT.read_text(encoding="ascii"))
    except OSError:  # not Linux
        return allowed
    return round(allowed * share)


def measure_free_share(before: str, after: str) -> float:
    """How much of the cores' time between two readings of /proc/stat was free, 0 to 1.

    Free is what was idle, waited for a disk, or went to processes of low priority, which make way.
    """
    first, last = ([int(field) for field in text.splitlines()[0].split()[1:9]] for text in (before, after))
    # user, nice, system, idle, iowait, irq, softirq, steal (proc(5))
    passed = [b - a for a, b in zip(first, last, strict=True)]
    whole = sum(passed)
    return (passed[1] + passed[3] + passed[4]) / whole if whole > 0 else 1.0
