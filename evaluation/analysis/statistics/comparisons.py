"""Which systems differ: permutation tests, Friedman and Wilcoxon, and corrections for many comparisons.

A comparison of `a` with `b` is of a minus b. Tests but Attachment 3's are paired: each assessor's
mean of a and of b, over the assessors who graded both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtrc, fdtrc, ndtr, stdtr

from evaluation.analysis.statistics.corrections import find_hopeless, hochberg, holm
from evaluation.analysis.statistics.frames import Floats, Tidy, tidy
from evaluation.analysis.statistics.intervals import Interval, half_width
from evaluation.analysis.statistics.ranking import settle
from evaluation.analysis.words import count

Pair = tuple[object, object]

#: With at most so many pairs of means every change of signs is tried: 2^14 = 16 384.
EXACT_PAIRS = 14

#: Differences closer than this share of the largest count as ties.
TIE = 1e-9


@dataclass(frozen=True)
class Comparison:
    """A test of `a` against `b`.

    Attributes:
        n_a, n_b: ratings of each for Attachment 3, pairs of assessor means for the others.
        difference: a minus b, of medians of ratings (Attachment 3) or of means of assessor means.
        interval: 95 % t interval of the mean paired difference; None for Attachment 3.
        p: of the test as `method` describes it; None with a `problem`.
        p_at_least: of Attachment 3 only: counting ties with the observed difference, and the observed
            one itself, (1 + k) / (1 + permutations); never 0, and valid where medians tie.
        p_two_sided: of Attachment 3 only: the same of differences as large in either direction; the one to
            read where the direction was chosen after looking at the grades.
        p_adjusted: for the family of comparisons, see `Comparisons.adjustment`.
        exact: all changes of signs were tried, not a sample of them.
        floor: the smallest p that this test can have with so many listeners or grades, before adjustment.
    """

    a: object
    b: object
    method: str
    n_a: int
    n_b: int
    difference: float | None = None
    interval: Interval | None = None
    statistic: float | None = None
    p: float | None = None
    p_at_least: float | None = None
    p_two_sided: float | None = None
    p_adjusted: float | None = None
    exact: bool = False
    floor: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Comparisons:
    """A family of comparisons and how its p values were adjusted ("" for not at all).

    Attributes:
        out_of_reach: how many rows cannot fall below `LEVEL` in this family, whatever the grades are.
    """

    rows: list[Comparison] = field(default_factory=list)
    method: str = ""
    adjustment: str = ""
    out_of_reach: int = 0
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Friedman:
    """Friedman's test of all systems on assessor means.

    Attributes:
        n: assessors who graded every system; the others cannot be ranked and are left out.
        w: Kendall's coefficient of concordance, 0 to 1.
        f, f_p: the F form of Iman and Davenport (1980), better with few assessors; None where W = 1.
        floor: the smallest p that so many assessors and systems can have: that of W = 1.
    """

    n: int
    systems: int
    chi2: float | None = None
    df: int = 0
    p: float | None = None
    w: float | None = None
    f: float | None = None
    f_p: float | None = None
    floor: float | None = None
    mean_ranks: dict[object, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problem: str = ""


#: The corrections for a family.
Adjust = Literal["holm", "hochberg", "none"]
_CORRECTIONS: dict[Adjust, Callable[[Sequence[Any]], Sequence[Any]]] = {
    "holm": holm,
    "hochberg": hochberg,
    "none": list,
}


def _out_of_reach(rows: list[Comparison], adjust: Adjust) -> int:
    """The number of tested rows that cannot fall below `LEVEL` in this family."""
    least = [row.floor for row in rows if row.p is not None]
    return sum(find_hopeless(least, _CORRECTIONS[adjust]))


def _family(rows: list[Comparison], adjust: Adjust) -> list[Comparison]:
    if adjust == "none":
        return rows
    adjusted = _CORRECTIONS[adjust]([row.p for row in rows])
    return [replace(row, p_adjusted=value) for row, value in zip(rows, adjusted, strict=True)]


def _pairs(data: Tidy, pairs: Iterable[Pair] | None) -> list[Pair]:
    return list(combinations(data.systems, 2)) if pairs is None else list(pairs)


def _refusal(data: Tidy, a: object, b: object, method: str) -> Comparison | None:
    """Why these two cannot be compared at all; None if they can."""
    absent = [str(system) for system in (a, b) if data.find(system) is None]
    if absent:
        return Comparison(a, b, method, 0, 0, problem=f"Nobody graded {' or '.join(absent)}.")
    if a == b:
        return Comparison(a, b, method, 0, 0, problem="A system cannot be compared with itself.")
    return None


# Attachment 3 -------------------------------------------------------------------------------------

ATTACHMENT_3 = "BS.1534-3 Att. 3: permutation of pooled ratings, difference of medians, one-sided, unpaired"


def attachment3(
    frame: pd.DataFrame, pairs: Iterable[Pair] | None = None, *, permutations: int = 10_000, seed: int = 0
) -> Comparisons:
    """The Recommendation's permutation test (M27) of each pair, in the direction median of a > median of b.

    The ratings of both systems are pooled and dealt out again without replacement; p is the share of
    `permutations` whose difference of medians exceeds the observed one. The sizes of the two groups are
    those of the ratings, which are taken as independent: they are not, so see `sign_flip` beside it.
    Without `pairs`, every pair of systems, the one with the higher median first.
    """
    data = tidy(frame)
    if data.problem:
        return Comparisons([], ATTACHMENT_3, notes=data.notes, problem=data.problem)
    grades = [data.score[data.system == index] for index in range(len(data.systems))]
    if pairs is None:
        medians = {name: float(np.median(grades[index])) for index, name in enumerate(data.systems)}
        wanted = [(a, b) if medians[a] >= medians[b] else (b, a) for a, b in combinations(data.systems, 2)]
    else:
        wanted = list(pairs)
    rows = []
    for number, (a, b) in enumerate(wanted):
        refused = _refusal(data, a, b, ATTACHMENT_3)
        if refused is None:
            first, second = data.find(a), data.find(b)
            generator = np.random.default_rng([seed, number])
            rows.append(_attachment3(a, b, grades[first or 0], grades[second or 0], permutations, generator))
        else:
            rows.append(refused)
    problem = "" if wanted else "One system: there is nothing to compare it with."
    return Comparisons(rows, ATTACHMENT_3, "", _out_of_reach(rows, "none"), data.notes, problem)


def _attachment3(
    a: object, b: object, first: Floats, second: Floats, permutations: int, generator: np.random.Generator
) -> Comparison:
    row = Comparison(a, b, ATTACHMENT_3, first.size, second.size, float(np.median(first) - np.median(second)))
    values, place = np.unique(np.concatenate([first, second]), return_inverse=True)
    if values.size == 1:
        return replace(row, problem="All ratings of both systems are equal.")
    if permutations < 1:
        return replace(row, problem="The test needs at least one permutation.")
    drawn = _permuted_medians(values, np.bincount(place), first.size, permutations, generator)
    observed = row.difference or 0.0
    tie = TIE * float(np.ptp(values))
    above = int((drawn > observed + tie).sum())
    at_least = int((drawn >= observed - tie).sum())
    as_far = int((np.abs(drawn) >= abs(observed) - tie).sum())
    return replace(
        row,
        statistic=row.difference,
        p=above / permutations,
        p_at_least=(1 + at_least) / (1 + permutations),
        p_two_sided=(1 + as_far) / (1 + permutations),
        floor=max(1 / math.comb(first.size + second.size, first.size), 1 / (1 + permutations)),
    )


def _permuted_medians(
    values: Floats, counts: NDArray[np.intp], size: int, permutations: int, generator: np.random.Generator
) -> Floats:
    """Difference of medians of `size` pooled ratings dealt to one group and the rest to the other.

    Dealing without replacement only matters by how many of each value go where: a multivariate
    hypergeometric draw of the histogram, the same distribution as shuffling at a fraction of the time.
    """
    parts = []
    for start in range(0, permutations, 2000):
        number = min(2000, permutations - start)
        dealt = generator.multivariate_hypergeometric(counts, size, number, method="marginals")
        one, other = np.cumsum(dealt, axis=1), np.cumsum(counts - dealt, axis=1)
        parts.append(_median(values, one, size) - _median(values, other, int(counts.sum()) - size))
    return np.concatenate(parts)


def _median(values: Floats, cumulated: NDArray[np.int64], size: int) -> Floats:
    low = (cumulated <= (size - 1) // 2).sum(axis=1)
    high = low if size % 2 else (cumulated <= size // 2).sum(axis=1)
    return np.asarray((values[low] + values[high]) / 2)


# Paired on assessor means --------------------------------------------------------------------------

SIGN_FLIP = "paired sign-flip permutation of assessor means, two-sided"
WILCOXON = "Wilcoxon signed-rank test on assessor means, two-sided"
PAIRED_T = "paired t test on assessor means, two-sided"


@dataclass(frozen=True)
class _Differences:
    """Paired differences of assessor means, one column a pair; NaN where an assessor lacks one of the two."""

    rows: list[Comparison]
    columns: list[int | None]
    values: Floats


def _differences(data: Tidy, pairs: list[Pair], method: str) -> _Differences:
    means = data.means()
    rows: list[Comparison] = []
    columns: list[int | None] = []
    kept: list[Floats] = []
    for a, b in pairs:
        refused = _refusal(data, a, b, method)
        if refused is not None:
            rows.append(refused)
            columns.append(None)
            continue
        difference = means[:, data.systems.index(a)] - means[:, data.systems.index(b)]
        there = difference[~np.isnan(difference)]
        n = int(there.size)
        row = Comparison(a, b, method, n, n)
        if n == 0:
            row = replace(row, problem="No assessor graded both systems.")
        else:
            mean, half = float(there.mean()), half_width(there)
            interval = (
                Interval(mean - half, mean + half, f"95 % t interval over {n} paired differences")
                if n > 1
                else None
            )
            row = replace(row, difference=mean, interval=interval)
            if n == 1:
                row = replace(row, problem="One assessor graded both systems: a paired test needs two.")
            elif np.abs(there).max() <= TIE:
                row = replace(row, problem="No assessor's means of the two systems differ.")
        rows.append(row)
        columns.append(len(kept))
        kept.append(difference)
    values = np.stack(kept, axis=1) if kept else np.zeros((len(data.assessors), 0))
    return _Differences(rows, columns, values)


def sign_flip(
    frame: pd.DataFrame,
    pairs: Iterable[Pair] | None = None,
    *,
    permutations: int = 10_000,
    adjust: Adjust = "holm",
    seed: int = 0,
) -> Comparisons:
    """Paired permutation test of each pair on assessor means: each difference changes its sign or not.

    With up to `EXACT_PAIRS` assessors every change of signs is tried and p is exact, never below
    2 / 2^n; else p is (1 + k) / (1 + permutations). `adjust` is "holm", "hochberg" or "none".
    """
    data = tidy(frame)
    if data.problem:
        return Comparisons([], SIGN_FLIP, notes=data.notes, problem=data.problem)
    found = _differences(data, _pairs(data, pairs), SIGN_FLIP)
    rows = [
        row
        if column is None or row.problem
        else _sign_flip(row, found.values[:, column], permutations, np.random.default_rng([seed, number]))
        for number, (row, column) in enumerate(zip(found.rows, found.columns, strict=True))
    ]
    problem = "" if rows else "One system: there is nothing to compare it with."
    reach = _out_of_reach(rows, adjust)
    return Comparisons(_family(rows, adjust), SIGN_FLIP, _adjustment(adjust), reach, data.notes, problem)


def _sign_flip(
    row: Comparison, differences: Floats, permutations: int, generator: np.random.Generator
) -> Comparison:
    values = differences[~np.isnan(differences)]
    n = values.size
    if n <= EXACT_PAIRS:
        p = _exact_p(values)
        return replace(row, statistic=row.difference, p=p, exact=True, floor=2.0 ** (1 - n))
    if permutations < 1:
        return replace(row, problem="The test needs at least one permutation.")
    observed = abs(values.sum()) - TIE * float(np.abs(values).sum())
    signs = 1.0 - 2.0 * generator.integers(0, 2, (permutations, n))
    hits = int((np.abs(signs @ values) >= observed).sum())
    least = 1 / (1 + permutations)
    return replace(row, statistic=row.difference, p=(1 + hits) / (1 + permutations), floor=least)


def _exact_p(values: Floats) -> float:
    """The share of all changes of signs of `values`, (n,), whose sum is at least as far from 0."""
    # The first sign stays: turning all signs round gives the same absolute sum.
    n = values.size
    signs = 1.0 - 2.0 * ((np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1)
    observed = abs(values.sum()) - TIE * float(np.abs(values).sum())
    return float((np.abs(signs @ values) >= observed).mean())


def wilcoxon(
    frame: pd.DataFrame, pairs: Iterable[Pair] | None = None, *, adjust: Adjust = "holm"
) -> Comparisons:
    """Wilcoxon's signed-rank test of each pair on assessor means, adjusted for the family.

    Differences of zero are left out, as Wilcoxon has it. Of the others p is exact, without ties up to 50
    pairs and with ties up to `EXACT_PAIRS`; else by the normal approximation with correction for ties.
    """
    data = tidy(frame)
    if data.problem:
        return Comparisons([], WILCOXON, notes=data.notes, problem=data.problem)
    found = _differences(data, _pairs(data, pairs), WILCOXON)
    rows = [
        row if column is None or row.problem else _wilcoxon(row, found.values[:, column])
        for row, column in zip(found.rows, found.columns, strict=True)
    ]
    problem = "" if rows else "One system: there is nothing to compare it with."
    reach = _out_of_reach(rows, adjust)
    return Comparisons(_family(rows, adjust), WILCOXON, _adjustment(adjust), reach, data.notes, problem)


def _wilcoxon(row: Comparison, differences: Floats) -> Comparison:
    from scipy import stats

    values = differences[~np.isnan(differences)]
    values = values[np.abs(values) > TIE]
    values = np.sign(values) * settle(np.abs(values))
    n, ranks = values.size, stats.rankdata(np.abs(values))
    tied = np.unique(ranks).size < n
    exact = n <= (EXACT_PAIRS if tied else 50)
    outcome = stats.wilcoxon(values, method="exact" if exact and not tied else "asymptotic")
    # All of one sign, the furthest that there is.
    least = 2.0 ** (1 - n) if exact else float(2 * ndtr(-ranks.sum() / math.sqrt((ranks**2).sum())))
    p = _exact_p(np.sign(values) * ranks) if exact and tied else float(outcome.pvalue)
    return replace(row, statistic=float(outcome.statistic), p=min(1.0, p), exact=exact, floor=least)


def contrasts(frame: pd.DataFrame, pairs: Iterable[Pair], *, adjust: Adjust = "hochberg") -> Comparisons:
    """Paired t tests of chosen pairs on assessor means, with Hochberg's step-up (M28).

    Choose the pairs before looking at the grades: BS.1534-3 does not recommend all of them.
    """
    data = tidy(frame)
    if data.problem:
        return Comparisons([], PAIRED_T, notes=data.notes, problem=data.problem)
    found = _differences(data, list(pairs), PAIRED_T)
    rows = []
    for row, column in zip(found.rows, found.columns, strict=True):
        if column is not None and not row.problem:
            values = found.values[:, column]
            values = values[~np.isnan(values)]
            spread = float(values.std(ddof=1))
            if spread <= TIE * max(1.0, float(np.abs(values).max())):
                problem = "All listeners' differences are equal: t has no finite value."
                row = replace(row, problem=problem)
            else:
                t = float(values.mean()) / (spread / math.sqrt(values.size))
                row = replace(row, statistic=t, p=float(2 * stdtr(values.size - 1, -abs(t))))
        rows.append(row)
    problem = "" if rows else "No pair of systems was chosen."
    return Comparisons(_family(rows, adjust), PAIRED_T, _adjustment(adjust), 0, data.notes, problem)


def _adjustment(adjust: Adjust) -> str:
    return "" if adjust == "none" else adjust.capitalize()


def friedman(frame: pd.DataFrame) -> Friedman:
    """Friedman's rank test whether the systems differ at all, on assessor means, ties by average rank."""
    data = tidy(frame)
    if data.problem:
        return Friedman(0, 0, notes=data.notes, problem=data.problem)
    means = data.means()
    complete = means[~np.isnan(means).any(axis=1)]
    n, k = complete.shape
    notes = list(data.notes)
    if n < means.shape[0]:
        notes.append(
            f"{count(means.shape[0] - n, 'assessor')} who did not grade every system "
            f"{'is' if means.shape[0] - n == 1 else 'are'} left out."
        )
    result = Friedman(n, k, notes=tuple(notes))
    if k < 3:
        return replace(result, problem="Friedman's test compares three systems or more.")
    if n < 2:
        return replace(result, problem="Fewer than two assessors graded every system.")
    ranks = pd.DataFrame([settle(row) for row in complete]).rank(axis=1).to_numpy()
    mean_ranks = dict(zip(data.systems, map(float, ranks.mean(axis=0)), strict=True))
    spread = float(((ranks - (k + 1) / 2) ** 2).sum())
    result = replace(result, df=k - 1, mean_ranks=mean_ranks)
    if spread == 0:
        return replace(result, problem="Every assessor graded all systems alike.")
    chi2 = float((k - 1) * ((ranks.sum(axis=0) - n * (k + 1) / 2) ** 2).sum() / spread)
    w = min(1.0, chi2 / (n * (k - 1)))
    floor = float(chdtrc(k - 1, n * (k - 1)))
    result = replace(result, chi2=chi2, p=float(chdtrc(k - 1, chi2)), w=w, floor=floor)
    if 1 - w < 1e-12:
        return result
    f = (n - 1) * w / (1 - w)
    return replace(result, f=f, f_p=float(fdtrc(k - 1, (n - 1) * (k - 1), f)))
