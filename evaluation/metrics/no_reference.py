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

from codec.base import Note, gettext_noop
from codec.threads import import_with_onnx, use_threads

Samples = NDArray[np.floating[Any]]

#: DNSMOS grades windows of this length and repeats shorter signals.
WINDOW_SECONDS = 9.01

#: DistillMOS grades windows of this length and pads shorter signals.
_DISTILLMOS_SAMPLES = 122_880

#: PLCMOS draws 15 raters from NumPy's global generator: with this seed they are always the same.
_SEED = 1534
_LOCK = Lock()


@lru_cache(maxsize=2)
def _dnsmos(samples: bytes, rate: int) -> dict[str, float]:
    """All scores of one run, cached because P.808 and OVRL are requested one after the other."""
    network = import_with_onnx("speechmos.dnsmos")
    return {name: float(value) for name, value in network.run(np.frombuffer(samples), rate).items()}


def dnsmos(reference: Samples, degraded: Samples, rate: int, metric: str) -> tuple[float | None, str]:
    """``dnsmos_p808`` or ``dnsmos_ovrl`` of `degraded`, float64 (samples,) at 16 kHz.

    The mean over windows of 9 s, 1 s apart.
    """
    figure = {"dnsmos_p808": "p808_mos", "dnsmos_ovrl": "ovrl_mos"}[metric]
    value = _dnsmos(np.clip(degraded, -1, 1).astype(np.float64).tobytes(), rate)[figure]
    if degraded.size >= WINDOW_SECONDS * rate:
        return value, ""
    return value, Note(gettext_noop("%(seconds).1f s, repeated to 9 s"), seconds=degraded.size / rate)


def plcmos(reference: Samples, degraded: Samples, rate: int, metric: str) -> tuple[float | None, str]:
    """PLCMOS v2 of `degraded`, float64 (samples,) at 16 kHz: mean of 15 simulated raters, always the same."""
    network = import_with_onnx("speechmos.plcmos")
    with _LOCK:
        state = np.random.get_state()
        np.random.seed(_SEED)
        try:
            value = float(network.run(np.clip(degraded, -1, 1), rate)["plcmos"])
        finally:
            np.random.set_state(state)
    return value, ""


def distillmos(reference: Samples, degraded: Samples, rate: int, metric: str) -> tuple[float | None, str]:
    """DistillMOS of `degraded`, float64 (samples,) at 16 kHz: mean over windows of 7.7 s, 1 s apart."""
    import torch

    use_threads(seconds=degraded.size / rate)
    with _LOCK, torch.inference_mode():
        value = float(_distillmos()(torch.from_numpy(degraded.astype(np.float32))[None]))
    if degraded.size >= _DISTILLMOS_SAMPLES:
        return value, ""
    return value, Note(
        gettext_noop("%(seconds).1f s, with silence to %(window).1f s"),
        seconds=degraded.size / rate, window=_DISTILLMOS_SAMPLES / rate,
    )  # fmt: skip


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
