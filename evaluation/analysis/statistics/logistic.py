"""A companion for choices: the logistic model with random listeners and items.

    logit P(success) = typical + listener + item,   listener ~ N(0, s_l^2),   item ~ N(0, s_i^2)

by maximum likelihood, the random parts integrated out by Laplace's approximation (Breslow and Clayton 1993),
as lme4's `glmer` does. A success is a right answer, or a vote for the first of a pair. `share` is that of a
typical listener in a typical item, which lies further from 1/2 than the average over listeners; its interval
is Wald's, which is for many listeners and items.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, ndtr, ndtri

from evaluation.analysis.statistics.corrections import holm
from evaluation.analysis.statistics.frames import Floats

#: Beyond these log-odds a share has no bound.
_MOST = 12.0
#: Standard deviations of log-odds up to which the likelihood is searched.
_WIDEST = 10.0
#: Less than this is no deviation; step of numerical derivatives; change of an effect that is settled.
_NONE, _STEP, _SETTLED = 1e-3, 1e-3, 1e-9


@dataclass(frozen=True)
class Logistic:
    """The share of successes; None with a `problem`.

    Attributes:
        n, successes: choices, and those that are successes.
        typical, se: log-odds of a typical listener in a typical item.
        share, low, high: the same as a share, with its 95 % interval.
        p: two-sided, by Wald's test that the share is 1/2.
        sd_listener, sd_item: standard deviations of log-odds; None where there is one choice a level, or
            one level, so that they cannot be told from chance.
    """

    n: int
    successes: int
    listeners: int
    items: int
    typical: float | None = None
    se: float | None = None
    share: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    sd_listener: float | None = None
    sd_item: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class PairOdds:
    """The model of a pair; `ties` are votes for neither, which are left out; `p_holm` is over the pairs."""

    first: str
    second: str
    ties: int
    model: Logistic
    p_holm: float | None = None


def fit_pairs(frame: pd.DataFrame) -> list[PairOdds]:
    """The model of each pair in a frame of `choices.ABX_COLUMNS` or of `choices.PREFERENCE_COLUMNS`."""
    rows = []
    for (first, second), its in frame.groupby(["first", "second"], sort=False):
        decided = its if "correct" in its else its[its["chosen"].notna()]
        success = decided["correct"] if "correct" in its else decided["chosen"] == first
        model = fit(decided["assessor"], decided["item"], success)
        rows.append(PairOdds(str(first), str(second), len(its) - len(decided), model))
    adjusted = holm([row.model.p for row in rows])
    return [replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True)]


@dataclass(frozen=True)
class _Table:
    """Choices and successes among them, each (listeners, items), and which random parts there are."""

    n: Floats
    successes: Floats
    random: tuple[bool, bool]


def fit(assessor: ArrayLike, item: ArrayLike, success: ArrayLike) -> Logistic:
    """The model of choices, each (n,): who made it, about what, and whether it was a success."""
    listener, listeners = pd.factorize(np.asarray(assessor, dtype=object))
    place, items = pd.factorize(np.asarray(item, dtype=object))
    won = np.asarray(success, dtype=float)
    found = Logistic(won.size, int(won.sum()), len(listeners), len(items))
    if won.size == 0:
        return _without(found, "Nobody decided.")
    if len(listeners) < 2:
        return _without(found, "One listener: there is nobody to differ from.")
    if won.sum() in (0, won.size):
        return _without(found, "All choices are alike: the log-odds have no bound.")
    n, successes = np.zeros((2, len(listeners), len(items)))
    np.add.at(n, (listener, place), 1.0)
    np.add.at(successes, (listener, place), won)
    # A part with one choice a level, or one level, cannot be told from chance.
    random = (len(listeners) < won.size, 1 < len(items) < won.size)
    deviations, typical, se = _maximise(_Table(n, successes, random))
    if not math.isfinite(se) or abs(typical) > _MOST or deviations.max() > 0.99 * _WIDEST:
        return _without(found, "Listeners or items differ so much that the log-odds have no bound.")
    half = float(ndtri(0.975)) * se
    share, low, high = (float(expit(value)) for value in (typical, typical - half, typical + half))
    return replace(
        found,
        typical=typical,
        se=se,
        share=share,
        low=low,
        high=high,
        p=float(2 * ndtr(-abs(typical) / se)),
        sd_listener=float(deviations[0]) if random[0] else None,
        sd_item=float(deviations[1]) if random[1] else None,
    )


def _without(found: Logistic, problem: str) -> Logistic:
    return replace(found, problem=problem)


def _maximise(table: _Table) -> tuple[Floats, float, float]:
    """Standard deviations of listeners and items, the log-odds and their standard error."""
    from scipy.optimize import minimize

    won, n = float(table.successes.sum()), float(table.n.sum())
    plain = math.log(won / (n - won))
    places = np.flatnonzero(table.random)
    if places.size == 0:
        return np.zeros(2), plain, math.sqrt(1 / won + 1 / (n - won))
    effects = [np.zeros(table.n.shape[0]), np.zeros(table.n.shape[1])]
    chosen = [*places, 2]

    def deviance(values: Floats) -> tuple[float, Floats]:
        widths = np.zeros(2)
        widths[places] = values[:-1]
        height, slope = _approximate(table, widths, float(values[-1]), effects)
        return -2 * height, -2 * slope[chosen]

    # At 0 itself the slope is 0 whatever the data say, and a search would stay there.
    bounds = [(_NONE / 10, _WIDEST)] * places.size + [(-2 * _MOST, 2 * _MOST)]
    options = {"ftol": 1e-15, "gtol": 1e-8, "maxiter": 200}
    tries = [
        minimize(
            deviance,
            [*[sd] * places.size, plain],
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options=options,
        )
        for sd in (0.3, 1.5)
    ]
    best = np.asarray(min(tries, key=lambda outcome: float(outcome.fun)).x, dtype=float)
    best[:-1][best[:-1] < _NONE] = 0.0
    free = [place for place in range(best.size) if place == best.size - 1 or best[place] > 0]
    information = _curvature(lambda at: deviance(at)[1], best, free) / 2
    deviations = np.zeros(2)
    deviations[places] = best[:-1]
    try:
        variance = float(np.linalg.inv(information)[-1, -1])
    except np.linalg.LinAlgError:
        variance = math.inf
    return deviations, float(best[-1]), math.sqrt(variance) if variance > 0 else math.inf


def _curvature(slope: Callable[[Floats], Floats], at: Floats, free: list[int]) -> Floats:
    """Second derivatives (free, free) by central differences of the first."""
    found = np.zeros((len(free), len(free)))
    for row, one in enumerate(free):
        moved = np.zeros(at.size)
        moved[one] = _STEP
        found[row] = ((slope(at + moved) - slope(at - moved)) / (2 * _STEP))[free]
    return np.asarray((found + found.T) / 2)


def _approximate(
    table: _Table, widths: Floats, typical: float, effects: list[Floats]
) -> tuple[float, Floats]:
    """Laplace's approximation of the log-likelihood, up to a constant, and its slope by widths and typical.

    Args:
        widths: standard deviations of listeners and items.
        effects: spherical effects of listeners and items to begin with; replaced by their mode.
    """
    listener, item = effects
    n, won = table.n, table.successes

    def height(one: Floats, other: Floats) -> float:
        odds = typical + widths[0] * one[:, None] + widths[1] * other
        penalty = (one @ one + other @ other) / 2
        return float((won * odds - n * np.logaddexp(0, odds)).sum() - penalty)

    value = height(listener, item)
    for _ in range(50):
        chance = expit(typical + widths[0] * listener[:, None] + widths[1] * item)
        left, weight = won - n * chance, n * chance * (1 - chance)
        slopes = widths[0] * left.sum(axis=1) - listener, widths[1] * left.sum(axis=0) - item
        diagonal, cross, inner = _parts(widths, weight)
        step_item = np.linalg.solve(inner, slopes[1] - cross.T @ (slopes[0] / diagonal))
        step_listener = (slopes[0] - cross @ step_item) / diagonal
        for halving in range(20):
            tried = listener + step_listener / 2**halving, item + step_item / 2**halving
            if (after := height(*tried)) >= value - 1e-12:
                break
        (listener, item), value = tried, after
        if max(np.abs(step_listener).max(), np.abs(step_item).max()) < _SETTLED:
            break
    effects[:] = listener, item
    chance = expit(typical + widths[0] * listener[:, None] + widths[1] * item)
    weight = n * chance * (1 - chance)
    diagonal, cross, inner = _parts(widths, weight)
    height_of_mode = value - float(np.log(diagonal).sum() + np.linalg.slogdet(inner)[1]) / 2
    return height_of_mode, _slope(table, widths, (listener, item), chance, (diagonal, cross, inner))


def _slope(
    table: _Table,
    widths: Floats,
    effects: tuple[Floats, Floats],
    chance: Floats,
    parts: tuple[Floats, Floats, Floats],
) -> Floats:
    """Derivatives (3,) of `_approximate`: of the height at the mode, and of the curvature's determinant.

    The determinant changes with the widths, and with the log-odds of each cell, which move with the mode too.
    """
    (one, two), (listener, item), (diagonal, cross, inner) = widths, effects, parts
    left, weight = table.successes - table.n * chance, table.n * chance * (1 - chance)
    # Covariance of the effects at the mode: of items, of listeners and items, variance of listeners.
    of_items = np.linalg.inv(inner)
    scaled = cross / diagonal[:, None]
    between = -scaled @ of_items
    of_listeners = 1 / diagonal - (scaled * between).sum(axis=1)
    spread = np.diag(of_items)
    odds = one**2 * of_listeners[:, None] + 2 * one * two * between + two**2 * spread
    turned = weight * (1 - 2 * chance) * odds
    # How much the determinant gains where the mode moves; then what moves it.
    pull_listener, pull_item = one * turned.sum(axis=1), two * turned.sum(axis=0)
    back_item = of_items @ (pull_item - cross.T @ (pull_listener / diagonal))
    back_listener = (pull_listener - cross @ back_item) / diagonal
    along = one * back_listener[:, None] + two * back_item

    def determinant(direct: float, moved: Floats, pushed: float) -> float:
        """`moved`: change of each cell's log-odds with the mode as it is; `pushed`: of the mode's slope."""
        return direct + float((turned * moved).sum()) + pushed - float((weight * moved * along).sum())

    of_cells = np.ones_like(weight)
    return np.array(
        [
            float((left * listener[:, None]).sum())
            - determinant(
                2 * float((weight * (one * of_listeners[:, None] + two * between)).sum()),
                listener[:, None] * of_cells,
                float(back_listener @ left.sum(axis=1)),
            )
            / 2,
            float((left * item).sum())
            - determinant(
                2 * float((weight * (two * spread + one * between)).sum()),
                item * of_cells,
                float(back_item @ left.sum(axis=0)),
            )
            / 2,
            float(left.sum()) - determinant(0.0, of_cells, 0.0) / 2,
        ]
    )


def _parts(widths: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Curvature of the effects in blocks: listeners' diagonal, the cross part, items without listeners."""
    diagonal = 1 + widths[0] ** 2 * weight.sum(axis=1)
    cross = widths[0] * widths[1] * weight
    inner = np.diag(1 + widths[1] ** 2 * weight.sum(axis=0)) - cross.T @ (cross / diagonal[:, None])
    return diagonal, cross, inner
