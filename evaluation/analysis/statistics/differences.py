"""The primary analysis of graded methods: how far two systems are apart, and for whom that holds.

Of each pair of systems the differences d of the grades that one listener gave both in one item are
described by a mixed model,

    d = difference + listener + item + rest,

fitted by restricted maximum likelihood with Satterthwaite's degrees of freedom. It is the model with
random listener, item, system x listener and system x item, seen through one contrast: what two grades
of a cell share falls out, and the variances belong to this pair, so that systems may spread differently.
Only matched cells count. With complete data and fixed items it is the paired t test of listener means.

Whom it speaks for is the researcher's choice (`Population`): with random items the interval is of all
items like these, with fixed items of these recordings alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import combinations

import numpy as np
import pandas as pd

from evaluation.analysis.statistics.comparisons import Pair
from evaluation.analysis.statistics.corrections import LEVEL, holm
from evaluation.analysis.statistics.frames import Floats, Ints, Ratings, Tidy, tidy
from evaluation.analysis.statistics.random_effects import Contrast, NoError, fit
from evaluation.analysis.statistics.ranking import settle
from evaluation.analysis.words import figure

#: Points on a scale of 0 to 100 within which two systems count as equal, if the researcher states no other.
MARGIN = 5.0

_SAME = "All differences are the same, so there is no spread to test with."
_SAME_MEANS = "All listeners have the same mean difference, so there is no spread between them to test with."


class Population(StrEnum):
    """What the items stand for."""

    ITEMS_LIKE_THESE = "like"
    THESE_ITEMS = "these"


class Verdict(StrEnum):
    """All that is ever said of a difference."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Difference:
    """System `a` minus system `b`.

    Attributes:
        n: matched cells (one listener's grades of both in one item); `assessors` and `items` in them.
        population: whom the figures speak for; never wider than the data allow.
        difference, low, high: points, 95 % interval of this pair alone.
        low90, high90: the 90 % interval, which lies within ± margin where equivalence is shown at 5 %.
        p, p_adjusted: two-sided, of no difference; the latter by Holm over the family.
        p_equivalent: of two one-sided tests against ± margin (TOST), by Holm over the family.
        standardised: mean of listeners' differences by their standard deviation (d_z).
        rank_biserial: matched-pairs rank-biserial correlation over listeners (Kerby 2014), -1 to 1.
        note: what a reader of the row has to know.
        problem: why nothing could be tested, "" if something could.
    """

    a: object
    b: object
    n: int = 0
    assessors: int = 0
    items: int = 0
    population: Population = Population.ITEMS_LIKE_THESE
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    low90: float | None = None
    high90: float | None = None
    df: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    p_equivalent: float | None = None
    standardised: float | None = None
    rank_biserial: float | None = None
    verdict: Verdict = Verdict.UNDECIDED
    note: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Differences:
    """A family of pairs, the population that was asked for, and the margin of equivalence in points."""

    rows: list[Difference] = field(default_factory=list)
    population: Population = Population.ITEMS_LIKE_THESE
    margin: float = MARGIN
    notes: tuple[str, ...] = ()
    problem: str = ""


def compare(
    frame: pd.DataFrame,
    pairs: Iterable[Pair] | None = None,
    *,
    population: Population = Population.ITEMS_LIKE_THESE,
    margin: float = MARGIN,
) -> Differences:
    """Compare `pairs` of systems, every two by default, with Holm's correction over all of them.

    Args:
        frame: ``assessor, item, system, score``; rows without a score are left out.
        population: whom the answer is to hold for.
        margin: half width of the range of equivalence, in points, positive.
    """
    if not margin > 0:
        raise ValueError("The margin of equivalence must be positive.")
    data = tidy(frame)
    wanted = list(combinations(data.systems, 2)) if pairs is None else list(pairs)
    result = Differences([], population, margin, data.notes, data.problem)
    if data.problem:
        return result
    if not wanted:
        return replace(result, problem="One system: there is nothing to compare it with.")
    cube = data.cube()
    found = [_difference(data, cube, a, b, population, margin) for a, b in wanted]
    unequal = holm([row.p for row in found])
    equal = holm([row.p_equivalent for row in found])
    family = sum(p is not None for p in unequal)
    rows = [
        _judge(replace(row, p_adjusted=p, p_equivalent=q), margin, family)
        for row, p, q in zip(found, unequal, equal, strict=True)
    ]
    return replace(result, rows=rows)


