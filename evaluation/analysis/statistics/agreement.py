"""How far an objective metric and listeners agree: per stimulus and per system.

An objective score never stands in for listeners where the two rank differently, and `warning` says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from evaluation.analysis.statistics import mapping
from evaluation.analysis.statistics.comparisons import sign_flip
from evaluation.analysis.statistics.corrections import LEVEL
from evaluation.analysis.statistics.frames import Floats, Ints, tidy
from evaluation.analysis.statistics.intervals import Interval, half_width
from evaluation.analysis.statistics.ranking import best_first, settle
from evaluation.analysis.words import count, figure

#: Of a metric whose rank correlation with the grades is shown to be lower (all of its 95 % interval), a
#: warning is given.
DISAGREEMENT = 0.5

_Values = dict[tuple[object | None, object], float]


@dataclass(frozen=True)
class Correlation:
    """A coefficient and its interval; both None with a `problem`.

    `clustered` is the interval for these systems, by a bootstrap of items and listeners; over stimuli it is
    `interval` itself.
    """

    name: str
    n: int
    value: float | None = None
    interval: Interval | None = None
    problem: str = ""
    clustered: Interval | None = None


@dataclass(frozen=True)
class Point:
    """A stimulus (item and system) or a system (`item` None): metric, mean grade, mapped metric.

    `half_width` is of the mean grade's 95 % t interval over listeners; None with fewer than two.
    """

    system: object
    item: object | None
    objective: float
    subjective: float
    mapped: float | None = None
    half_width: float | None = None


@dataclass(frozen=True)
class Reversal:
    """Listeners put `better` above `worse` for certain, and the metric the other way round.

    `difference` is of mean grades, `objective` of the metric, both better minus worse.
    """

    better: object
    worse: object
    difference: float
    objective: float
    p: float


@dataclass(frozen=True)
class Agreement:
    """A metric beside the grades.

    Attributes:
        per: ``stimulus`` or ``system``.
        rmse: in points of the grades' scale, of the metric mapped by a third-order monotone polynomial,
            over n - 4 (ITU-T P.1401); None with five points or fewer.
        rmse_star: the same of what the errors exceed the 95 % intervals of the grades by (P.1401, 7.5.4).
        outlier_ratio: share of points whose error is larger than that interval's half width (P.1401, 7.5.3).
        reversals: of per-system agreement: pairs that the metric orders against clear listeners.
        warning: in plain language, "" if the ranks do not disagree.
    """

    per: str
    n: int
    pearson: Correlation
    spearman: Correlation
    kendall: Correlation
    points: list[Point] = field(default_factory=list)
    mapping: mapping.Mapping | None = None
    rmse: float | None = None
    rmse_problem: str = ""
    rmse_star: float | None = None
    outlier_ratio: float | None = None
    reversals: list[Reversal] = field(default_factory=list)
    warning: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's correlation of two series of shape (n,); NaN if n < 3 or one of them is constant."""
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if first.size < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return _pearson(first, second)


def _pearson(*series: Floats) -> float:
    """As NumPy's `corrcoef` to the last digit, without what it asks first, which takes most of its time."""
    both = np.array(series)
    with np.errstate(all="ignore"):
        both -= both.mean(axis=1)[:, None]
        (square, product), (_, other) = (np.dot(both, both.T) * (1 / (both.shape[1] - 1))).tolist()
    if not (square > 0 and other > 0):
        return math.nan
    value: float = product / math.sqrt(square) / math.sqrt(other)
    return value if math.isnan(value) else min(1.0, max(-1.0, value))


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation, ties by average rank; NaN as in `pearson`."""
    return pearson(_ranks(x), _ranks(y))


def _ranks(x: ArrayLike) -> Floats:
    """Ranks from 1, ties by average rank, NaN without one: as those of pandas, in a tenth of the time."""
    values = np.asarray(x, dtype=float)
    _, place, tied = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(tied) - (tied - 1) / 2)[place]
    return np.where(np.isnan(values), math.nan, ranks)


#: Points of which all pairs are compared at once.
_FEW_POINTS = 200


def kendall(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b; NaN as in `pearson`."""
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if first.size < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    if np.isnan(first).any() or np.isnan(second).any():
        return math.nan
    if first.size > _FEW_POINTS:
        from scipy.stats import kendalltau

        return float(kendalltau(first, second).statistic)
    # Of few points all pairs are compared in a tenth to a half of the time that it takes to call SciPy.
    return _kendall(_rises(first), _rises(second))


