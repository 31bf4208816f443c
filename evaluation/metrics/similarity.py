"""ViSQOL v3 (Chinen et al. 2020): similarity of gammatone spectrograms. For workers only."""

from __future__ import annotations

import logging
import math
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.base import Note, gettext_noop

Samples = NDArray[np.floating[Any]]

#: Longer recordings are measured in as many equal parts as that takes.
MOST_SECONDS = 60.0


@cache
def _api(mode: str) -> Any:
    from visqol import VisqolApi

    logging.getLogger("visqol").setLevel(logging.ERROR)
    api = VisqolApi()
    if mode == "speech":
        # The lattice is what ViSQOL v3 maps speech with; the older polynomial over-predicts.
        api.create(mode=mode, use_lattice_model=True)
    else:
        api.create(mode=mode)
    return api


def visqol(reference: Samples, degraded: Samples, rate: int, metric: str) -> tuple[float | None, str]:
    """MOS-LQO of `degraded` in speech mode, both float64 (samples,) at 16 kHz; or None and the reason."""
    return _measure("speech", reference, degraded, rate)


def visqol_audio(reference: Samples, degraded: Samples, rate: int, metric: str) -> tuple[float | None, str]:
    """MOS-LQO in audio mode, both float64 (samples,) or (samples, 2) at 48 kHz; or None and the reason."""
    ours, theirs = (each if each.ndim == 1 else each.mean(axis=1) for each in (reference, degraded))
    return _measure("audio", ours, theirs, rate)


def _measure(mode: str, reference: Samples, degraded: Samples, rate: int) -> tuple[float | None, str]:
    # In memory its spectrograms take a hundred times the recording.
    count = max(1, math.ceil(len(reference) / (MOST_SECONDS * rate)))
    edges = np.linspace(0, len(reference), count + 1).round().astype(int)
    values: list[float] = []
    reason = "no finite number"
    for start, end in pairwise(edges):
        try:
            found = _api(mode).measure_from_arrays(reference[start:end], degraded[start:end], rate)
        except (ValueError, IndexError) as error:  # a part may be silent
            reason = str(error)
        else:
            if math.isfinite(found.moslqo):  # of silence it is none
                values.append(float(found.moslqo))
    if not values:
        return None, Note(gettext_noop("ViSQOL finds nothing to compare: %(error)s"), error=reason)
    if count == 1:
        return values[0], ""
    text = gettext_noop("mean over %(count)s parts of %(seconds).0f s: ViSQOL is made for short recordings")
    return float(np.mean(values)), Note(text, count=len(values), seconds=len(reference) / rate / count)
