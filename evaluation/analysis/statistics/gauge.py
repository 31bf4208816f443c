"""How well each listener tells systems apart, and how steadily: after eGauge (Report ITU-R BS.2300-0).

Of each listener's own grades, by an analysis of variance with system and item,

    discrimination = mean square of systems / mean square of the rest
    reliability    = standard deviation of all grades / standard deviation of the rest

The Report asks for repeated grades of the same stimulus, whose spread is then the rest. Where a listener
gave none, the rest is what system and item leave of the grades: a true difference by item counts as rest.
Both figures are compared with those of the listener's own grades dealt out again among the stimuli: the
Report's permutation test, which needs no distribution. The figure that 95 % of these fall short of is the
noise floor. The ratios are Earshot's, since the Report leaves their scale to the laboratory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.analysis.statistics.corrections import LEVEL
from evaluation.analysis.statistics.frames import Floats, Ints, Tidy, tidy

#: Dealings of each listener's grades.
PERMUTATIONS = 999

_TOO_FEW = (
    "Too few grades: so many of their dealings come out alike that even the best of them is not above the "
    "noise floor."
)


@dataclass(frozen=True)
class Gauge:
    """A listener; figures are None with a `problem`.

    Attributes:
        n: grades.
        repeated: whether the rest is the spread of repeated grades.
        discrimination, reliability: as defined above, both without a unit.
        discrimination_floor, reliability_floor: 95 % quantiles of the dealings.
        discrimination_p, reliability_p: (1 + dealings that are as large) / (1 + dealings).
        expert: whether both are above their floors.
    """

    assessor: object
    n: int
    repeated: bool = False
    discrimination: float | None = None
    discrimination_floor: float | None = None
    discrimination_p: float | None = None
    reliability: float | None = None
    reliability_floor: float | None = None
    reliability_p: float | None = None
    expert: bool = False
    problem: str = ""


def gauge(frame: pd.DataFrame, *, permutations: int = PERMUTATIONS, seed: int = 0) -> list[Gauge]:
    """One entry per listener of ``assessor, item, system, score``, in order of appearance."""
    data = tidy(frame)
    return [_gauge(data, number, permutations, seed) for number in range(len(data.assessors))]


def _gauge(data: Tidy, number: int, permutations: int, seed: int) -> Gauge:
    own = np.flatnonzero(data.assessor == number)
    found = Gauge(data.assessors[number], own.size)
    score = data.score[own]
    system, item = (_renumber(codes[own]) for codes in (data.system, data.item))
    cell = _renumber(system * (item.max() + 1) + item)
    of_items, additive = _basis(item), _basis(item, system)
    repeated = int(cell.max()) + 1 < own.size
    explained = _basis(cell) if repeated else additive
    freedom, rest = additive.shape[1] - of_items.shape[1], own.size - explained.shape[1]
    if freedom < 1:
        return _without(found, "No two systems were graded in one item.")
    if rest < 1:
        return _without(found, "Too few grades: systems and items explain them all.")
    if np.ptp(score) < 1e-9:
        return _without(found, "All grades are the same.")

    def figures(grades: Floats) -> tuple[Floats, Floats]:
        """Discrimination and reliability of grades (dealings, n)."""
        total = ((grades - grades.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        square = (grades**2).sum(axis=1)
        within = square - _length(grades, explained)
        within = np.where(within > 1e-9 * total, within, 0.0) / rest  # the rest is rounding
        between = np.maximum(_length(grades, additive) - _length(grades, of_items), 0.0) / freedom
        with np.errstate(divide="ignore", invalid="ignore"):
            return between / within, np.sqrt(total / (own.size - 1) / within)

    # About their mean, so that sums of squares keep their digits.
    score = score - score.mean()
    if float((score**2).sum() - _length(score[None], explained)[0]) <= 1e-9 * float((score**2).sum()):
        return _without(found, "Systems and items explain every grade: there is no rest to compare with.")
    generator = np.random.default_rng([seed, number])
    dealt = generator.permuted(np.tile(score, (permutations, 1)), axis=1)
    one, many = figures(score[None]), figures(dealt)
    if not all(np.isfinite(np.quantile(others, 1 - LEVEL)) for others in many):
        return _without(found, "Too few different grades: some dealings leave no rest.")
    values, floors, ps = [], [], []
    for value, others in zip(one, many, strict=True):
        values.append(float(value[0]))
        floors.append(float(np.quantile(others, 1 - LEVEL)))
        ps.append(_p(others, float(value[0])))
        # The best that these grades can do, wherever they stand.
        if _p(others, float(max(value[0], others.max()))) >= LEVEL:
            return _without(found, _TOO_FEW)
    return Gauge(
        found.assessor,
        found.n,
        repeated,
        values[0],
        floors[0],
        ps[0],
        values[1],
        floors[1],
        ps[1],
        all(p < LEVEL for p in ps),
    )


def _p(others: Floats, value: float) -> float:
    """The share of `others` that reach `value`, which counts among them."""
    return (1 + int((others >= value * (1 - 1e-9)).sum())) / (1 + others.size)


def _without(found: Gauge, problem: str) -> Gauge:
    return Gauge(found.assessor, found.n, problem=problem)


def _renumber(codes: Ints) -> Ints:
    return np.asarray(np.unique(codes, return_inverse=True)[1], dtype=np.intp)


def _basis(*groups: Ints) -> Floats:
    """An orthonormal basis (n, rank) of the columns that tell the levels of `groups` apart."""
    columns = np.concatenate([np.eye(int(codes.max()) + 1)[codes] for codes in groups], axis=1)
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, sizes > 1e-9 * sizes[0]])


def _length(grades: Floats, basis: Floats) -> Floats:
    """Squared lengths of the projections of grades (dealings, n) onto `basis`."""
    return np.asarray(((grades @ basis) ** 2).sum(axis=1))
