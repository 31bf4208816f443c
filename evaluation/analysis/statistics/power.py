"""Power of the primary analysis: how many listeners it takes to show a difference between two systems.

A difference d of the grades that one listener gives two systems in one item has three spreads, in points of
the scale: of listeners, of items and of the rest (`differences`). With L listeners and I items, complete, the
mean of d has the variance listener^2 / L + item^2 / I + rest^2 / (L I), and the test's t is noncentral with
Satterthwaite's degrees of freedom. A vote of paired preference is +1, 0 or -1, and so is a difference, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import nctdtr, stdtrit

from evaluation.analysis.statistics.corrections import LEVEL
from evaluation.analysis.statistics.differences import Population
from evaluation.analysis.statistics.frames import tidy
from evaluation.analysis.statistics.random_effects import NoError, fit

#: No plan goes beyond this many listeners.
MOST_LISTENERS = 2000


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a paired difference, in points of the scale."""

    listener: float
    item: float
    rest: float


def power(
    difference: float,
    spread: Spread,
    listeners: int,
    items: int,
    *,
    population: Population = Population.ITEMS_LIKE_THESE,
    pairs: int = 1,
) -> float:
    """Chance that the test of one pair finds a true `difference`.

    Args:
        pairs: of the family; the level is that of Holm's first step, so the chance is no less.
    """
    if listeners < 2:
        return 0.0
    variance, df = _error(spread, listeners, items, population)
    if variance <= 0:
        return 1.0 if difference else LEVEL / pairs
    limit = float(stdtrit(df, 1 - LEVEL / pairs / 2))
    shift = difference / math.sqrt(variance)
    found = 1 - nctdtr(df, shift, limit) + nctdtr(df, shift, -limit)
    return float(found) if math.isfinite(found) else float(abs(shift) > limit)


def _error(spread: Spread, listeners: int, items: int, population: Population) -> tuple[float, float]:
    """Variance of the mean difference and its degrees of freedom, from the expected mean squares."""
    cells = listeners * items
    rest = spread.rest**2
    of_listeners = rest + items * spread.listener**2
    if population is Population.THESE_ITEMS or items < 2:
        return of_listeners / cells, listeners - 1.0
    of_items = rest + listeners * spread.item**2
    total = of_listeners + of_items - rest
    parts = (
        of_listeners**2 / (listeners - 1)
        + of_items**2 / (items - 1)
        + rest**2 / ((listeners - 1) * (items - 1))
    )
    df = total**2 / parts if parts > 0 else math.inf
    return total / cells, max(df, float(min(listeners, items) - 1))


def listeners_needed(
    difference: float,
    spread: Spread,
    items: int,
    wanted: float = 0.8,
    *,
    population: Population = Population.ITEMS_LIKE_THESE,
    pairs: int = 1,
) -> int | None:
    """Fewest listeners whose `power` is `wanted`; None where no number gives it: too few items, mostly."""

    def enough(number: int) -> bool:
        return power(difference, spread, number, items, population=population, pairs=pairs) >= wanted

    if not enough(MOST_LISTENERS):
        return None
    low, high = 1, MOST_LISTENERS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def spread_of(frame: pd.DataFrame, a: object, b: object) -> Spread | None:
    """The spreads of a minus b in a pilot's ``assessor, item, system, score``.

    None unless two listeners graded both in each of two items or more.
    """
    data = tidy(frame)
    first, second = data.find(a), data.find(b)
    if data.problem or first is None or second is None:
        return None
    cube = data.cube()
    apart = cube[:, :, first] - cube[:, :, second]
    assessor, item = np.nonzero(~np.isnan(apart))
    return split_spread(apart[assessor, item], assessor, item)


def split_spread(values: ArrayLike, assessor: ArrayLike, item: ArrayLike) -> Spread | None:
    """The spreads of differences, or votes of +1, 0 and -1: `values`, (n,), of an assessor and item each.

    None unless there are two assessors and two items or more, and something is left to them.
    """
    values = np.asarray(values, dtype=float)
    _, assessor = np.unique(np.asarray(assessor, dtype=object), return_inverse=True)
    _, item = np.unique(np.asarray(item, dtype=object), return_inverse=True)
    if values.size < 4 or assessor.max() < 1 or item.max() < 1:
        return None
    try:
        variances = fit(values, np.ones((values.size, 1)), [assessor, item]).variances
    except (NoError, np.linalg.LinAlgError):
        return None
    return Spread(*(math.sqrt(max(0.0, float(part))) for part in variances))


def vote_spread(share: float, listener: float = 0.0, item: float = 0.0) -> tuple[float, Spread]:
    """Difference and spreads of votes of paired preference without ties.

    Args:
        share: true share of votes for the preferred system.
        listener, item: shares of a vote's variance that lie between listeners and between items.
    """
    difference = 2 * share - 1
    variance = 1 - difference**2
    return difference, Spread(
        math.sqrt(listener * variance),
        math.sqrt(item * variance),
        math.sqrt((1 - listener - item) * variance),
    )