def _difference(
    data: Tidy, cube: Floats, a: object, b: object, population: Population, margin: float
) -> Difference:
    row = Difference(a, b, population=population)
    first, second = data.find(a), data.find(b)
    if first is None or second is None or first == second:
        absent = [str(name) for name, place in ((a, first), (b, second)) if place is None]
        text = f"Nobody graded {' or '.join(absent)}." if absent else "A system against itself."
        return replace(row, problem=text)
    apart = cube[:, :, first] - cube[:, :, second]
    assessor, item = np.nonzero(~np.isnan(apart))
    values = apart[assessor, item]
    listeners, assessor = np.unique(assessor, return_inverse=True)
    heard, item = np.unique(item, return_inverse=True)
    row = replace(row, n=values.size, assessors=listeners.size, items=heard.size)
    if values.size == 0:
        shared = bool(
            np.any(~np.isnan(cube[:, :, first]).all(axis=0) & ~np.isnan(cube[:, :, second]).all(axis=0))
        )
        text = "No listener heard both in one item." if shared else "Never heard in the same item."
        return replace(row, problem=text)
    if heard.size == 1 and population is Population.ITEMS_LIKE_THESE:
        row = replace(
            row,
            population=Population.THESE_ITEMS,
            note="One item in common: the figures hold for this recording only.",
        )
    row = replace(row, difference=float(values.mean()))
    if listeners.size < 2:
        return replace(row, problem="One listener heard both; a test needs two.")
    if np.ptp(values) <= 1e-9:
        return replace(row, problem=_SAME)
    means = np.bincount(assessor, values) / np.bincount(assessor)
    spread = float(means.std(ddof=1))
    row = replace(
        row,
        standardised=float(means.mean()) / spread if spread > 1e-9 else None,
        rank_biserial=_rank_biserial(means),
    )
    contrast = estimate_mean(values, assessor, item, row.population)
    if contrast is None:
        return replace(row, problem=_SAME_MEANS)
    low, high = contrast.interval(0.95)
    low90, high90 = contrast.interval(0.90)
    return replace(
        row,
        difference=contrast.estimate,
        low=low,
        high=high,
        low90=low90,
        high90=high90,
        df=contrast.df,
        p=contrast.p(),
        p_equivalent=contrast.p_equivalent(margin),
    )


def estimate_mean(values: Floats, assessor: Ints, item: Ints, population: Population) -> Contrast | None:
    """The mean of `values` with random assessors: over these items, or over all of their kind.

    Args:
        values: (n,), each of one assessor and one item; `assessor`, `item`: their indices from 0, all used.
        population: where items are fixed they count alike.

    Returns:
        None where nothing varies, so that there is no error.
    """
    means = np.bincount(assessor, values) / np.bincount(assessor)
    spread = float(means.std(ddof=1)) if means.size > 1 else 0.0
    whole = values.size == means.size * (item.max() + 1)
    try:
        if whole and spread > 1e-9 and population is Population.THESE_ITEMS:
            # The paired t test: the model would pool listeners into the rest where they seem not to differ.
            return Contrast(float(means.mean()), spread / math.sqrt(means.size), means.size - 1)
        return _fit(values, assessor, item, population)
    except (NoError, np.linalg.LinAlgError) as error:
        effects = _separate(values, assessor, item)
        if isinstance(error, NoError) and effects is not None:
            return _estimate_without_rest(*effects, population)
    # So few cells are matched that listeners cannot be told from items.
    if spread <= 1e-9:
        return None
    least = _least_df(assessor, item, population)
    return Contrast(float(means.mean()), spread / math.sqrt(means.size), least)