def _rises(values: Floats) -> NDArray[np.int8]:
    """Of each pair of values, (n, n): 1 where the first is above the second, -1 where below, else 0."""
    return np.subtract(values[:, None] > values, values[:, None] < values, dtype=np.int8)


def _kendall(rises: NDArray[np.int8], others: NDArray[np.int8]) -> float:
    agreeing = int((rises * others).sum())
    tau = agreeing / math.sqrt(np.count_nonzero(rises)) / math.sqrt(np.count_nonzero(others))
    return min(1.0, max(-1.0, tau))


def _coefficients(x: Floats, y: Floats) -> dict[str, float]:
    """All of `_FISHER` at once, of a metric and grades without NaN: pairs of few points are compared once."""
    x, y = settle(x, unit=0.0), settle(y)
    if not 3 <= x.size <= _FEW_POINTS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return {name: function(x, y) for name, (function, _, _) in _FISHER.items()}
    rises, others = _rises(x), _rises(y)
    # The values below one, less those above it, are twice its average rank, less n + 1.
    ranks = (each.sum(axis=1, dtype=np.int16) for each in (rises, others))
    first, second = ((x.size + 1 + each) / 2 for each in ranks)
    tau = _kendall(rises, others)
    return {"Pearson": _pearson(x, y), "Spearman": _pearson(first, second), "Kendall": tau}


#: Squared standard error on Fisher's z scale and the least n: Pearson (Fisher 1921), Spearman (Bonett
#: and Wright 2000), Kendall (Fieller, Hartley and Pearson 1957).
_FISHER: dict[str, tuple[Callable[[ArrayLike, ArrayLike], float], int, Callable[[float, int], float]]] = {
    "Pearson": (pearson, 4, lambda r, n: 1 / (n - 3)),
    "Spearman": (spearman, 4, lambda r, n: (1 + r * r / 2) / (n - 3)),
    "Kendall": (kendall, 5, lambda r, n: 0.437 / (n - 4)),
}


def correlate(name: str, x: ArrayLike, y: ArrayLike, confidence: float = 0.95) -> Correlation:
    """``Pearson``, ``Spearman`` or ``Kendall`` of a metric `x` and mean grades `y`, both (n,).

    The interval, by Fisher's z, takes the points as independent: systems may be, stimuli are not
    (`_clusters`). There is none at a coefficient of exactly 1 or -1.
    """
    first, second = settle(x, unit=0.0), settle(y)
    function, least, variance = _FISHER[name]
    n = int(first.size)
    if n < 3:
        return Correlation(name, n, problem=f"{count(n, 'point')}: a correlation needs three.")
    value = function(first, second)
    if not math.isfinite(value):
        which = "metric has" if np.ptp(first) == 0 else "mean grades have"
        return Correlation(name, n, problem=f"The {which} the same value everywhere.")
    if n < least:
        text = f"{n} points: an interval of {name}'s coefficient needs {least}."
        return Correlation(name, n, value, problem=text)
    if 1 - abs(value) < 1e-12:
        text = "The points agree exactly: Fisher's z has no interval."
        return Correlation(name, n, float(round(value)), problem=text)
    reach = float(ndtri((1 + confidence) / 2)) * math.sqrt(variance(value, n))
    z = math.atanh(value)
    method = f"{100 * confidence:g} % interval by Fisher's z over {n} points"
    return Correlation(name, n, value, Interval(math.tanh(z - reach), math.tanh(z + reach), method))


