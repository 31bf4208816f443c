"""A linear mixed model for designs with gaps: blocks, drop-outs, missing grades (M29).

    score = system + item + assessor + assessor x system + rest

Systems and items are fixed, the last three random and normal with constant variances. Items being
fixed, systems that were graded on different items are compared as if on the same, and the figures
hold for these items. Variances are by restricted maximum likelihood, as in statsmodels' MixedLM, but
over sums per assessor: two parameters, any size of study. With complete data the means are the plain
ones, and the tests those of the repeated-measures analysis without correction for sphericity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import fdtrc, stdtr, stdtrit

from evaluation.analysis.statistics.comparisons import Comparison, Pair
from evaluation.analysis.statistics.corrections import hochberg, holm
from evaluation.analysis.statistics.frames import Floats, Tidy, tidy
from evaluation.analysis.statistics.intervals import Interval

METHOD = "mixed model, t test of adjusted means, two-sided"

#: Numbers laid out at once: assessors x (systems + 1) x (systems + items).
_MAX_SIZE = 50_000_000


@dataclass(frozen=True)
class AdjustedMean:
    """A system's mean over all items alike, whichever its assessors graded; t interval with `df`."""

    system: object
    n: int
    n_assessors: int
    mean: float
    se: float
    df: int
    interval: Interval


@dataclass(frozen=True)
class Mixed:
    """The fitted model.

    Attributes:
        sd_assessor, sd_assessor_system, sd_rest: standard deviations of the random parts, in points;
            the second is None where nobody graded a system twice, and is then part of the rest.
        f, df, df_error, p: test that all systems are alike; df by containment: assessor x system cells
            less assessors less systems plus one.
        comparisons: of pairs, a minus b, with the same df; `p_adjusted` by `adjustment`.
    """

    n: int
    n_assessors: int
    n_items: int
    means: list[AdjustedMean] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    adjustment: str = ""
    sd_assessor: float | None = None
    sd_assessor_system: float | None = None
    sd_rest: float | None = None
    f: float | None = None
    df: int = 0
    df_error: int = 0
    p: float | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class _Sums:
    """All that the likelihood needs: sums per assessor of random (u) and fixed (x) columns and scores (y).

    Shapes: uu (assessors, r, r), ux (assessors, r, p + 1) with y as the last column, xx (p + 1, p + 1).
    """

    uu: Floats
    ux: Floats
    xx: Floats
    n: int
    p: int


@dataclass(frozen=True)
class _Fit:
    """Generalised least squares at given variance ratios: coefficients, their covariance / scale, scale."""

    beta: Floats
    inverse: Floats
    scale: float
    deviance: float


def fit(
    frame: pd.DataFrame,
    pairs: list[Pair] | None = None,
    *,
    confidence: float = 0.95,
    adjust: str = "holm",
) -> Mixed:
    """Fit the model and compare `pairs` of systems, all of them by default; `adjust` as in `comparisons`."""
    data = tidy(frame)
    result = Mixed(data.n, len(data.assessors), len(data.items), notes=data.notes)
    if problem := data.problem or _impossible(data):
        return replace(result, problem=problem)
    systems, items = len(data.systems), len(data.items)
    design = np.zeros((data.n, systems + items - 1))
    design[np.arange(data.n), data.system] = 1
    last = data.item == items - 1
    design[np.flatnonzero(~last), systems + data.item[~last]] = 1
    design[last, systems:] = -1
    if np.linalg.matrix_rank(design.T @ design) < design.shape[1]:
        text = "Some systems were graded on no item that connects them with the others."
        return replace(result, problem=text)
    pairs_as = np.unique(data.assessor * systems + data.system).size
    cells = np.unique(data.item * len(data.assessors) + data.assessor) // len(data.assessors)
    if np.bincount(cells).max() < 2:
        return replace(result, problem="Each item was graded by one assessor, who cannot be told from it.")
    df_error = pairs_as - len(data.assessors) - systems + 1
    if df_error < 1 or data.n <= design.shape[1]:
        return replace(result, problem="There are too few ratings for so many assessors, items and systems.")
    split = pairs_as < data.n
    sums = _sums(data, design, split)
    ratios = _ratios(sums, 2 if split else 1)
    fitted = _solve(sums, ratios)
    if fitted is None or not fitted.scale > 1e-12 * max(1.0, float(data.score.var())):
        return replace(result, problem="The model explains every rating: there is no error to test with.")
    covariance = fitted.inverse[:systems, :systems] * fitted.scale
    beta = fitted.beta[:systems]
    contrasts = np.hstack([np.ones((systems - 1, 1)), -np.eye(systems - 1)])
    difference = contrasts @ beta
    f = float(difference @ np.linalg.solve(contrasts @ covariance @ contrasts.T, difference)) / (systems - 1)
    rows = _compare(data, pairs, beta, covariance, df_error, confidence)
    adjustments = {"holm": holm, "hochberg": hochberg}
    if adjust in adjustments:
        adjusted = adjustments[adjust]([row.p for row in rows])
        rows = [replace(row, p_adjusted=value) for row, value in zip(rows, adjusted, strict=True)]
    return replace(
        result,
        means=_means(data, beta, covariance, confidence),
        comparisons=rows,
        adjustment={"holm": "Holm", "hochberg": "Hochberg"}.get(adjust, ""),
        sd_assessor=math.sqrt(ratios[0] * fitted.scale),
        sd_assessor_system=math.sqrt(ratios[1] * fitted.scale) if split else None,
        sd_rest=math.sqrt(fitted.scale),
        f=f,
        df=systems - 1,
        df_error=df_error,
        p=float(fdtrc(systems - 1, df_error, f)),
    )


