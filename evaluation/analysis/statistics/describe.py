"""What the grades of each system, and of each item x system, look like (BS.1534-3, 4.1.2, 7 and 9).

Nothing is left out of a figure but ratings without a finite score: outliers are flagged (M23).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from evaluation.analysis.statistics.frames import Floats, Ints, Ratings, Tidy, tidy
from evaluation.analysis.statistics.intervals import (
    Interval,
    bca_interval,
    half_width,
    t_interval,
)
from evaluation.analysis.words import count

#: A multimodality coefficient above that of a uniform distribution suggests several modes (M25).
MULTIMODAL = 5 / 9
#: Of fewer grades b says nothing.
GROUPS_LEAST = 40


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
class Condition:
    """What one system's grades say, over all items (`item` is None) or of one item.

    Attributes:
        n: ratings; median, quartiles, mean and sd are over them.
        assessor_mean: mean of the assessors' means: with the same items for all it equals `mean`.
        over_assessors: t interval of `assessor_mean`: the one to report, an assessor's grades are not
            independent. None with fewer than two assessors.
        over_ratings: t interval of `mean` as if ratings were independent: too narrow, for comparison only.
        bootstrap: BCa interval of `assessor_mean`, where asked for.
        outliers: ratings outside 1.5 IQR of the hinges (M23): flagged, and in every figure.
        multimodality: b of M25; None with fewer than four ratings or when all are equal.
        problem: what cannot be given and why.
    """

    system: object
    item: object | None
    n: int
    n_assessors: int
    median: float
    q1: float
    q3: float
    low: float
    high: float
    mean: float
    sd: float | None
    assessor_mean: float
    over_assessors: Interval | None
    over_ratings: Interval | None
    bootstrap: Interval | None
    outliers: int
    multimodality: float | None
    problem: str = ""

    @property
    def iqr(self) -> float:
        return self.q3 - self.q1


def suggests_groups(scores: ArrayLike, low: float, high: float) -> bool:
    """Whether b of M25 may be read as a sign of several modes on a scale from `low` to `high`.

    Skewness alone raises b, so that grades near an end of the scale, of one mode, pass the limit in most
    studies. It is read only with `GROUPS_LEAST` grades or more of which no more than a tenth lie in the
    outer twentieth at either end; there grades of one mode pass it in less than 5 % of simulated studies.
    """
    array = np.asarray(scores, dtype=float)
    if array.size < GROUPS_LEAST:
        return False
    edge = 0.05 * (high - low)
    if float(((array <= low + edge) | (array >= high - edge)).mean()) > 0.1:
        return False
    b = multimodality(array)
    return b is not None and b > MULTIMODAL


@dataclass(frozen=True)
class Outlier:
    """A rating outside `low` .. `high`, the 1.5 IQR fences of its item x system (M23): examine it."""

    assessor: object
    item: object
    system: object
    score: float
    low: float
    high: float


@dataclass(frozen=True)
class Hint:
    """A sign that the test may not be valid (M24), in a sentence."""

    code: str
    text: str


@dataclass(frozen=True)
class Description:
    """Conditions in order of appearance; `notes` say what was left out, `problem` why there is nothing."""

    conditions: list[Condition] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    problem: str = ""


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


def multimodality(values: ArrayLike) -> float | None:
    """b = (g^2 + 1) / (k + 3 (n - 1)^2 / ((n - 2)(n - 3))) of `values`, shape (n,) (M25).

    g and k are the bias-corrected sample skewness and excess kurtosis. None if n < 4 or all values
    are equal.
    """
    array = np.asarray(values, dtype=float)
    n = array.size
    if n < 4 or np.ptp(array) == 0:
        return None
    centred = array - array.mean()
    m2, m3, m4 = ((centred**power).mean() for power in (2, 3, 4))
    if m2 < 1e-18 * max(1.0, float(np.abs(array).max()) ** 2):
        return None
    skewness = math.sqrt(n * (n - 1)) / (n - 2) * m3 / m2**1.5
    kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3) + 6)
    below = kurtosis + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))
    return float((skewness**2 + 1) / below) if below > 0 else None


def assessor_means(frame: pd.DataFrame) -> pd.DataFrame:
    """Each assessor's mean grade of each system over items: columns ``system, assessor, score``."""
    means: pd.DataFrame = frame.groupby(["system", "assessor"], sort=False, as_index=False)["score"].mean()
    return means


