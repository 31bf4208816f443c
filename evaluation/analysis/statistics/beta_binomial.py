"""The share of successes in a population of people, each of whom has a share of their own.

Successes k_i of n_i trials of person i are binomial with a share that is Beta-distributed over people, with
the mean m and the correlation r of two trials of one person (Skellam 1948): r = 0 is the binomial model, in
which all trials could be one person's. The interval of m is that of the profile likelihood, cut off where

    2 (l(m^) - l(m)) = t^2,

t the quantile of Student's distribution with Satterthwaite's degrees of freedom: of the two parts of the
variance of the mean, m (1 - m) r between people and m (1 - m) (1 - r) / n within them, only the first is
learnt from as few numbers as there are people.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, ndtri, stdtrit

from evaluation.analysis.statistics.frames import Floats

#: Correlations that are tried; below the least the binomial model says the same.
_LEAST, _MOST = 1e-4, 0.98
#: Correlations of a first look at the likelihood and of each closer one, and how many of these there are; the
#: degrees of freedom need the best correlation more exactly than the likelihood does.
_FIRST, _CLOSER, _LOOKS, _BEST_LOOKS = 31, 21, 2, 5
#: Shares this close to 0 and 1 stand for them.
_EDGE = 1e-9
#: How exactly shares are found.
_EXACT = 1e-6
_GOLDEN = (math.sqrt(5) - 1) / 2
#: Differences of log-likelihoods that are none.
_ALIKE = 1e-5


def interval(successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of the mean share over people.

    Args:
        successes, trials: (people,), whole numbers; two people or more, one of them with two trials or more.

    Raises:
        ValueError: there is nothing by which people could be told from chance.
    """
    k, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    if k.size < 2 or n.max() < 2:
        raise ValueError("People cannot be told from chance by one of them, or by one trial of each.")
    pairs, people = np.unique(np.stack([k, n]), axis=1, return_counts=True)

    def height(share: float) -> float:
        return _profile(pairs[0], pairs[1], people, share)[0]

    best = _highest(height)
    top, correlation = _profile(pairs[0], pairs[1], people, best, _BEST_LOOKS)
    each = float(n.sum()) / n.size
    between = each * correlation / (1 + (each - 1) * correlation)
    df = (n.size - 1) / between**2 if between > 0 else math.inf
    wanted = (1 + confidence) / 2
    cut = float(stdtrit(df, wanted) if math.isfinite(df) else ndtri(wanted)) ** 2

    def holds(share: float) -> bool:
        return 2 * (top - height(share)) <= cut

    return _end(holds, best, _EDGE), _end(holds, best, 1 - _EDGE)


# A page computes this while it is asked for, so it does without SciPy's optimisers: they take long to import.


def _end(holds: Callable[[float], bool], best: float, edge: float) -> float:
    """The last share that `holds` between the best one and an edge; 0 or 1 if that holds, too."""
    if holds(edge):
        return float(round(edge))
    inside, outside = best, edge
    while abs(outside - inside) > _EXACT:
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside


def _highest(height: Callable[[float], float]) -> float:
    """The share at which `height`, which has one top, is largest, by golden sections."""
    low, high = _EDGE, 1 - _EDGE
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = height(left), height(right)
    while high - low > _EXACT:
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = height(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = height(right)
    return max(((low + high) / 2, _EDGE, 1 - _EDGE), key=height)


def _profile(
    k: Floats, n: Floats, people: np.ndarray, share: float, looks: int = _LOOKS
) -> tuple[float, float]:
    """The largest log-likelihood at a share, and its correlation; `people` had `k` of `n`."""
    plain = float(people @ (k * math.log(share) + (n - k) * math.log1p(-share)))
    tried = np.geomspace(_LEAST, _MOST, _FIRST)
    for _ in range(looks + 1):
        whole = (1 - tried) / tried
        a, b = share * whole, (1 - share) * whole
        heights = people @ (betaln(k[:, None] + a, (n - k)[:, None] + b) - betaln(a, b))
        best = int(heights.argmax())
        found = float(heights[best]), float(tried[best])
        tried = np.geomspace(tried[max(0, best - 1)], tried[min(best + 1, tried.size - 1)], _CLOSER)
    # Where all trials went alike, each correlation explains them as well as none.
    return found if found[0] > plain + _ALIKE else (plain, 0.0)
