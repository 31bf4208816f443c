"""Statistics of BS.1116-3: diff grades, the expertise of assessors, means per system.

Frames have the columns ``assessor, item, system, score, reference``, a row a trial: `score` is the system's
grade, `reference` the hidden reference's in the same trial. The diff grade is `score - reference`: 0 where
no impairment was heard, down to -4; above 0 where the listener took the system for the reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtr

from evaluation.analysis.statistics.corrections import LEVEL, holm
from evaluation.analysis.statistics.differences import Population, estimate_mean
from evaluation.analysis.statistics.intervals import Interval, t_interval
from evaluation.analysis.statistics.random_effects import Contrast
from evaluation.analysis.words import count, figure, p_words

COLUMNS = ("assessor", "item", "system", "score", "reference")


def diff_grades(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` as ``assessor, item, system, score`` with the diff grade as score."""
    tidy: pd.DataFrame = frame[["assessor", "item", "system"]].assign(
        score=(frame["score"] - frame["reference"]).to_numpy(dtype=float)
    )
    return tidy


@dataclass(frozen=True)
class Expertise:
    """Whether an assessor's diff grades show that the hidden reference was found (BS.1116-3, post-screening).

    Attributes:
        n: trials.
        mistaken: trials in which the system was graded above the hidden reference.
        mean: of the diff grades.
        t, p: of Student's one-sided test that the mean is below 0; None where all diff grades are alike.
        expert: whether it is, at the level asked for.
        reason: in a sentence, for a table of listeners.
    """

    assessor: object
    n: int
    mistaken: int
    mean: float
    t: float | None
    p: float | None
    expert: bool
    reason: str


def below_zero(values: ArrayLike) -> tuple[float, float] | None:
    """Student's t and one-sided p that the mean of `values` (n,) is below 0; None if it has no t."""
    array = np.asarray(values, dtype=float)
    if array.size < 2 or np.ptp(array) == 0:
        return None
    t = float(array.mean() / (array.std(ddof=1) / math.sqrt(array.size)))
    return t, float(stdtr(array.size - 1, t))


def expertise(frame: pd.DataFrame, confidence: float = 0.95) -> list[Expertise]:
    """One entry per assessor, in order of appearance.

    Diff grades that are all alike have no t: below 0 in two trials or more, they are taken for expertise.
    """
    rows = []
    for assessor, its in diff_grades(frame).groupby("assessor", sort=False):
        grades = its["score"].to_numpy(dtype=float)
        mean, mistaken = float(grades.mean()), int((grades > 0).sum())
        tested = below_zero(grades)
        if tested is None:
            expert = grades.size > 1 and mean < 0
            why = "one trial only" if grades.size == 1 else f"all diff grades are {figure(mean, 1)}"
            rows.append(Expertise(assessor, grades.size, mistaken, mean, None, None, expert, why))
            continue
        t, p = tested
        expert = p <= 1 - confidence
        words = "tells the reference from the systems" if expert else "not shown to tell the reference"
        reason = f"mean diff grade {figure(mean, 2)} in {count(grades.size, 'trial')}, {p_words(p)}: {words}"
        rows.append(Expertise(assessor, grades.size, mistaken, mean, t, p, expert, reason))
    return rows


@dataclass(frozen=True)
class Impairment:
    """A system's diff grades.

    Attributes:
        mean: of the assessors' means.
        interval: 95 % t interval of it over assessors; None with fewer than two.
        mistaken: share of trials in which it was graded above the hidden reference.
        population: whom the test speaks for; never wider than the data allow.
        estimate, low, high: the primary analysis' mean and its 95 % interval: mixed model of diff grades
            (`differences`). Where each assessor graded every item that is `mean`; else it weighs what they
            graded. None without a test.
        p, p_adjusted: two-sided, of no impairment; the latter by Holm over the systems. None without a test.
        shown: whether `p_adjusted` is below 0.05 and `estimate` below 0; None without a test.
    """

    system: str
    n: int
    assessors: int
    mean: float
    interval: Interval | None
    mistaken: float
    population: Population
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    shown: bool | None = None


def describe(frame: pd.DataFrame) -> list[Impairment]:
    """One entry per system, in order of appearance; nothing is tested."""
    rows = []
    for system, its in diff_grades(frame).groupby("system", sort=False):
        means = its.groupby("assessor", sort=False)["score"].mean().to_numpy(dtype=float)
        rows.append(
            Impairment(
                str(system),
                len(its),
                means.size,
                float(means.mean()),
                t_interval(means, "assessor means"),
                float((its["score"] > 0).mean()),
                Population.THESE_ITEMS,
            )
        )
    return rows


def impairments(
    frame: pd.DataFrame, population: Population = Population.ITEMS_LIKE_THESE
) -> list[Impairment]:
    """`describe` with intervals and tests, the systems as one family."""
    rows = []
    by_system = dict(list(diff_grades(frame).groupby("system", sort=False)))
    for row in describe(frame):
        whom, contrast = _test(by_system[row.system], population)
        row = replace(row, population=whom)
        if contrast is not None:
            low, high = contrast.interval()
            row = replace(row, estimate=contrast.estimate, low=low, high=high, p=contrast.p())
        rows.append(row)
    adjusted = holm([row.p for row in rows])
    return [
        replace(row, p_adjusted=p, shown=None if p is None else p < LEVEL and (row.estimate or 0.0) < 0)
        for row, p in zip(rows, adjusted, strict=True)
    ]


def _test(its: pd.DataFrame, population: Population) -> tuple[Population, Contrast | None]:
    """The mean diff grade of one system by the primary analysis; None where it has no spread to test with."""
    assessor, item = (pd.factorize(its[name])[0].astype(np.intp) for name in ("assessor", "item"))
    whom = population if item.max() > 0 else Population.THESE_ITEMS
    if assessor.max() < 1:
        return whom, None
    return whom, estimate_mean(its["score"].to_numpy(dtype=float), assessor, item, whom)
