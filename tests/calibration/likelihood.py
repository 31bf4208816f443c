"""Companions by maximum likelihood, of thousands of studies at once: proportional odds, Bradley and Terry.

What a study has that others lack (an item or system that nobody heard) is left to the program's own code.
`test_fast_forms` holds both to it.
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from scipy.special import expit, ndtri, stdtr, stdtrit

from evaluation.analysis.statistics import choices, ordinal
from evaluation.analysis.statistics.frames import Floats

PAIRS = tuple(combinations(range(3), 2))


def bradley_terry(won: Floats) -> tuple[Floats, Floats, Floats]:
    """Ability of the first system, and half widths of its interval over votes and over listeners.

    Args:
        won: votes of +1, -1 and NaN, (studies, listeners, items, pairs) of three systems.

    Returns:
        each (studies,), NaN without an answer.
    """
    there = ~np.isnan(won)
    for_first, games = (won > 0).sum(axis=2).astype(float), there.sum(axis=2).astype(float)
    wins = np.zeros((len(won), 3, 3))
    for place, (one, two) in enumerate(PAIRS):
        wins[:, one, two] = for_first[..., place].sum(axis=1)
        wins[:, two, one] = (games - for_first)[..., place].sum(axis=1)
    reach = ((wins > 0) | np.eye(3, dtype=bool)).astype(int)
    for _ in range(2):
        reach = (reach @ reach > 0).astype(int)
    answered = reach.all(axis=(1, 2))
    ability, half, robust = np.full((3, len(won)), np.nan)
    wins, for_first, games = wins[answered], for_first[answered], games[answered]
    total = wins + wins.transpose(0, 2, 1)
    at = np.zeros((len(wins), 3))
    for _ in range(200):
        chance = expit(at[:, :, None] - at[:, None])
        step = _inverse(total, chance) @ (wins.sum(axis=2) - (total * chance).sum(axis=2))[:, :, None]
        at += step[:, :, 0] / np.maximum(1.0, np.abs(step).max(axis=(1, 2)))[:, None]
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    chance = expit(at[:, :, None] - at[:, None])
    covariance = _inverse(total, chance)
    scores = np.zeros((*games.shape[:2], 3))
    for place, (one, two) in enumerate(PAIRS):
        residual = for_first[..., place] - games[..., place] * chance[:, one, two, None]
        scores[..., one] += residual
        scores[..., two] -= residual
    listeners = games.any(axis=2).sum(axis=1)
    towards = np.einsum("sli,si->sl", scores, covariance[:, 0])
    ability[answered] = at[:, 0] - at.mean(axis=1)
    half[answered] = ndtri(0.975) * np.sqrt(covariance[:, 0, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt((towards**2).sum(axis=1) * listeners / (listeners - 1))
        wide = stdtrit(listeners - 1, 0.975) * spread
    robust[answered] = np.where(listeners >= choices.LEAST_ASSESSORS, wide, np.nan)
    return ability, half, robust


def _inverse(games: Floats, chance: Floats) -> Floats:
    weight = games * chance * chance.transpose(0, 2, 1)
    information = -weight
    spots = np.arange(3)
    information[:, spots, spots] += weight.sum(axis=2)
    return np.asarray(np.linalg.pinv(information, hermitian=True))


def proportional_odds(scores: Floats) -> tuple[Floats, Floats, Floats]:
    """Log-odds of the first system against the second, ends of their interval, and p; NaN without an answer.

    Args:
        scores: whole categories from 1 to 5, (studies, listeners, items, systems), NaN for none.

    Returns:
        low, high and p, each (studies,).
    """
    there = ~np.isnan(scores)
    whole = there.any(axis=1).all(axis=(1, 2)) & (
        there.any(axis=(2, 3)).sum(axis=1) >= choices.LEAST_ASSESSORS
    )
    used = np.stack([(scores == category).any(axis=(1, 2, 3)) for category in range(1, 6)], axis=1)
    place = np.cumsum(used, axis=1) - 1
    low, high, p = np.full((3, len(scores)), np.nan)
    for number in range(2, 6):
        those = np.flatnonzero(whole & (used.sum(axis=1) == number))
        if those.size:
            grade = np.where(there[those], scores[those], 1).astype(int) - 1
            ranked = np.take_along_axis(place[those], grade.reshape(those.size, -1), axis=1)
            ranked = np.where(there[those], ranked.reshape(grade.shape), -1)
            low[those], high[those], p[those] = _odds(ranked, number)
    return low, high, p


def _odds(grade: np.ndarray, number: int) -> tuple[Floats, Floats, Floats]:
    """The same of studies that used so many categories; `grade` from 0, -1 for none."""
    studies, listeners, items, systems = grade.shape
    top = number - 1
    width = top + systems - 1 + items - 1
    kinds = list(product(range(items), range(systems), range(number)))
    upper, lower = np.zeros((2, len(kinds), width))
    for kind, (item, system, category) in enumerate(kinds):
        for each, at in ((upper, category), (lower, category - 1)):
            if 0 <= at < top:
                each[kind, at] = 1
            if system:
                each[kind, top + system - 1] = -1
            if item:
                each[kind, top + systems - 1 + item - 1] = -1
    # An end of the scale has no slope, so that its row plays no part.
    counts = (grade[..., None] == np.arange(number)).reshape(studies, listeners, -1).astype(float)
    total = counts.sum(axis=1)
    squares = [
        (one[:, :, None] * two[:, None]).reshape(len(kinds), -1)
        for one, two in ((upper, upper), (upper, lower), (lower, lower))
    ]
    category = np.array([kind[2] for kind in kinds])

    def evaluate(beta: Floats, weight: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        up, low = beta @ upper.T, beta @ lower.T
        high, least = np.where(category == top, 1.0, expit(up)), np.where(category == 0, 0.0, expit(low))
        chance = np.maximum(high - least, 1e-300)
        steep, shallow = high * (1 - high) / chance, least * (1 - least) / chance
        bend, other = steep * (1 - 2 * high), shallow * (1 - 2 * least)
        value = (weight * np.log(chance)).sum(axis=1)
        information = (
            (weight * (steep**2 - bend)) @ squares[0]
            + (weight * (shallow**2 + other)) @ squares[2]
            - (weight * steep * shallow) @ squares[1]
        ).reshape(-1, width, width)
        crossed = -((weight * steep * shallow) @ squares[1]).reshape(-1, width, width)
        return value, steep, shallow, information + crossed.transpose(0, 2, 1)

    shares = np.stack([total[:, category <= k].sum(axis=1) for k in range(top)], axis=1)
    shares /= total.sum(axis=1, keepdims=True)
    beta = np.concatenate([np.log(shares / (1 - shares)), np.zeros((studies, width - top))], axis=1)
    value, steep, shallow, information = evaluate(beta, total)
    left = np.arange(studies)
    for _ in range(100):
        weight = total[left]
        slope = (weight * steep[left]) @ upper - (weight * shallow[left]) @ lower
        step = (np.linalg.pinv(information[left], hermitian=True) @ slope[:, :, None])[:, :, 0]
        better = np.zeros(left.size, dtype=bool)
        for halving in range(30):
            waiting = np.flatnonzero(~better)
            tried = beta[left[waiting]] + step[waiting] / 2**halving
            after = evaluate(tried, weight[waiting])
            good = (np.diff(tried[:, :top], axis=1) > 0).all(axis=1)
            good &= after[0] >= value[left[waiting]] - 1e-12
            places = left[waiting[good]]
            beta[places] = tried[good]
            for into, what in zip((value, steep, shallow, information), after, strict=True):
                into[places] = what[good]
            better[waiting[good]] = True
            if better.all():
                break
        wide = np.abs(beta[left]).max(axis=1) > 2 * ordinal.MOST
        left = left[better & (np.abs(step).max(axis=1) >= 1e-10) & ~wide]
        if left.size == 0:
            break
    each = steep[:, :, None] * upper - shallow[:, :, None] * lower
    sums = counts @ each
    heard = counts.any(axis=2).sum(axis=1)
    bread = np.linalg.pinv(information, hermitian=True)
    towards = (sums @ bread[:, :, top, None])[:, :, 0]
    variance = (towards**2).sum(axis=1) * heard / (heard - 1)
    bounded = (np.abs(beta[:, top:]).max(axis=1) <= ordinal.MOST) & (variance > ordinal.LEAST_VARIANCE)
    se = np.where(bounded, np.sqrt(variance), np.nan)
    apart, df = -beta[:, top], heard - 1
    half = stdtrit(df, 0.975) * se
    return apart - half, apart + half, np.asarray(2 * stdtr(df, -np.abs(apart) / se))
