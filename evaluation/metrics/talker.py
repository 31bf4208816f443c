"""Talker similarity: whether a network that tells voices apart hears the same one. For workers only.

The network (GE2E, Wan et al. 2018) and its weights come from the package ``resemblyzer``, of which only the
file of weights is used: its modules import a detector of voice activity that needs an old setuptools, and
SciPy's older names.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.base import Note, gettext_noop

Samples = NDArray[np.floating[Any]]

#: As in the package: power mel-spectrograms of 25 ms every 10 ms, in pieces of 1.6 s, about 1.3 a second.
_RATE, _WINDOW, _HOP, _BANDS = 16_000, 400, 160, 40
_PIECE, _STEP = 160, 77
#: Frames this much below the loudest one, dB, are pauses: only the rest is listened to.
_PAUSE_DB = 40.0
#: The level of what the network was trained on, dB.
_LEVEL_DB = -30.0
_LOCK = Lock()


def similarity(reference: Samples, degraded: Samples, rate: int, metric: str) -> tuple[float | None, str]:
    """Cosine of the angle between the voices in both, float64 (samples,) at 16 kHz; 1: the same."""
    spoken = _speech(reference)
    if spoken.sum() < _PIECE * _HOP // 2:
        return None, Note(gettext_noop("too little speech to know a voice by: 0.8 s are needed"))
    with _LOCK:
        ours, theirs = (_embed(signal[spoken]) for signal in (reference, degraded))
    return float(np.clip(ours @ theirs, -1.0, 1.0)), ""


def _speech(reference: Samples) -> NDArray[np.bool_]:
    """The samples of `reference` that are no pause."""
    frames = reference.size // _HOP
    power = np.square(reference[: frames * _HOP]).reshape(frames, _HOP).mean(axis=1)
    around = np.convolve(power, np.ones(9) / 9, mode="same")
    loud = around > power.max(initial=0.0) * 10 ** (-_PAUSE_DB / 10)
    return np.repeat(np.append(loud, False), _HOP)[: reference.size]


def _embed(signal: Samples) -> NDArray[np.float64]:
    """The direction in which the network places a voice, (256,)."""
    import torch

    from codec.bpgan.network.mel import mel_filters

    level = np.sqrt(np.mean(np.square(signal)))
    audio = (signal * (10 ** (_LEVEL_DB / 20) / max(float(level), 1e-9))).astype(np.float32)
    window = torch.hann_window(_WINDOW)
    spectrum = torch.stft(
        torch.from_numpy(audio), _WINDOW, _HOP, window=window, pad_mode="constant", return_complex=True
    )
    mel = (torch.from_numpy(mel_filters(_RATE, _WINDOW, _BANDS)) @ spectrum.abs() ** 2).T
    mel = torch.nn.functional.pad(mel, (0, 0, 0, max(0, _PIECE - len(mel))))
    pieces = torch.stack([mel[at : at + _PIECE] for at in range(0, len(mel) - _PIECE + 1, _STEP)])
    recurrent, linear = _network()
    with torch.inference_mode():
        _, (hidden, _) = recurrent(pieces)
        embedded = torch.relu(linear(hidden[-1])).numpy().astype(np.float64)
    embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
    mean = embedded.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


@cache
def _network() -> Any:
    """The network with the weights in the package: a recurrent part and a linear one."""
    import torch

    spec = find_spec("resemblyzer")
    assert spec is not None  # noqa: S101 -- `Metric.missing` says so before
    assert spec.origin is not None  # noqa: S101
    weights = torch.load(Path(spec.origin).parent / "pretrained.pt", map_location="cpu", weights_only=True)
    state = weights["model_state"]
    parts = torch.nn.LSTM(_BANDS, 256, 3, batch_first=True), torch.nn.Linear(256, 256)
    for name, part in zip(("lstm", "linear"), parts, strict=True):
        own = {
            key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")
        }
        part.load_state_dict(own)
        part.eval()
    return parts