def _separate(values: Floats, assessor: Ints, item: Ints) -> tuple[Floats, Floats] | None:
    """Effects of assessors and of items by least squares; None where the cells do not connect them all."""
    listeners, items = int(assessor.max()) + 1, int(item.max()) + 1
    if values.size == listeners * items:  # means are these effects, to the last digit
        return np.bincount(assessor, values) / items, np.bincount(item, values) / listeners - values.mean()
    if _connect(assessor, item).any():
        return None
    design = np.concatenate([np.eye(listeners)[assessor], np.eye(items)[item]], axis=1)
    effects = np.linalg.lstsq(design, values, rcond=None)[0]
    return effects[:listeners], effects[listeners:]


def _estimate_without_rest(listeners: Floats, items: Floats, population: Population) -> Contrast | None:
    """The model's limit where effects of listeners and items explain every value, so that both are known.

    The variance of the mean is that of either's effects by their number, with degrees of freedom by
    Satterthwaite.
    """
    alone = population is Population.THESE_ITEMS or items.size < 2
    samples = [listeners] if alone else [listeners, items]
    parts = [(float(each.var(ddof=1)) / each.size, each.size - 1) for each in samples if each.size > 1]
    variance = sum(part for part, _ in parts)
    if variance <= 1e-18:
        return None
    df = variance**2 / sum(part**2 / own for part, own in parts)
    return Contrast(float(listeners.mean() + items.mean()), math.sqrt(variance), df)


def _least_df(assessor: Ints, item: Ints, population: Population) -> int:
    """Of the factors that are random: the least that Satterthwaite's mean squares have.

    Where items are fixed, assessors are compared within groups that heard the same ones.
    """
    if population is Population.ITEMS_LIKE_THESE:
        return max(1, int(min(assessor.max(), item.max())))
    return max(1, int(assessor.max()) + 1 - np.unique(_connect(assessor, item)).size)


def _connect(one: Ints, other: Ints) -> Ints:
    """Of each index of `one` the lowest that cells connect it with, (n,): the same throughout its group.

    Args:
        one, other: indices from 0, all used, of the two that meet in each cell: assessors and items.
    """
    lowest = np.arange(int(one.max()) + 1)
    while True:
        of_other = np.full(int(other.max()) + 1, lowest.size)
        np.minimum.at(of_other, other, lowest[one])
        lower = lowest.copy()
        np.minimum.at(lower, one, of_other[other])
        if np.array_equal(lower, lowest):
            return lowest
        lowest = lower


def _fit(values: Floats, assessor: Ints, item: Ints, population: Population) -> Contrast:
    groups = [assessor] if assessor.max() + 1 < values.size else []
    if population is Population.ITEMS_LIKE_THESE:
        design = np.ones((values.size, 1))
        if item.max() + 1 < values.size:
            groups.append(item)
    else:
        last = int(item.max())
        design = np.zeros((values.size, last + 1))
        design[:, 0] = 1
        rest = item < last
        design[np.flatnonzero(rest), 1 + item[rest]] = 1
        design[~rest, 1:] = -1
    weights = np.zeros(design.shape[1])
    weights[0] = 1
    contrast = fit(values, design, groups).contrast(weights)
    # Satterthwaite's approximation falls below the least that any of its mean squares has when one is small.
    return replace(contrast, df=max(contrast.df, float(_least_df(assessor, item, population))))


def _rank_biserial(values: Floats) -> float | None:
    values = values[np.abs(values) > 1e-9]
    if values.size == 0:
        return None
    ranks = pd.Series(settle(np.abs(values))).rank().to_numpy()
    return float((ranks * np.sign(values)).sum() / ranks.sum())


def _judge(row: Difference, margin: float, family: int) -> Difference:
    if row.problem or row.p_adjusted is None or row.difference is None:
        return row
    if row.p_equivalent is not None and row.p_equivalent < LEVEL:
        return replace(row, verdict=Verdict.EQUIVALENT, note=_explain_equivalence(row, margin))
    if row.p_adjusted < LEVEL:
        return replace(row, verdict=Verdict.BETTER if row.difference > 0 else Verdict.WORSE)
    notes = [row.note] if row.note else []
    if row.low90 is not None and row.high90 is not None and max(-row.low90, row.high90) < margin:
        notes.append(
            "The 90 % interval of this pair alone lies within the margin; corrected for "
            f"{family} comparisons equivalence is not shown."
        )
    if row.p is not None and row.p < LEVEL:
        notes.append(
            f"The interval of this pair alone excludes 0; corrected for {family} comparisons the difference "
            "is not shown."
        )
    return replace(row, note=" ".join(notes))