def systems(frame: Ratings, *, confidence: float = 0.95, resamples: int = 9999, seed: int = 0) -> Description:
    """Each system over all its items; `resamples` = 0 leaves the bootstrap out."""
    data = tidy(frame)
    if data.problem:
        return Description([], data.notes, data.problem)
    names: list[tuple[object, object | None]] = [(name, None) for name in data.systems]
    return Description(_conditions(data, data.system, names, confidence, resamples, seed), data.notes)


def cells(frame: Ratings, *, confidence: float = 0.95, resamples: int = 0, seed: int = 0) -> Description:
    """Each item x system that was graded, items in order of appearance, systems within them."""
    data = tidy(frame)
    if data.problem:
        return Description([], data.notes, data.problem)
    code = data.item * len(data.systems) + data.system
    found, group = np.unique(code, return_inverse=True)
    width = len(data.systems)
    names = [(data.systems[cell % width], data.items[cell // width]) for cell in found]
    return Description(_conditions(data, group, names, confidence, resamples, seed), data.notes)


def outliers(frame: Ratings) -> list[Outlier]:
    """Ratings outside the 1.5 IQR fences of their item x system (M23), in the frame's order."""
    data = tidy(frame)
    if data.problem:
        return []
    found, group = np.unique(data.item * len(data.systems) + data.system, return_inverse=True)
    hinges = _hinges(group, data.score, found.size)
    reach = 1.5 * (hinges[:, 2] - hinges[:, 1])
    low, high = hinges[:, 1] - reach, hinges[:, 2] + reach
    outside = np.flatnonzero((data.score < low[group]) | (data.score > high[group]))
    return [
        Outlier(
            data.assessors[data.assessor[row]], data.items[data.item[row]], data.systems[data.system[row]],
            float(data.score[row]), float(low[group[row]]), float(high[group[row]]),
        )
        for row in outside
    ]  # fmt: skip


def _hinges(group: Ints, score: Floats, groups: int) -> Floats:
    """Median and hinges of every group, (groups, 3), each group having a rating."""
    ordered = score[np.lexsort((score, group))]
    sizes = np.bincount(group, minlength=groups)
    starts = np.cumsum(sizes) - sizes
    halves = (sizes + 1) // 2

    def median(start: Ints, size: Ints) -> Floats:
        return np.asarray((ordered[start + (size - 1) // 2] + ordered[start + size // 2]) / 2)

    return np.stack(
        [median(starts, sizes), median(starts, halves), median(starts + sizes - halves, halves)], axis=1
    )


def _conditions(
    data: Tidy,
    group: Ints,
    names: Sequence[tuple[object, object | None]],
    confidence: float,
    resamples: int,
    seed: int,
) -> list[Condition]:
    """One condition per group of ratings; `group` is (ratings,), every group having at least one."""
    hinges = _hinges(group, data.score, len(names))
    order = np.lexsort((data.score, group))
    ends = np.cumsum(np.bincount(group, minlength=len(names)))
    rows = []
    for index, (system, item) in enumerate(names):
        chosen = order[ends[index - 1] if index else 0 : ends[index]]
        scores = data.score[chosen]
        who, position = np.unique(data.assessor[chosen], return_inverse=True)
        means = np.bincount(position, weights=scores) / np.bincount(position)
        median, q1, q3 = (float(value) for value in hinges[index])
        reach = 1.5 * (q3 - q1)
        inside = scores[(scores >= q1 - reach) & (scores <= q3 + reach)]
        rows.append(
            Condition(
                system=system,
                item=item,
                n=int(scores.size),
                n_assessors=int(who.size),
                median=median,
                q1=q1,
                q3=q3,
                low=float(inside[0]),
                high=float(inside[-1]),
                mean=float(scores.mean()),
                sd=float(scores.std(ddof=1)) if scores.size > 1 else None,
                assessor_mean=float(means.mean()),
                over_assessors=t_interval(means, "assessor means", confidence),
                over_ratings=t_interval(scores, "ratings", confidence),
                bootstrap=bca_interval(means, "assessor means", confidence, resamples, seed)
                if resamples
                else None,
                outliers=int(scores.size - inside.size),
                multimodality=multimodality(scores),
                problem=_problem(means),
            )
        )
    return rows


def _problem(means: Floats) -> str:
    if means.size == 1:
        return "One assessor: an interval of assessor means needs two."
    if np.ptp(means) == 0:
        return "All assessor means are equal: the interval has no width, and there is no bootstrap."
    return "Two assessors: the bootstrap needs three." if means.size == 2 else ""


_SUMMARY = (
    "n", "n_assessors", "mean", "sd", "ci95_ratings", "assessor_mean", "ci95",
    "median", "q1", "q3", "iqr", "low", "high",
)  # fmt: skip


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per system, in order of appearance, indexed by system: `systems` as a table of numbers.

    Columns: ``n`` ratings, ``n_assessors``, ``mean`` and ``sd`` of ratings, ``ci95_ratings`` (half
    width of the t interval over ratings, as if they were independent), ``assessor_mean`` (mean of
    the assessors' means), ``ci95`` (half width of its t interval: the interval to report, since an
    assessor's grades are not independent), ``median, q1, q3, iqr, low, high`` of ratings (`box`).
    NaN where there is no figure.
    """
    rows = [
        {
            "system": row.system,
            "n": row.n,
            "n_assessors": row.n_assessors,
            "mean": row.mean,
            "sd": math.nan if row.sd is None else row.sd,
            "ci95_ratings": row.over_ratings.half_width if row.over_ratings else math.nan,
            "assessor_mean": row.assessor_mean,
            "ci95": row.over_assessors.half_width if row.over_assessors else math.nan,
            "median": row.median,
            "q1": row.q1,
            "q3": row.q3,
            "iqr": row.iqr,
            "low": row.low,
            "high": row.high,
        }
        for row in systems(frame, resamples=0).conditions
    ]
    return pd.DataFrame(rows, columns=["system", *_SUMMARY]).set_index("system")


def validity_hints(
    frame: Ratings,
    *,
    reference: object = "original",
    low_anchor: object = "anchor35",
    mid_anchor: object = "anchor70",
) -> list[Hint]:
    """Signs that the test is too easy, too narrow, or that its anchors did not work (M24).

    Means are of assessor means. Nothing is said of systems that were not graded.
    """
    data = tidy(frame)
    if data.problem:
        return []
    means = {
        row.system: row.assessor_mean for row in _conditions(
            data, data.system, [(name, None) for name in data.systems], 0.95, 0, 0
        )
    }  # fmt: skip
    tested = {name: mean for name, mean in means.items() if name not in (reference, low_anchor, mid_anchor)}
    hints = []
    high = sum(mean >= 80 for mean in tested.values())
    if tested and high > len(tested) / 2:
        hints.append(
            Hint(
                "too_easy",
                f"{high} of {count(len(tested), 'system')} under test have a mean of 80 or more: "
                "the items may not be critical enough (BS.1534-3 wants grades from 20 to 80).",
            )
        )
    if len(tested) > 1 and (spread := max(tested.values()) - min(tested.values())) < 20:
        hints.append(
            Hint(
                "narrow",
                f"The means of the systems under test lie within {spread:.1f} points; "
                "ideally grades span 20 to 80."
                if spread > 1e-9
                else "All systems under test have the same mean; ideally grades span 20 to 80.",
            )
        )
    if low_anchor in means and mid_anchor in means:
        apart = means[mid_anchor] - means[low_anchor]
        if apart <= 0:
            text = (
                f"The low anchor was graded {-apart:.1f} points above the mid anchor."
                if apart < -1e-9
                else "Low and mid anchor have the same mean."
            )
            hints.append(Hint("anchors_reversed", f"{text} Check the stimuli."))
        elif not 20 <= apart <= 30:
            text = f"Low and mid anchor are {apart:.1f} points apart; 20 to 30 are ideal."
            hints.append(Hint("anchors_apart", text))
    if reference in means and means[reference] < 90:
        text = f"The hidden reference has a mean of {means[reference]:.1f}: it was not found reliably."
        hints.append(Hint("reference_low", text))
    return hints


__all__ = [
    "GROUPS_LEAST", "MULTIMODAL", "Box", "Condition", "Description", "Hint", "Outlier", "assessor_means",
    "box", "cells", "half_width", "multimodality", "outliers", "suggests_groups", "summarise", "systems",
    "validity_hints",
]  # fmt: skip
