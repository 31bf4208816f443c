"""Corrections of p values for a family of comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np

#: What is called significant: a p below it.
LEVEL = 0.05

#: A p value, or None where there is none.
P = TypeVar("P", float, float | None)


def holm(p: Sequence[P]) -> list[P]:
    """Holm's step-down adjustment; None stays None and does not count into the family."""
    return _stepwise(p, down=True)


def hochberg(p: Sequence[P]) -> list[P]:
    """Hochberg's step-up adjustment (M28), for tests that are independent or positively dependent."""
    return _stepwise(p, down=False)


def find_hopeless(
    least: Sequence[float | None], correct: Callable[[Sequence[float]], Sequence[float]] = holm
) -> list[bool]:
    """Which tests of a family are not significant even where each has the least p that it can have.

    `least` are those, before they are corrected; None: a test that has no least, and any p is possible.
    """
    return [p >= LEVEL for p in correct([0.0 if value is None else value for value in least])]


def _stepwise(p: Sequence[P], *, down: bool) -> list[P]:
    known = [index for index, value in enumerate(p) if value is not None and math.isfinite(value)]
    values = np.array([p[index] for index in known], dtype=float)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * (values.size - np.arange(values.size))
    steps = np.maximum.accumulate(scaled) if down else np.minimum.accumulate(scaled[::-1])[::-1]
    # What is not finite is no p value: None, in a sequence that may hold it.
    adjusted = cast("list[P]", [None] * len(p))
    for place, value in zip(order, steps, strict=True):
        adjusted[known[place]] = float(min(1.0, value))
    return adjusted