def _explain_equivalence(row: Difference, margin: float) -> str:
    """What in the row seems to speak against its verdict, and why it does not."""
    notes = [row.note] if row.note else []
    if row.low is not None and row.high is not None and row.low90 is not None and row.high90 is not None:
        if row.low > 0 or row.high < 0:
            notes.append(
                "By this pair's interval alone there is a difference, and it lies within the margin."
            )
        if max(-row.low, row.high) > margin:
            notes.append(
                "Two one-sided tests at 5 % go by the 90 % interval, "
                f"{figure(row.low90, 2)} to {figure(row.high90, 2)}."
            )
    return " ".join(notes)


def find_blocks(frame: Ratings) -> list[list[object]]:
    """Systems that are connected by items in which they were heard: only within a block can they be ranked.

    Two systems are connected if both were graded in one item, or by a chain of such pairs. Blocks and the
    systems in them stand in the order of the frame.
    """
    data = tidy(frame)
    if data.problem:
        return []
    blocks: dict[int, list[object]] = {}
    for name, group in zip(data.systems, _connect(data.system, data.item).tolist(), strict=True):
        blocks.setdefault(group, []).append(name)
    return list(blocks.values())


def adjust_means(frame: Ratings) -> dict[object, float]:
    """Each system's mean as if every listener had graded it in every item of its block.

    Least squares of ``score = system + item + listener`` within each block (`find_blocks`). With complete
    data these are the plain means; without, a system heard in hard items only is not blamed for them.
    """
    means: dict[object, float] = {}
    whole = tidy(frame)
    for block in find_blocks(whole):
        data = whole.only(block)
        systems, listeners = len(data.systems), len(data.assessors)
        size = systems + len(data.items)
        terms = [data.system, systems + data.item]
        # A grade has one listener, so that listeners leave the equations one by one: what remains is as large
        # as there are systems and items, however many people took part.
        graded = np.bincount(data.assessor, minlength=listeners).astype(float)
        theirs = np.bincount(data.assessor, data.score, listeners)
        both = np.concatenate(terms)
        heard = _count_pairs(both, np.tile(data.assessor, 2), size, listeners)
        gram = _count_pairs(np.tile(both, 2), np.concatenate([*terms, *terms[::-1]]), size, size)
        sums = np.bincount(both, np.tile(data.score, 2), size)
        solution, free = _solve(gram - (heard / graded) @ heard.T, sums - heard @ (theirs / graded))
        leanings = (theirs - heard.T @ solution) / graded
        # Of several solutions the shortest, listeners included: where systems and listeners cannot be told
        # apart, they share what there is, and no ranking by plain means is turned into ties.
        listens = (heard.T @ free) / graded[:, None]
        along = np.linalg.lstsq(
            np.concatenate([free, -listens]), -np.concatenate([solution, leanings]), rcond=None
        )[0]
        solution, leanings = solution + free @ along, leanings - listens @ along
        shift = solution[systems:].mean() + leanings.mean()
        means |= {
            name: float(value + shift) for name, value in zip(data.systems, solution[:systems], strict=True)
        }
    return means


def _solve(gram: Floats, sums: Floats) -> tuple[Floats, Floats]:
    """A solution (size,) of normal equations, and the directions (size, k) in which others differ from it."""
    values, vectors = np.linalg.eigh(gram)
    found = values > 1e-10 * values.max(initial=0.0)
    given = vectors[:, found]
    return given @ ((given.T @ sums) / values[found]), vectors[:, ~found]


def _count_pairs(one: Ints, two: Ints, rows: int, columns: int) -> Floats:
    """How often an index of `one` stands beside an index of `two`, as a matrix of rows by columns."""
    counts = np.bincount(one * columns + two, minlength=rows * columns)
    return np.asarray(counts.reshape(rows, columns), dtype=np.float64)
