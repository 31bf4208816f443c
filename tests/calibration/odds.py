"""The logistic model of choices with random listeners and items, of thousands of studies at once.

Laplace's approximation and its slope as in `logistic`, every sum with an axis of studies; the deviance is
minimised by Newton's method with differences of slopes. Studies that do not settle, or have a random part
fewer, are left to the program's own `logistic.fit`. `test_fast_forms` holds the rest to it, too.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from evaluation.analysis.statistics import logistic
from evaluation.analysis.statistics.frames import Floats, Ints
from evaluation.analysis.statistics.logistic import _MOST, _NONE, _SETTLED, _STEP, _WIDEST
from tests.calibration.newton import minimise

#: Studies at once; steps to a mode; least deviation, as `logistic` has it.
_CHUNK, _TO_MODE, _LEAST = 250, 40, _NONE / 10


def fit(kept: np.ndarray, success: np.ndarray) -> tuple[Floats, Floats, Floats]:
    """Ends of the interval of log-odds, and p, of each study; NaN without an answer.

    Args:
        kept, success: (studies, listeners, items), whether there was a choice, and whether it succeeded.
    """
    n = kept.astype(float)
    won = (kept & success).astype(float)
    choices, wins = n.sum(axis=(1, 2)), won.sum(axis=(1, 2))
    listeners, items = kept.any(axis=2).sum(axis=1), kept.any(axis=1).sum(axis=1)
    answered = (listeners > 1) & (wins > 0) & (wins < choices)
    typical, se = np.full((2, len(n)), np.nan)
    each_once = answered & (listeners == choices) & (items == 1)
    typical[each_once] = np.log(wins / (choices - wins), where=each_once, out=np.zeros_like(wins))[each_once]
    se[each_once] = np.sqrt(1 / wins[each_once] + 1 / (choices - wins)[each_once])
    both = np.flatnonzero(answered & (listeners < choices) & (items > 1) & (items < choices))
    settled = each_once.copy()
    for start in range(0, both.size, _CHUNK):
        part = both[start : start + _CHUNK]
        typical[part], se[part], settled[part] = _maximise(n[part], won[part])
    for place in np.flatnonzero(answered & ~settled):
        listener, item = np.nonzero(kept[place])
        model = logistic.fit(listener, item, success[place][kept[place]])
        typical[place] = np.nan if model.typical is None else model.typical
        se[place] = np.nan if model.se is None else model.se
    half = float(ndtri(0.975)) * se
    return typical - half, typical + half, np.asarray(2 * ndtr(-np.abs(typical) / se))


def _maximise(n: Floats, won: Floats) -> tuple[Floats, Floats, np.ndarray]:
    """Log-odds, standard errors (NaN where they have no bound), and whether the search settled."""
    total, wins = n.sum(axis=(1, 2)), won.sum(axis=(1, 2))
    studies, listeners, items = n.shape
    modes = np.zeros((studies, listeners)), np.zeros((studies, items))

    def function(which: Ints, at: Floats) -> tuple[Floats, Floats]:
        value, slope, found = _deviance(n[which], won[which], at, (modes[0][which], modes[1][which]))
        modes[0][which], modes[1][which] = found
        return value, slope

    low, high = np.array([_LEAST, _LEAST, -2 * _MOST]), np.array([_WIDEST, _WIDEST, 2 * _MOST])
    best, height, settled = np.full((studies, 3), np.nan), np.full(studies, np.inf), np.ones(studies, bool)
    for sd in (0.3, 1.5):
        start = np.column_stack([np.full((studies, 2), sd), np.log(wins / (total - wins))])
        found, value, done = minimise(function, start, low, high, np.arange(2))
        better = value < height
        best[better], height[better] = found[better], value[better]
        settled &= done
    best[:, :2][best[:, :2] < _NONE] = 0.0
    every = np.arange(studies)
    curvature = np.zeros((studies, 3, 3))
    for place in range(3):
        moved = np.zeros(3)
        moved[place] = _STEP
        up, down = (function(every, best + sign * moved)[1] for sign in (1, -1))
        curvature[:, place] = (up - down) / (4 * _STEP)
    curvature = (curvature + curvature.transpose(0, 2, 1)) / 2
    free = np.column_stack([best[:, :2] > 0, np.ones(studies, dtype=bool)])
    curvature = np.where(free[:, :, None] & free[:, None], curvature, np.eye(3))
    settled &= np.abs(np.linalg.det(curvature)) > 1e-12
    curvature[~settled] = np.eye(3)
    variance = np.linalg.inv(curvature)[:, 2, 2]
    bounded = (variance > 0) & (np.abs(best[:, 2]) <= _MOST) & (best[:, :2].max(axis=1) <= 0.99 * _WIDEST)
    se = np.sqrt(np.where(bounded, variance, np.nan))
    return np.where(bounded, best[:, 2], np.nan), se, settled


def _deviance(
    n: Floats, won: Floats, at: Floats, modes: tuple[Floats, Floats]
) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
    """-2 log-likelihood by Laplace, its slope (studies, 3), and the modes of the effects; from `modes` on."""
    one, two = (each[:, None, None] for each in at.T[:2])
    listener, item = modes
    value, chance = _height(n, won, at, listener, item)
    left = np.arange(len(n))
    listener, item = listener.copy(), item.copy()
    for _ in range(_TO_MODE):
        some, a, b, p, known, its = (each[left] for each in (at, listener, item, chance, n, won))
        residual, weight = its - known * p, known * p * (1 - p)
        first, second = some[:, :1] * residual.sum(axis=2) - a, some[:, 1:2] * residual.sum(axis=1) - b
        diagonal, cross, inner = _parts(some, weight)
        right = second - np.einsum("sli,sl->si", cross, first / diagonal)
        of_items = np.linalg.solve(inner, right[:, :, None])[:, :, 0]
        of_listeners = (first - np.einsum("sli,si->sl", cross, of_items)) / diagonal
        length, waiting = np.ones(left.size), np.arange(left.size)
        before = value[left]
        for _ in range(20):
            to_a = a[waiting] + length[waiting, None] * of_listeners[waiting]
            to_b = b[waiting] + length[waiting, None] * of_items[waiting]
            after, turned = _height(known[waiting], its[waiting], some[waiting], to_a, to_b)
            places = left[waiting]
            listener[places], item[places], value[places], chance[places] = to_a, to_b, after, turned
            waiting = waiting[after < before[waiting] - 1e-12]
            if waiting.size == 0:
                break
            length[waiting] /= 2
        change = np.maximum(np.abs(of_listeners).max(axis=1), np.abs(of_items).max(axis=1))
        left = left[change >= _SETTLED]
        if left.size == 0:
            break
    residual, weight = won - n * chance, n * chance * (1 - chance)
    diagonal, cross, inner = _parts(at, weight)
    value = value - (np.log(diagonal).sum(axis=1) + np.linalg.slogdet(inner)[1]) / 2
    covariance = np.linalg.inv(inner)
    scaled = cross / diagonal[:, :, None]
    between = -scaled @ covariance
    of_listener = (1 / diagonal - (scaled * between).sum(axis=2))[:, :, None]
    of_item = np.einsum("sii->si", covariance)[:, None]
    odds = one**2 * of_listener + 2 * one * two * between + two**2 * of_item
    turned = weight * (1 - 2 * chance) * odds
    pull_listener, pull_item = one[:, 0] * turned.sum(axis=2), two[:, 0] * turned.sum(axis=1)
    back_item = np.einsum(
        "sij,sj->si", covariance, pull_item - np.einsum("sli,sl->si", cross, pull_listener / diagonal)
    )
    back_listener = (pull_listener - np.einsum("sli,si->sl", cross, back_item)) / diagonal
    along = one * back_listener[:, :, None] + two * back_item[:, None]
    of_mode = turned - weight * along
    ones = (
        (
            (residual * listener[:, :, None]).sum(axis=(1, 2)),
            2 * (weight * (one * of_listener + two * between)).sum(axis=(1, 2)),
            (of_mode * listener[:, :, None]).sum(axis=(1, 2)),
            (back_listener * residual.sum(axis=2)).sum(axis=1),
        ),
        (
            (residual * item[:, None]).sum(axis=(1, 2)),
            2 * (weight * (two * of_item + one * between)).sum(axis=(1, 2)),
            (of_mode * item[:, None]).sum(axis=(1, 2)),
            (back_item * residual.sum(axis=1)).sum(axis=1),
        ),
        (residual.sum(axis=(1, 2)), 0.0, of_mode.sum(axis=(1, 2)), 0.0),
    )
    slope = np.stack([each[0] - (each[1] + each[2] + each[3]) / 2 for each in ones], axis=1)
    return -2 * value, -2 * slope, (listener, item)


def _height(n: Floats, won: Floats, at: Floats, listener: Floats, item: Floats) -> tuple[Floats, Floats]:
    """Log-likelihood with the effects' penalty, and the chance of success in each cell."""
    one, two, typical = (each[:, None, None] for each in at.T)
    odds = typical + one * listener[:, :, None] + two * item[:, None]
    small = np.exp(-np.abs(odds))
    penalty = ((listener**2).sum(axis=1) + (item**2).sum(axis=1)) / 2
    total = won * odds - n * (np.log(1 + small) + np.maximum(odds, 0.0))
    return total.sum(axis=(1, 2)) - penalty, np.where(odds > 0, 1.0, small) / (1 + small)


def _parts(at: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    one, two = at[:, :1], at[:, 1:2]
    diagonal = 1 + one**2 * weight.sum(axis=2)
    cross = (one * two)[:, :, None] * weight
    inner = -np.einsum("sli,slj->sij", cross, cross / diagonal[:, :, None], optimize=True)
    spots = np.arange(weight.shape[2])
    inner[:, spots, spots] += 1 + two**2 * weight.sum(axis=1)
    return diagonal, cross, inner
