"""DNSMOS and PLCMOS: networks that grade speech without its reference. For workers only.

Both were trained on noise suppressors and concealed packet loss; they give good scores to a codec that
produces clean speech with different content. They complement listeners' grades and never replace them.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.floating[Any]]

#: DNSMOS grades windows of this length and repeats shorter signals.
WINDOW_SECONDS = 9.01

#: Both networks use frames of 16 to 32 ms and fail on very few frames.
MIN_SECONDS = 0.5

#: PLCMOS draws 15 raters from NumPy's global generator: with this seed they are always the same.
_SEED = 1534
_LOCK = Lock()


@lru_cache(maxsize=2)
def _dnsmos(samples: bytes, rate: int) -> dict[str, float]:
    """All scores of one run, cached because P.808 and OVRL are requested one after the other."""
    from speechmos import dnsmos

    return {name: float(value) for name, value in dnsmos.run(np.frombuffer(samples), rate).items()}


def dnsmos(figure: str, degraded: Samples, rate: int) -> tuple[float | None, str]:
    """``p808_mos`` or ``ovrl_mos`` of float64 (samples,) at 16 kHz: mean over windows of 9 s, 1 s apart."""
    if degraded.size < MIN_SECONDS * rate:
        return None, f"too short: DNSMOS needs {MIN_SECONDS} s"
    value = _dnsmos(np.clip(degraded, -1, 1).astype(np.float64).tobytes(), rate)[figure]
    if not np.isfinite(value):
        return None, "DNSMOS gave no finite number"
    short = degraded.size < WINDOW_SECONDS * rate
    return value, f"{degraded.size / rate:.1f} s, repeated to 9 s" if short else ""


def plcmos(degraded: Samples, rate: int) -> tuple[float | None, str]:
    """PLCMOS v2 of float64 (samples,) at 16 kHz, mean of 15 simulated raters, the same every time."""
    if degraded.size < MIN_SECONDS * rate:
        return None, f"too short: PLCMOS needs {MIN_SECONDS} s"
    from speechmos import plcmos as network

    with _LOCK:
        state = np.random.get_state()
        np.random.seed(_SEED)
        try:
            value = float(network.run(np.clip(degraded, -1, 1), rate)["plcmos"])
        finally:
            np.random.set_state(state)
    return (value, "") if np.isfinite(value) else (None, "PLCMOS gave no finite number")
