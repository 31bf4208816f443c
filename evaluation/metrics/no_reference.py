"""DNSMOS, PLCMOS and DistillMOS: networks that grade speech without its reference. For workers only.

DNSMOS and PLCMOS were trained on noise suppressors and concealed packet loss; DistillMOS is a small network
distilled from one that uses self-supervised speech representations and learnt listeners' grades. All three
give good scores to a codec that produces clean speech with different content. They complement listeners'
grades and never replace them, and no training or search may use them.
"""

from __future__ import annotations

import contextlib
import sys
from functools import cache, lru_cache
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.floating[Any]]

#: DNSMOS grades windows of this length and repeats shorter signals.
WINDOW_SECONDS = 9.01

#: Both networks use frames of 16 to 32 ms and fail on very few frames.
MIN_SECONDS = 0.5

#: DistillMOS grades windows of this length and pads shorter signals.
_DISTILLMOS_SAMPLES = 122_880

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


def distillmos(degraded: Samples, rate: int) -> tuple[float | None, str]:
    """DistillMOS of float64 (samples,) at 16 kHz: mean over windows of 7.7 s, at most 1 s apart."""
    if degraded.size < MIN_SECONDS * rate:
        return None, f"too short: DistillMOS needs {MIN_SECONDS} s"
    import torch

    with _LOCK, torch.inference_mode():
        value = float(_distillmos()(torch.from_numpy(degraded.astype(np.float32))[None]))
    short = degraded.size < _DISTILLMOS_SAMPLES
    note = (
        f"{degraded.size / rate:.1f} s, with silence to {_DISTILLMOS_SAMPLES / rate:.1f} s" if short else ""
    )
    return (value, note) if np.isfinite(value) else (None, "DistillMOS gave no finite number")


@cache
def _distillmos() -> Any:
    """Load the network with the weights in its package."""
    # The package imports torchaudio only for its command line, and PyPI's torchaudio does not load
    # beside PyTorch's builds without CUDA: the import is shown an empty module.
    missing = "torchaudio" not in sys.modules
    if missing:
        sys.modules["torchaudio"] = ModuleType("torchaudio")
    try:
        from distillmos import ConvTransformerSQAModel
    finally:
        if missing:
            del sys.modules["torchaudio"]
    # It prints the path of its weights, but standard output may be a table.
    with contextlib.redirect_stdout(sys.stderr):
        return ConvTransformerSQAModel().eval()
