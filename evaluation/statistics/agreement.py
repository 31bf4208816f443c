"""How far an objective metric and listeners agree."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's correlation of two series of shape (n,); NaN if n < 3 or one of them is constant."""
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if first.size < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(np.corrcoef(first, second)[0, 1])


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation, ties by average rank; NaN as in `pearson`."""
    return pearson(pd.Series(x, dtype=float).rank(), pd.Series(y, dtype=float).rank())
