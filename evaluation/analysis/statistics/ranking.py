"""Order and ranks of estimates, which are equal where they differ by no more than arithmetic leaves over.

Sums of the same grades in another order differ in their last digit, and how they are summed depends on the
processor: no order and no rank may depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from evaluation.analysis.statistics.frames import Floats

#: Differences up to this, relative to what is compared, are rounding.
ROUNDING = 1e-9

T = TypeVar("T")


def settle(values: ArrayLike, unit: float = 1.0) -> Floats:
    """`values`, (n,), with those that differ by rounding made equal; NaN stays.

    Args:
        values: estimates of grades, differences or abilities, or a metric's.
        unit: what they are sums of, so that what is left near zero is rounding, too; 0 where that is unknown.
    """
    found = np.array(values, dtype=float)
    order = np.argsort(found, kind="stable")
    ascending = found[order]
    with np.errstate(invalid="ignore"):  # between infinities
        steps = np.diff(ascending)
    # A step to NaN, or from one to the next, is none.
    apart = ~(steps <= ROUNDING * np.maximum(unit, np.abs(ascending[:-1])))
    if apart.all():
        return found
    first = np.concatenate([[0], np.flatnonzero(apart) + 1])
    found[order] = np.repeat(ascending[first], np.diff(np.append(first, ascending.size)))
    return found


def best_first(rows: Iterable[T], estimate: Callable[[T], float]) -> list[T]:
    """`rows` by estimates that are numbers, the highest first; where they are equal, in their order."""
    return [row for group in group_ties(rows, estimate) for row in group]


def group_ties(rows: Iterable[T], estimate: Callable[[T], float]) -> list[list[T]]:
    """`rows` as `best_first` has them, those whose estimates are equal together."""
    kept = list(rows)
    groups: dict[float, list[T]] = {}
    for row, value in zip(kept, settle([estimate(row) for row in kept]).tolist(), strict=True):
        groups.setdefault(value, []).append(row)
    return [groups[value] for value in sorted(groups, reverse=True)]
