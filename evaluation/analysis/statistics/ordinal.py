"""A companion for whole categories: the proportional odds model, which takes grades as ordered only.

    logit P(grade > k) = system + item - threshold k

by maximum likelihood (McCullagh 1980). Systems and items are fixed; standard errors are robust against one
listener's grades being alike (sandwich over listeners, with G / (G - 1)), and t has G - 1 degrees of freedom.
An odds ratio of 2 for a over b: the odds of a grade above any category are twice as high.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.special import expit, stdtr, stdtrit

from evaluation.analysis.statistics.choices import LEAST_ASSESSORS
from evaluation.analysis.statistics.comparisons import Pair
from evaluation.analysis.statistics.corrections import holm
from evaluation.analysis.statistics.frames import Floats, Ints, tidy

#: A coefficient beyond this has no bound: a system that got nothing but the best, or worst, category.
MOST = 15.0
LEAST_VARIANCE = 1e-9


@dataclass(frozen=True)
class OddsRatio:
    """Odds of a better grade for `a` against `b`, 95 % interval, two-sided p and p by Holm over the pairs."""

    a: object
    b: object
    ratio: float
    low: float
    high: float
    p: float
    p_adjusted: float | None = None


@dataclass(frozen=True)
class Ordinal:
    """Odds ratios of pairs; none with a `problem`."""

    rows: list[OddsRatio] = field(default_factory=list)
    listeners: int = 0
    problem: str = ""


@dataclass(frozen=True)
class _Data:
    """Grades as categories from 0, (n,); `design` (n, p) of systems and items without the first of each."""

    grade: Ints
    design: Floats
    top: int


def compare(frame: pd.DataFrame, pairs: Iterable[Pair]) -> Ordinal:
    """The odds ratio of each pair of systems in ``assessor, item, system, score``; scores are categories."""
    data = tidy(frame)
    found = Ordinal(listeners=len(data.assessors))
    if data.problem:
        return replace(found, problem=data.problem)
    if len(data.assessors) < LEAST_ASSESSORS:
        return replace(found, problem=f"It takes {LEAST_ASSESSORS} listeners to tell how they differ.")
    values, grade = np.unique(data.score, return_inverse=True)
    if values.size < 2 or len(data.systems) < 2:
        return replace(found, problem="It takes two systems, and two categories that were used.")
    design = np.zeros((data.n, len(data.systems) + len(data.items) - 2))
    for number, place in ((data.system, -1), (data.item, len(data.systems) - 2)):
        rest = number > 0
        design[np.flatnonzero(rest), place + number[rest]] = 1
    made = _Data(grade.astype(np.intp), design, values.size - 1)
    if np.linalg.matrix_rank(np.column_stack([np.ones(data.n), design])) <= design.shape[1]:
        return replace(found, problem="Some systems were never heard in the same items.")
    beta, covariance = _fit(made, data.assessor)
    slopes = np.concatenate([[0.0], beta[made.top :]])
    if np.abs(slopes).max() > MOST:
        return replace(found, problem="A system or an item got nothing but one end of the scale: no bound.")
    rows = []
    for a, b in pairs:
        first, second = data.find(a), data.find(b)
        if first is None or second is None:
            continue
        weights = np.zeros(beta.size)
        for place, sign in ((first, 1.0), (second, -1.0)):
            if place:
                weights[made.top + place - 1] = sign
        apart, variance = float(weights @ beta), float(weights @ covariance @ weights)
        if not variance > LEAST_VARIANCE:
            return replace(found, problem="Listeners grade so much alike that the model has no error.")
        se, df = math.sqrt(variance), len(data.assessors) - 1
        half = float(stdtrit(df, 0.975)) * se
        p = float(2 * stdtr(df, -abs(apart) / se))
        rows.append(OddsRatio(a, b, math.exp(apart), math.exp(apart - half), math.exp(apart + half), p))
    adjusted = holm([row.p for row in rows])
    return replace(found, rows=[replace(row, p_adjusted=p) for row, p in zip(rows, adjusted, strict=True)])


def _fit(data: _Data, assessor: Ints) -> tuple[Floats, Floats]:
    """Coefficients (thresholds first) and their covariance, robust over assessors; by Newton's method."""
    shares = np.cumsum(np.bincount(data.grade, minlength=data.top + 1))[:-1] / data.grade.size
    beta = np.concatenate([np.log(shares / (1 - shares)), np.zeros(data.design.shape[1])])
    value, scores, information = _likelihood(data, beta)
    for _ in range(100):
        step = np.linalg.lstsq(information, scores.sum(axis=0), rcond=None)[0]
        for halving in range(30):
            tried = beta + step / 2**halving
            if np.all(np.diff(tried[: data.top]) > 0):
                after = _likelihood(data, tried)
                if after[0] >= value - 1e-12:
                    break
        else:
            break
        beta, (value, scores, information) = tried, after
        if np.abs(step).max() < 1e-10 or np.abs(beta).max() > 2 * MOST:
            break
    sums = np.zeros((int(assessor.max()) + 1, beta.size))
    np.add.at(sums, assessor, scores)
    bread = np.linalg.pinv(information)
    number = sums.shape[0]
    return beta, np.asarray(bread @ (sums.T @ sums) @ bread * number / (number - 1))


def _likelihood(data: _Data, beta: Floats) -> tuple[float, Floats, Floats]:
    """Log-likelihood, scores (n, parameters) and observed information."""
    n, top = data.grade.size, data.top
    thresholds, linear = beta[:top], data.design @ beta[top:]
    ends = np.concatenate([[-np.inf], thresholds, [np.inf]])
    upper, lower = expit(ends[data.grade + 1] - linear), expit(ends[data.grade] - linear)
    chance = np.maximum(upper - lower, 1e-300)
    slope_up, slope_low = upper * (1 - upper), lower * (1 - lower)
    curve_up, curve_low = slope_up * (1 - 2 * upper), slope_low * (1 - 2 * lower)
    to_upper, to_lower = np.zeros((n, beta.size)), np.zeros((n, beta.size))
    for each, shift in ((to_upper, 0), (to_lower, -1)):
        place = data.grade + shift
        inside = (place >= 0) & (place < top)
        each[np.flatnonzero(inside), place[inside]] = 1
        each[:, top:] = -data.design
    first = (slope_up / chance)[:, None] * to_upper - (slope_low / chance)[:, None] * to_lower
    second = to_upper.T @ ((curve_up / chance)[:, None] * to_upper)
    second -= to_lower.T @ ((curve_low / chance)[:, None] * to_lower)
    return float(np.log(chance).sum()), first, first.T @ first - second
