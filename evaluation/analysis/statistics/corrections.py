"""Corrections of p values for a family of comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment; None stays None and does not count into the family."""
    return _stepwise(p, down=True)


def hochberg(p: Sequence[float | None]) -> list[float | None]:
    """Hochberg's step-up adjustment (M28), for tests that are independent or positively dependent."""
    return _stepwise(p, down=False)


def _stepwise(p: Sequence[float | None], *, down: bool) -> list[float | None]:
    known = [index for index, value in enumerate(p) if value is not None and math.isfinite(value)]
    values = np.array([p[index] for index in known], dtype=float)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * (values.size - np.arange(values.size))
    steps = np.maximum.accumulate(scaled) if down else np.minimum.accumulate(scaled[::-1])[::-1]
    adjusted: list[float | None] = [None] * len(p)
    for place, value in zip(order, steps, strict=True):
        adjusted[known[place]] = float(min(1.0, value))
    return adjusted
