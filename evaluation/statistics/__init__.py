"""Statistics of ratings: pure functions on tidy frames with the columns ``assessor, item, system, score``.

Definitions follow BS.1534-3 where it has one. A figure that needs more data than there is comes
out as NaN; whoever shows it says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtrit

COLUMNS = ("assessor", "item", "system", "score")


@dataclass(frozen=True)
class Box:
    """Median, Tukey hinges, and the furthest values within 1.5 IQR of the hinges."""

    median: float
    q1: float
    q3: float
    low: float
    high: float

    @property
    def iqr(self) -> float:
        return self.q3 - self.q1


@dataclass(frozen=True)
class Screened:
    """What post-screening says of one assessor.

    Attributes:
        share: of the assessor's items on which the hidden reference got too little; NaN without any.
        reason: in a sentence, for a table of listeners.
    """

    assessor: object
    items: int
    missed: int
    share: float
    excluded: bool
    reason: str


def box(values: ArrayLike) -> Box:
    """The box plot of `values`, shape (n,), n >= 1, with hinges as BS.1534-3 draws them (M23).

    Each hinge is the median of a half; with an odd count the middle value belongs to both halves.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    half = (ordered.size + 1) // 2
    q1, q3 = float(np.median(ordered[:half])), float(np.median(ordered[-half:]))
    reach = 1.5 * (q3 - q1)
    inside = ordered[(ordered >= q1 - reach) & (ordered <= q3 + reach)]
    return Box(float(np.median(ordered)), q1, q3, float(inside[0]), float(inside[-1]))


def half_width(values: ArrayLike, confidence: float = 0.95) -> float:
    """Half the width of Student's t interval of the mean of `values`, shape (n,); NaN if n < 2."""
    array = np.asarray(values, dtype=float)
    if array.size < 2:
        return math.nan
    return float(stdtrit(array.size - 1, (1 + confidence) / 2) * array.std(ddof=1) / math.sqrt(array.size))


def assessor_means(frame: pd.DataFrame) -> pd.DataFrame:
    """Each assessor's mean grade of each system over items: columns ``system, assessor, score``."""
    means: pd.DataFrame = frame.groupby(["system", "assessor"], sort=False, as_index=False)["score"].mean()
    return means


_SUMMARY = (
    "n", "n_assessors", "mean", "sd", "ci95_ratings", "assessor_mean", "ci95",
    "median", "q1", "q3", "iqr", "low", "high",
)  # fmt: skip


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per system, in order of appearance, indexed by system.

    Columns: ``n`` ratings, ``n_assessors``, ``mean`` and ``sd`` of ratings, ``ci95_ratings`` (half
    width of the t interval over ratings, as if they were independent), ``assessor_mean`` (mean of
    the assessors' means), ``ci95`` (half width of its t interval: the interval to report, since an
    assessor's grades are not independent), ``median, q1, q3, iqr, low, high`` of ratings (`box`).
    """
    rows = []
    for system, group in frame.groupby("system", sort=False):
        means = group.groupby("assessor")["score"].mean()
        scores = group["score"].to_numpy(dtype=float)
        drawn = box(scores)
        rows.append(
            {
                "system": system,
                "n": scores.size,
                "n_assessors": means.size,
                "mean": scores.mean(),
                "sd": scores.std(ddof=1) if scores.size > 1 else math.nan,
                "ci95_ratings": half_width(scores),
                "assessor_mean": means.mean(),
                "ci95": half_width(means),
                "median": drawn.median,
                "q1": drawn.q1,
                "q3": drawn.q3,
                "iqr": drawn.iqr,
                "low": drawn.low,
                "high": drawn.high,
            }
        )
    return pd.DataFrame(rows, columns=["system", *_SUMMARY]).set_index("system")


def screen_hidden_reference(
    frame: pd.DataFrame, reference: str = "original", threshold: float = 90, share: float = 0.15
) -> list[Screened]:
    """BS.1534-3's first rule (M21): drop who grades the hidden reference below 90 on more than 15 % of items.

    Returns one entry per assessor, in order of appearance. The frame itself is left as it is.
    """
    screened = []
    for assessor in frame["assessor"].unique():
        grades = frame.loc[(frame["assessor"] == assessor) & (frame["system"] == reference), "score"]
        items, missed = int(grades.size), int((grades < threshold).sum())
        if items == 0:
            screened.append(Screened(assessor, 0, 0, math.nan, False, "has not graded the hidden reference"))
            continue
        found = missed / items
        reason = f"hidden reference below {threshold:g} on {missed} of {items} items ({100 * found:.0f} %)"
        screened.append(Screened(assessor, items, missed, found, found > share, reason))
    return screened


def apply_screening(frame: pd.DataFrame, screened: Sequence[Screened]) -> pd.DataFrame:
    """`frame` without the ratings of excluded assessors."""
    excluded = [entry.assessor for entry in screened if entry.excluded]
    return frame[~frame["assessor"].isin(excluded)]


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's correlation of two series of shape (n,); NaN if n < 3 or one of them is constant."""
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if first.size < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(np.corrcoef(first, second)[0, 1])


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation, ties by average rank; NaN as in `pearson`."""
    return pearson(pd.Series(x, dtype=float).rank(), pd.Series(y, dtype=float).rank())
