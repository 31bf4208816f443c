"""Linear models with crossed random intercepts: restricted maximum likelihood and Satterthwaite's df.

    y = X b + Z_1 u_1 + ... + Z_k u_k + e,   u_j ~ N(0, v_j I),   e ~ N(0, v_e I)

Every quantity is computed from the Gram matrix of ``[X Z]``, so that a fit costs the cube of the number
of levels, not of the number of observations. Sources: Searle, Casella and McCulloch, "Variance
Components" (1992), chapter 6; Satterthwaite (1946).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import stdtr, stdtrit

from evaluation.analysis.statistics.frames import Floats, Ints

#: Largest ratio of a random part's variance to the error's that is tried.
MOST = 1e6

#: Condition of the variances' information from which on they cannot be told apart.
FLAT = 1e10
#: Change of the ratios that is settled, and ratio that is none; rounding of the deviance.
SETTLED, NOISE = 1e-8, 1e-10
#: Gain of the log-likelihood that a step promises and that is none; share of the squares that is no error.
GAIN, VANISHED = 1e-7, 1e-6

#: Levels of a random part from which on a variance of zero is believed.
TOLD = 3

_NO_ERROR = "The model explains every observation: there is no error to test with."


class NoError(ValueError):
    """The model explains every observation, so that nothing is left to test with."""


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of coefficients: estimate, standard error and Satterthwaite's degrees of freedom."""

    estimate: float
    se: float
    df: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Student's t interval."""
        half = float(stdtrit(self.df, (1 + confidence) / 2)) * self.se
        return self.estimate - half, self.estimate + half

    def p(self, value: float = 0.0) -> float:
        """Two-sided p of the hypothesis that the true sum is `value`."""
        return float(2 * stdtr(self.df, -abs(self.estimate - value) / self.se))

    def p_equivalent(self, margin: float) -> float:
        """P of two one-sided tests (Schuirmann 1987) that the true sum lies within ± `margin`."""
        return float(
            max(
                stdtr(self.df, -(self.estimate + margin) / self.se),
                stdtr(self.df, (self.estimate - margin) / self.se),
            )
        )


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes:
        beta: (p,) coefficients; `covariance` (p, p) is theirs.
        variances: (k + 1,) of the random parts in their order, the error's last.
        slopes: (k + 1, p, p) derivatives of `covariance` with respect to each variance.
        uncertainty: (k + 1, k + 1) covariance of the estimated variances, from the expected information;
            0 for one that is estimated as zero from three levels or more.
    """

    beta: Floats
    covariance: Floats
    variances: Floats
    slopes: Floats
    uncertainty: Floats

    def contrast(self, weights: Floats) -> Contrast:
        variance = float(weights @ self.covariance @ weights)
        slope = np.einsum("p,jpq,q->j", weights, self.slopes, weights)
        spread = float(slope @ self.uncertainty @ slope)
        df = 2 * variance**2 / spread if spread > 0 else math.inf
        return Contrast(float(weights @ self.beta), math.sqrt(variance), max(1.0, df))


@dataclass(frozen=True)
class _Problem:
    """Observations reduced to sums. `gram` is of ``[X Z]``, `sums` its products with y."""

    gram: Floats
    sums: Floats
    square: float
    n: int
    p: int
    groups: tuple[slice, ...]


@dataclass(frozen=True)
class _State:
    """What follows from the ratios of the variances to the error's; P stands for the error's variance x P."""

    inner: Floats  # P = I - W inner W'
    fixed: Floats  # inverse of X'V^-1 X, in units of the error's variance
    root: Floats  # V^-1 X = W root, in units of the inverse of the error's variance
    determinants: float
    error: float  # y'Py


def fit(score: Floats, design: Floats, groups: Sequence[Ints]) -> Fit:
    """Fit by restricted maximum likelihood.

    Args:
        score: (n,) observations.
        design: (n, p) columns of the fixed part, of full rank.
        groups: for each random part the level of every observation, (n,) from 0.

    Raises:
        NoError: the fixed and random parts explain every observation.
        numpy.linalg.LinAlgError: `design` is not of full rank, or so few observations are left beside it
            that the variances cannot be told apart.
    """
    problem = _reduce(score, design, groups)
    if problem.n <= problem.p:
        raise NoError(_NO_ERROR)
    ratios = _maximise(problem)
    state = _solve(problem, ratios)
    scale = _error(problem, state) / (problem.n - problem.p)
    if scale * problem.n <= 10 * VANISHED * problem.square:  # the ratios have run into their bound
        raise NoError(_NO_ERROR)
    return _describe(problem, state, ratios, scale)


def _reduce(score: Floats, design: Floats, groups: Sequence[Ints]) -> _Problem:
    n, p = design.shape
    sizes = [int(group.max()) + 1 for group in groups]
    starts = np.cumsum([p, *sizes])
    width = int(starts[-1])
    gram, sums = np.zeros((width, width)), np.zeros(width)
    gram[:p, :p], sums[:p] = design.T @ design, design.T @ score
    for start, group in zip(starts, groups, strict=False):
        np.add.at(sums, start + group, score)
        cross = np.zeros((width, p))
        np.add.at(cross, start + group, design)
        gram[:, :p] += cross
        gram[:p] += cross.T
        for other_start, other in zip(starts, groups, strict=False):
            np.add.at(gram, (start + group, other_start + other), 1.0)
    places = tuple(slice(int(a), int(b)) for a, b in pairwise(starts))
    return _Problem(gram, sums, float(score @ score), n, p, places)


def _solve(problem: _Problem, ratios: Floats) -> _State:
    gram, p = problem.gram, problem.p
    width = gram.shape[0]
    roots = np.zeros(width - p)
    for place, ratio in zip(problem.groups, ratios, strict=True):
        roots[place.start - p : place.stop - p] = math.sqrt(ratio)
    scaled = np.eye(width - p) + roots[:, None] * gram[p:, p:] * roots
    kernel = roots[:, None] * np.linalg.solve(scaled, np.diag(roots))
    root = np.vstack([np.eye(p), -kernel @ gram[p:, :p]])
    inside = gram[:p, :p] - gram[:p, p:] @ kernel @ gram[p:, :p]
    fixed = np.linalg.inv(inside)
    inner = root @ fixed @ root.T
    inner[p:, p:] += kernel
    error = problem.square - float(problem.sums @ inner @ problem.sums)
    determinants = float(np.linalg.slogdet(scaled)[1] + np.linalg.slogdet(inside)[1])
    return _State(inner, fixed, root, determinants, error)


def _maximise(problem: _Problem) -> Floats:
    """Ratios of the random parts' variances to the error's that maximise the restricted likelihood.

    Fisher scoring on the variances, which converges in a few steps; a variance that a step would make
    negative is held at zero. Where scoring does not settle, a quasi-Newton method takes over.
    """
    if not problem.groups:
        return np.zeros(0)
    number = len(problem.groups)
    freedom = problem.n - problem.p
    variances = np.ones(number + 1)
    ratios = variances[:-1] / variances[-1]
    state = _solve(problem, ratios)
    value = _deviance(problem, state)
    for step_number in range(100):
        scale = _error(problem, state) / freedom
        if scale * problem.n <= VANISHED * problem.square:
            raise NoError(_NO_ERROR)
        score, information = _score(problem, state, scale)
        # Without units, and flat in some direction whatever the ratios: any of them would be as good.
        if step_number == 0 and np.linalg.cond(information * scale**2) > FLAT:
            raise np.linalg.LinAlgError("The variances cannot be told apart.")
        variances = np.append(ratios * scale, scale)
        free = (variances > 0) | (score > 0)
        free[-1] = True
        step = np.zeros(number + 1)
        step[free] = np.linalg.lstsq(information[np.ix_(free, free)], score[free], rcond=None)[0]
        for halving in range(30):
            trial = np.maximum(variances + step / 2**halving, 0.0)
            if trial[-1] <= 0:
                continue
            tried = np.minimum(trial[:-1] / trial[-1], MOST)
            try:
                next_state = _solve(problem, tried)
            except np.linalg.LinAlgError:  # ratios so large that the fixed part drowns in rounding
                continue
            next_value = _deviance(problem, next_state)
            if next_value <= value + NOISE * max(1.0, abs(value)):
                break
        else:
            if float(score @ step) < GAIN:  # at the top, as far as rounding lets one see
                return np.where(ratios < SETTLED, 0.0, ratios)
            return _search(problem, ratios)
        moved = float(np.abs(tried - ratios).max() / (1e-3 + np.abs(ratios).max()))
        ratios, state, value = tried, next_state, next_value
        if moved < SETTLED:
            # A rounding's rest of a variance is none: whether there is one decides on degrees of freedom.
            return np.where(ratios < SETTLED, 0.0, ratios)
    return _search(problem, ratios)


def _error(problem: _Problem, state: _State) -> float:
    """y'Py, of which something must be left.

    Raises:
        NoError: nothing is.
    """
    if not state.error > 1e-12 * max(1.0, problem.square):
        raise NoError(_NO_ERROR)
    return state.error


def _deviance(problem: _Problem, state: _State) -> float:
    """-2 log restricted likelihood, the error's variance at its best, up to a constant."""
    freedom = problem.n - problem.p
    return freedom * math.log(_error(problem, state)) + state.determinants


