"""Shares over people, against SciPy's beta-binomial distribution and optimisers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from evaluation.analysis.statistics import beta_binomial, choices

#: Successes and trials of each person: alike, unlike, of unlike numbers of trials.
COUNTS = {
    "alike": ([8, 7, 9, 7, 8, 6, 7, 8], [10] * 8),
    "unlike": ([10, 3, 9, 5, 10, 1], [10] * 6),
    "of unlike lengths": ([1, 0, 12, 7, 2], [1, 2, 14, 20, 3]),
}


def likelihood(share: float, correlation: float, k: list[int], n: list[int]) -> float:
    if correlation < 1e-6:
        return float(stats.binom.logpmf(k, n, share).sum())
    whole = (1 - correlation) / correlation
    return float(stats.betabinom.logpmf(k, n, share * whole, (1 - share) * whole).sum())


def profile(share: float, k: list[int], n: list[int]) -> tuple[float, float]:
    """The largest log-likelihood of a share, and its correlation, by search on a fine grid."""
    tried = [0.0, *np.geomspace(1e-4, 0.98, 2000)]
    heights = [likelihood(share, each, k, n) for each in tried]
    best = int(np.argmax(heights))
    return heights[best], tried[best]


@pytest.mark.parametrize("name", COUNTS)
def test_ends_lie_where_the_profile_likelihood_has_fallen_by_t_squared(name: str) -> None:
    k, n = COUNTS[name]
    best = optimize.minimize(
        lambda x: -likelihood(x[0], x[1], k, n), [0.6, 0.1], bounds=[(0.01, 0.99), (0.0, 0.95)]
    )
    share, correlation = best.x
    if correlation < 1e-3:
        share, correlation = sum(k) / sum(n), 0.0
    assert (correlation == 0) == (name == "alike")
    top = likelihood(share, correlation, k, n)
    # Satterthwaite: the part between people has one degree of freedom less than there are people.
    each = sum(n) / len(n)
    between = correlation / (correlation + (1 - correlation) / each)
    quantile = stats.t.ppf(0.975, (len(n) - 1) / between**2) if between else stats.norm.ppf(0.975)
    low, high = beta_binomial.interval(k, n)
    assert low < share < high
    for end in (low, high):
        fallen = 2 * (top - profile(end, k, n)[0])
        assert math.sqrt(fallen) == pytest.approx(quantile, rel=2e-3)


def test_people_who_are_alike_have_the_interval_of_one_binomial_share() -> None:
    k, n = COUNTS["alike"]
    low, high = beta_binomial.interval(k, n)
    whole, won = sum(n), sum(k)
    top = stats.binom.logpmf(won, whole, won / whole)
    for end in (low, high):
        fallen = 2 * (top - stats.binom.logpmf(won, whole, end))
        assert fallen == pytest.approx(stats.chi2.ppf(0.95, 1), rel=1e-4)


def test_people_who_differ_tell_less_of_the_population_than_as_many_trials() -> None:
    low, high = beta_binomial.interval(*COUNTS["unlike"])
    pooled = choices.clopper_pearson(38, 60)
    assert low < pooled[0] - 0.1
    assert high > pooled[1] + 0.1


@pytest.mark.parametrize("trials", [1, 3, 40])
def test_of_unanimous_people_the_likelihood_is_that_of_their_number(trials: int) -> None:
    """All right: however alike a person's answers are, five people say no more than share ** 5."""
    if trials == 1:
        with pytest.raises(ValueError, match="told from chance"):
            beta_binomial.interval([1] * 5, [1] * 5)
        return
    low, high = beta_binomial.interval([trials] * 5, [trials] * 5)
    assert high == 1
    assert low == pytest.approx(math.exp(-stats.chi2.ppf(0.95, 1) / 10), abs=0.02)
    flipped = beta_binomial.interval([0] * 5, [trials] * 5)
    assert flipped == pytest.approx((1 - high, 1 - low), abs=1e-5)


def test_one_person_or_one_trial_of_each_has_the_exact_interval() -> None:
    assert choices.share_interval([7], [10]) == choices.clopper_pearson(7, 10)
    assert choices.share_interval([1, 1, 0, 1], [1] * 4) == choices.clopper_pearson(3, 4)
    with pytest.raises(ValueError, match="told from chance"):
        beta_binomial.interval([7], [10])