def per_stimulus(
    ratings: pd.DataFrame,
    scores: pd.DataFrame,
    *,
    higher_is_better: bool = True,
    exclude: Iterable[object] = (),
    title: str = "The metric",
    seed: int = 0,
) -> Agreement:
    """Mean grade of each item x system beside its objective score.

    Stimuli of one item, and grades of one listener, go together, so intervals of coefficients are by a
    bootstrap over items and listeners (`_clusters`), of these systems.

    Args:
        ratings: ``assessor, item, system, score``.
        scores: ``item, system, value``, one row a stimulus (the mean of several).
        exclude: systems left out: the hidden reference, whose score is perfect by definition.
        title: of the metric, for sentences.
    """
    data = tidy(ratings)
    if data.problem:
        return _nothing("stimulus", data.problem, data.notes)
    code = data.item * len(data.systems) + data.system
    found, place = np.unique(code, return_inverse=True)
    means = np.bincount(place, weights=data.score) / np.bincount(place)
    width = len(data.systems)
    keys: list[tuple[object | None, object]] = [
        (data.items[cell // width], data.systems[cell % width]) for cell in found
    ]
    values, notes = _values(scores, ("item", "system"))
    if values is None:
        return _nothing("stimulus", notes[0], data.notes)
    left_out = set(exclude)
    rows = [(*key, float(mean)) for key, mean in zip(keys, means, strict=True) if key[1] not in left_out]
    cube = data.cube()
    widths: _Values = {
        (item, system): half_width(cube[:, i, s][~np.isnan(cube[:, i, s])])
        for i, item in enumerate(data.items)
        for s, system in enumerate(data.systems)
    }
    made = _agree("stimulus", rows, values, higher_is_better, (*data.notes, *notes), widths)
    if made.problem:
        return made
    kept = [index for index, system in enumerate(data.systems) if system not in left_out]
    objective = np.array(
        [[values.get((item, data.systems[index]), np.nan) for index in kept] for item in data.items]
    )
    intervals = _clusters(cube[:, :, kept], objective if higher_is_better else -objective, seed)

    def refit(found: Correlation) -> Correlation:
        if found.value is None:
            return found
        interval = intervals[found.name]
        return replace(found, interval=interval, clustered=interval, problem="" if interval else _FEW)

    made = _with_correlations(made, refit)
    return replace(made, warning=_warning(made, title, []))


def _with_correlations(made: Agreement, change: Callable[[Correlation], Correlation]) -> Agreement:
    return replace(
        made, pearson=change(made.pearson), spearman=change(made.spearman), kendall=change(made.kendall)
    )


def per_system(
    ratings: pd.DataFrame,
    scores: pd.DataFrame,
    *,
    higher_is_better: bool = True,
    exclude: Iterable[object] = (),
    title: str = "The metric",
    seed: int = 0,
) -> Agreement:
    """Each system's mean of assessor means beside its mean objective score over the graded items.

    A system without a score in one of its graded items is left out: means over unlike items do not compare.

    Arguments as in `per_stimulus`. Intervals by Fisher's z are for systems like these, drawn at random;
    `Correlation.clustered` are for these systems, by a bootstrap over items and listeners. Pairs of systems
    that listeners tell apart (paired sign-flip test, Holm) and the metric orders the other way round are
    named as `reversals`.
    """
    data = tidy(ratings)
    if data.problem:
        return _nothing("system", data.problem, data.notes)
    values, notes = _values(scores, ("item", "system"))
    if values is None:
        return _nothing("system", notes[0], data.notes)
    left_out = set(exclude)
    pairs = np.unique(data.item * len(data.systems) + data.system)
    width = len(data.systems)
    collected: dict[object, list[float | None]] = {}
    for cell in pairs:
        item, system = data.items[cell // width], data.systems[cell % width]
        collected.setdefault(system, []).append(values.get((item, system)))
    objective: _Values = {}
    for system, found in collected.items():
        known = [value for value in found if value is not None]
        if len(known) == len(found):
            objective[None, system] = float(np.mean(known))
    means = np.nanmean(data.means(), axis=0)
    rows: list[tuple[object | None, object, float]] = [
        (None, system, float(mean))
        for system, mean in zip(data.systems, means, strict=True)
        if system not in left_out
    ]
    of_assessors = data.means()
    spreads: _Values = {
        (None, system): half_width(of_assessors[~np.isnan(of_assessors[:, index]), index])
        for index, system in enumerate(data.systems)
    }
    made = _agree("system", rows, objective, higher_is_better, (*data.notes, *notes), spreads)
    if made.problem:
        return made
    kept = [index for index, system in enumerate(data.systems) if (None, system) in objective]
    kept = [index for index in kept if data.systems[index] not in left_out]
    metric = np.array(
        [[values.get((item, data.systems[index]), np.nan) for index in kept] for item in data.items]
    )
    clusters = _clusters(
        data.cube()[:, :, kept], metric if higher_is_better else -metric, seed, of_systems=True
    )
    made = _with_correlations(
        made, lambda found: replace(found, clustered=None if found.value is None else clusters[found.name])
    )
    reversals = _reversals(ratings, made.points, 1 if higher_is_better else -1, seed)
    return replace(made, reversals=reversals, warning=_warning(made, title, reversals))


def _reversals(ratings: pd.DataFrame, points: Sequence[Point], sign: int, seed: int) -> list[Reversal]:
    """Pairs that listeners tell apart and the metric orders the other way round, widest first."""
    objective = {point.system: point.objective for point in points}
    found = []
    for row in sign_flip(ratings, combinations(objective, 2), seed=seed).rows:
        if row.p_adjusted is None or row.p_adjusted >= LEVEL or not row.difference:
            continue
        better, worse = (row.a, row.b) if row.difference > 0 else (row.b, row.a)
        if sign * (objective[better] - objective[worse]) < 0:
            apart = objective[better] - objective[worse]
            found.append(Reversal(better, worse, abs(row.difference), apart, row.p_adjusted))
    return best_first(found, lambda reversal: reversal.difference)


def _values(scores: pd.DataFrame, names: Sequence[str]) -> tuple[_Values | None, tuple[str, ...]]:
    """Finite objective values by item and system, and notes; None with the problem as the only note."""
    missing = [name for name in (*names, "value") if name not in scores.columns]
    if missing:
        return None, (f"The objective scores have no column {', '.join(missing)}.",)
    value = pd.to_numeric(scores["value"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    finite = np.isfinite(value)
    sums: dict[tuple[object | None, object], list[float]] = {}
    rows = zip(scores["item"], scores["system"], value, finite, strict=True)
    for item, system, number, usable in rows:
        if usable:
            sums.setdefault((item, system), []).append(float(number))
    lost = int((~finite).sum())
    notes = (f"{count(lost, 'objective score')} that is no finite number left out.",) if lost else ()
    return {key: float(np.mean(found)) for key, found in sums.items()}, notes


def _agree(
    per: str,
    rows: Sequence[tuple[object | None, object, float]],
    values: _Values,
    higher_is_better: bool,
    notes: tuple[str, ...],
    widths: _Values,
) -> Agreement:
    points = [
        Point(system, item, values[item, system], float(mean), half_width=_finite(widths[item, system]))
        for item, system, mean in rows
        if (item, system) in values
    ]
    if not points:
        problem = (
            "No graded stimulus has a score of this metric."
            if per == "stimulus"
            else "No system has a score of this metric in all of its graded items."
        )
        return _nothing(per, problem, notes)
    if len(points) < len(rows):
        lacking = len(rows) - len(points)
        noun = per if lacking == 1 else "stimuli" if per == "stimulus" else "systems"
        where = " in every graded item" if per == "system" else ""
        notes = (*notes, f"{lacking} {noun} without a score of this metric{where} left out.")
    x = np.array([point.objective for point in points])
    y = np.array([point.subjective for point in points])
    oriented = x if higher_is_better else -x
    made = Agreement(
        per,
        len(points),
        correlate("Pearson", oriented, y),
        correlate("Spearman", oriented, y),
        correlate("Kendall", oriented, y),
        points,
        notes=notes,
    )
    return _mapped(made, x, y, higher_is_better)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _mapped(made: Agreement, x: Floats, y: Floats, higher_is_better: bool) -> Agreement:
    cubic = mapping.monotone_cubic(x, y, rising=higher_is_better)
    if cubic is None:
        return replace(made, rmse_problem="The metric has the same value everywhere.")
    if x.size <= mapping.PARAMETERS + 1:
        text = f"{count(x.size, 'point')}: the mapping has {mapping.PARAMETERS} parameters and needs six."
        return replace(made, rmse_problem=text)
    fitted = cubic(x)
    rmse = math.sqrt(float(((fitted - y) ** 2).sum()) / (x.size - mapping.PARAMETERS))
    points = [replace(point, mapped=float(value)) for point, value in zip(made.points, fitted, strict=True)]
    star = ratio = None
    if all(point.half_width is not None for point in points):
        apart = np.abs(fitted - y)
        reach = np.array([point.half_width for point in points], dtype=float)
        beyond = np.maximum(0.0, apart - reach)
        star = math.sqrt(float((beyond**2).sum()) / (x.size - mapping.PARAMETERS))
        ratio = float((apart > reach).mean())
    return replace(made, points=points, mapping=cubic, rmse=rmse, rmse_star=star, outlier_ratio=ratio)


#: Resamples of items and listeners; fewer than `_LEAST` of either give no interval.
_RESAMPLES, _LEAST = 999, 5
_FEW = "An interval over stimuli takes five items and five listeners: stimuli of an item are not independent."


def _clusters(
    cube: Floats, objective: Floats, seed: int, *, of_systems: bool = False
) -> dict[str, Interval | None]:
    """Percentile intervals of the coefficients by a bootstrap over items and listeners, systems as they are.

    Args:
        cube: grades, (assessors, items, systems), NaN where there is none.
        objective: the metric, higher being better, (items, systems), NaN where there is none.
        of_systems: whether the coefficients are of systems: means over listeners' means, and over items.
    """
    assessors, items, _ = cube.shape
    if min(assessors, items) < _LEAST:
        return dict.fromkeys(_FISHER)
    generator = np.random.default_rng([seed, assessors, items])
    points = (_system_points if of_systems else _stimulus_points)(cube, objective)
    found: dict[str, list[float]] = {name: [] for name in _FISHER}
    for _ in range(_RESAMPLES):
        drawn = generator.integers(0, assessors, assessors)
        chosen = np.asarray(generator.integers(0, items, items), dtype=np.intp)
        x, y = points(np.bincount(drawn, minlength=assessors).astype(float), chosen)
        for name, value in _coefficients(x, y).items():
            if math.isfinite(value):
                found[name].append(value)
    method = f"95 % bootstrap over {count(items, 'item')} and {count(assessors, 'listener')}"
    intervals: dict[str, Interval | None] = {}
    for name, values in found.items():
        if len(values) > _RESAMPLES // 2:
            low, high = np.quantile(values, [0.025, 0.975])
            intervals[name] = Interval(float(low), float(high), method)
        else:
            intervals[name] = None
    return intervals


_Points = Callable[[Floats, Ints], tuple[Floats, Floats]]


def _stimulus_points(cube: Floats, objective: Floats) -> _Points:
    """A function that finds metric and mean grade of each stimulus of the `chosen` items.

    Its `weights` are those of listeners.
    """
    there = (~np.isnan(cube)).astype(float)
    grades = np.nan_to_num(cube)

    def points(weights: Floats, chosen: Ints) -> tuple[Floats, Floats]:
        counts = np.tensordot(weights, there[:, chosen], 1)
        sums = np.tensordot(weights, grades[:, chosen], 1)
        metric = objective[chosen]
        usable = (counts > 0) & ~np.isnan(metric)
        return metric[usable], sums[usable] / counts[usable]

    return points


def _system_points(cube: Floats, objective: Floats) -> _Points:
    """A function that finds mean metric and mean of listener means of each system, over the `chosen` items.

    Its `weights` are those of listeners.
    """
    found = ~np.isnan(cube)
    # (items, assessors, systems), so that a sum over items is a product of matrices.
    there = np.ascontiguousarray(found.transpose(1, 0, 2), dtype=float)
    grades = np.ascontiguousarray(np.nan_to_num(cube).transpose(1, 0, 2))
    metric_there = (~np.isnan(objective) & found.any(axis=0)).astype(float)
    metric = np.where(metric_there > 0, objective, 0.0)

    def points(weights: Floats, chosen: Ints) -> tuple[Floats, Floats]:
        items = np.bincount(chosen, minlength=cube.shape[1]).astype(float)
        counts = np.tensordot(items, there, 1)  # (assessors, systems)
        sums = np.tensordot(items, grades, 1)
        means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
        graded = weights @ (counts > 0)
        measured = items @ metric_there
        usable = (graded > 0) & (measured > 0)
        return (items @ metric)[usable] / measured[usable], (weights @ means)[usable] / graded[usable]

    return points


def is_below(found: Correlation, limit: float) -> bool:
    """Whether the coefficient is shown to be below `limit`: all of its 95 % interval is.

    At -1 exactly Fisher's z has no interval; ranks of five points or more are reversed by chance in less
    than 1 % of cases (1/5!), so that is taken as shown.
    """
    if found.interval is not None:
        return found.interval.high < limit
    return found.value is not None and found.n >= 5 and found.value <= -1 + 1e-12


def _warning(made: Agreement, title: str, reversals: Sequence[Reversal]) -> str:
    value, interval = made.spearman.value, made.spearman.interval
    plural = "stimuli" if made.per == "stimulus" else "systems"
    parts = []
    if value is not None and is_below(made.spearman, DISAGREEMENT):
        how = "in nearly the opposite order" if is_below(made.spearman, -DISAGREEMENT) else "differently"
        bounds = f" ({figure(interval.low, 2)} to {figure(interval.high, 2)})" if interval else ""
        parts.append(
            f"{title} and the listeners rank the {plural} {how}: Spearman {figure(value, 2)}{bounds} "
            f"over {made.n} {plural}. {title} is not a substitute for listeners here."
        )
    if reversals:
        first = reversals[0]
        more = f" ({len(reversals)} such pairs)" if len(reversals) > 1 else ""
        parts.append(
            f"Listeners grade {first.better} {first.difference:.0f} points above {first.worse}, "
            f"{title} puts it below{more}."
        )
    return " ".join(parts)


def _nothing(per: str, problem: str, notes: tuple[str, ...]) -> Agreement:
    pearson, spearman, kendall = (Correlation(name, 0, problem=problem) for name in _FISHER)
    return Agreement(per, 0, pearson, spearman, kendall, rmse_problem=problem, notes=notes, problem=problem)
