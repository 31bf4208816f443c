"""ViSQOL v3 in speech mode (Chinen et al. 2020): similarity of gammatone spectrograms. For workers only."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.floating[Any]]

#: ViSQOL cuts speech into patches of 0.4 s.
MIN_SECONDS = 0.5


@cache
def _api() -> Any:
    from visqol import VisqolApi

    logging.getLogger("visqol").setLevel(logging.ERROR)
    api = VisqolApi()
    # The lattice is what ViSQOL v3 maps with; the older polynomial over-predicts.
    api.create(mode="speech", use_lattice_model=True)
    return api


def visqol(reference: Samples, degraded: Samples, rate: int) -> tuple[float | None, str]:
    """MOS-LQO of `degraded`, both float64 (samples,) at 16 kHz; or None and the reason."""
    if reference.size < MIN_SECONDS * rate:
        return None, f"too short: ViSQOL needs {MIN_SECONDS} s"
    try:
        found = _api().measure_from_arrays(reference, degraded, rate)
    except (ValueError, IndexError) as error:
        return None, f"ViSQOL finds nothing to compare: {error}"
    value = float(found.moslqo)
    return (value, "") if np.isfinite(value) else (None, "ViSQOL gave no finite number")