def _score(problem: _Problem, state: _State, scale: float) -> tuple[Floats, Floats]:
    """Derivatives of the log restricted likelihood by each variance, the error's last; the information."""
    gram, groups = problem.gram, problem.groups
    once = state.inner @ gram
    left = gram - gram @ once  # W'PW
    twice = left - left @ once  # W'PPW
    traces = [float(np.trace(left[place, place])) for place in groups]
    number = len(groups)
    information = np.zeros((number + 1, number + 1))
    for j, first in enumerate(groups):
        for k, second in enumerate(groups):
            information[j, k] = float((left[first, second] ** 2).sum())
        information[j, number] = information[number, j] = float(np.trace(twice[first, first]))
    trace = problem.n - float(np.trace(once))
    information[number, number] = trace - float(np.trace(once)) + float((once * once.T).sum())
    residual = problem.sums - gram @ (state.inner @ problem.sums)  # W'Py
    squares = [float(residual[place] @ residual[place]) for place in groups]
    aside = state.inner @ problem.sums
    squares.append(problem.square - 2 * float(problem.sums @ aside) + float(aside @ gram @ aside))
    score = 0.5 * (np.array(squares) / scale**2 - np.array([*traces, trace]) / scale)
    return score, 0.5 * information / scale**2


def _search(problem: _Problem, start: Floats) -> Floats:
    from scipy.optimize import minimize

    freedom = problem.n - problem.p

    def deviance(ratios: Floats) -> tuple[float, Floats]:
        state = _solve(problem, np.maximum(ratios, 0.0))
        scale = _error(problem, state) / freedom
        return _deviance(problem, state), -2 * scale * _score(problem, state, scale)[0][:-1]

    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500}
    bounds = [(0.0, MOST)] * len(problem.groups)
    best = min(
        (
            minimize(deviance, begin, jac=True, bounds=bounds, options=options)
            for begin in (start, np.full(len(bounds), 0.1))
        ),
        key=lambda outcome: float(outcome.fun),
    )
    return np.asarray(np.maximum(np.asarray(best.x, dtype=float), 0.0), dtype=np.float64)


def _describe(problem: _Problem, state: _State, ratios: Floats, scale: float) -> Fit:
    gram = problem.gram
    _, information = _score(problem, state, scale)
    # A variance that is estimated as zero is no part of the model any more, nor is its uncertainty (as in
    # SAS's PROC MIXED): with it, intervals of a few items cover 99 %. Of two levels a zero shows nothing.
    kept = [
        ratio > 0 or place.stop - place.start < TOLD
        for place, ratio in zip(problem.groups, ratios, strict=True)
    ]
    free = np.array([*kept, True])
    uncertainty = np.zeros_like(information)
    uncertainty[np.ix_(free, free)] = np.linalg.pinv(information[np.ix_(free, free)])
    towards = state.root @ state.fixed  # V^-1 X C = W towards, free of units
    slopes = [(gram[place] @ towards).T @ (gram[place] @ towards) for place in problem.groups]
    slopes.append(towards.T @ gram @ towards)
    return Fit(
        beta=state.fixed @ (state.root.T @ problem.sums),
        covariance=state.fixed * scale,
        variances=np.append(ratios * scale, scale),
        slopes=np.stack(slopes),
        uncertainty=uncertainty,
    )