def _impossible(data: Tidy) -> str:
    if len(data.systems) < 2:
        return "One system: there is nothing to compare it with."
    if len(data.assessors) < 2:
        return "One assessor: the model needs two."
    if np.ptp(data.score) == 0:
        return "All grades are equal."
    columns = len(data.systems) + len(data.items)
    if len(data.assessors) * (len(data.systems) + 1) * columns > _MAX_SIZE or data.n * columns > _MAX_SIZE:
        return "The study is too large for this model."
    return ""


def _sums(data: Tidy, design: Floats, split: bool) -> _Sums:
    """`split`: with a random assessor x system part beside the assessor's."""
    assessors, systems = len(data.assessors), len(data.systems)
    width = 1 + (systems if split else 0)
    whole = np.column_stack([design, data.score])
    ux = np.zeros((assessors, width, whole.shape[1]))
    np.add.at(ux[:, 0], data.assessor, whole)
    uu = np.zeros((assessors, width, width))
    counts = np.zeros((assessors, systems))
    np.add.at(counts, (data.assessor, data.system), 1.0)
    uu[:, 0, 0] = counts.sum(axis=1)
    if split:
        np.add.at(ux[:, 1:], (data.assessor, data.system), whole)
        uu[:, 0, 1:] = uu[:, 1:, 0] = counts
        place = np.arange(1, width)
        uu[:, place, place] = counts
    return _Sums(uu, ux, whole.T @ whole, data.n, design.shape[1])


def _solve(sums: _Sums, ratios: Floats) -> _Fit | None:
    """The fit at variances `ratios` of the rest's; None where the scores leave no error."""
    root = np.sqrt(np.concatenate([ratios[:1], np.repeat(ratios[1:], sums.uu.shape[1] - 1)]))
    inner = np.eye(root.size) + root[:, None] * sums.uu * root
    scaled = root[:, None] * sums.ux
    cross = sums.xx - np.einsum("arp,arq->pq", scaled, np.linalg.solve(inner, scaled))
    inside, right, total = cross[: sums.p, : sums.p], cross[: sums.p, sums.p], cross[sums.p, sums.p]
    try:
        inverse = np.linalg.inv(inside)
    except np.linalg.LinAlgError:
        return None
    beta = inverse @ right
    error = float(total - right @ beta)
    freedom = sums.n - sums.p
    if not error > 0:
        return None
    determinants = float(np.linalg.slogdet(inner)[1].sum()) + float(np.linalg.slogdet(inside)[1])
    return _Fit(beta, inverse, error / freedom, freedom * math.log(error) + determinants)


def _ratios(sums: _Sums, number: int) -> Floats:
    """Variances of the random parts over that of the rest, by restricted maximum likelihood."""
    from scipy.optimize import minimize

    def deviance(roots: Floats) -> float:
        fitted = _solve(sums, roots**2)
        return math.inf if fitted is None else fitted.deviance

    options = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 2000}
    best = min(
        (
            minimize(deviance, np.full(number, start), method="Nelder-Mead", options=options)
            for start in (0.3, 1.5)
        ),
        key=lambda outcome: float(outcome.fun),
    )
    return np.asarray(best.x, dtype=float) ** 2


def _means(data: Tidy, beta: Floats, covariance: Floats, confidence: float) -> list[AdjustedMean]:
    df = len(data.assessors) - 1
    quantile = float(stdtrit(df, (1 + confidence) / 2))
    rows = []
    for index, system in enumerate(data.systems):
        chosen = data.system == index
        mean, se = float(beta[index]), math.sqrt(covariance[index, index])
        method = f"{100 * confidence:g} % t interval of the mixed model, {df} degrees of freedom"
        interval = Interval(mean - quantile * se, mean + quantile * se, method)
        who = int(np.unique(data.assessor[chosen]).size)
        rows.append(AdjustedMean(system, int(chosen.sum()), who, mean, se, df, interval))
    return rows


def _compare(
    data: Tidy, pairs: list[Pair] | None, beta: Floats, covariance: Floats, df: int, confidence: float
) -> list[Comparison]:
    quantile = float(stdtrit(df, (1 + confidence) / 2))
    rows = []
    for a, b in combinations(data.systems, 2) if pairs is None else pairs:
        first, second = data.find(a), data.find(b)
        if first is None or second is None or first == second:
            absent = [str(name) for name, found in ((a, first), (b, second)) if found is None]
            text = f"Nobody graded {' or '.join(absent)}." if absent else "A system against itself."
            rows.append(Comparison(a, b, METHOD, 0, 0, problem=text))
            continue
        difference = float(beta[first] - beta[second])
        variance = covariance[first, first] + covariance[second, second] - 2 * covariance[first, second]
        se = math.sqrt(max(0.0, float(variance)))
        method = f"{100 * confidence:g} % t interval of the mixed model, {df} degrees of freedom"
        interval = Interval(difference - quantile * se, difference + quantile * se, method)
        n = [int((data.system == index).sum()) for index in (first, second)]
        row = Comparison(a, b, METHOD, n[0], n[1], difference, interval)
        if se == 0:
            rows.append(replace(row, problem="The difference has no error to test it with."))
            continue
        t = difference / se
        rows.append(replace(row, statistic=t, p=float(2 * stdtr(df, -abs(t)))))
    return rows
