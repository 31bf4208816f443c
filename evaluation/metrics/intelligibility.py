"""STOI and ESTOI by pystoi: how many words would be understood. For workers only."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.base import Note, gettext_noop

Samples = NDArray[np.floating[Any]]


def stoi(reference: Samples, degraded: Samples, rate: int, metric: str) -> tuple[float | None, str]:
    """``stoi`` or ``estoi`` of float64 (samples,): the mean correlation of short-time band envelopes."""
    from pystoi import stoi as correlate

    with warnings.catch_warnings():
        # pystoi warns and returns 1e-5 if fewer than 30 frames remain without the pauses.
        warnings.filterwarnings("error", message="Not enough STFT frames")
        try:
            return float(correlate(reference, degraded, rate, extended=metric == "estoi")), ""
        except RuntimeWarning:
            return None, Note(gettext_noop("too short: STOI needs 0.4 s of speech"))
