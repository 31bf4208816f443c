"""What arithmetic leaves over decides no order and no rank."""

from __future__ import annotations

import math

import pytest

from evaluation.analysis.statistics import agreement
from evaluation.analysis.statistics.ranking import best_first, group_ties, settle

#: 5e-17 above 0.3.
SUM = 0.1 + 0.2


def test_values_that_differ_by_rounding_are_made_equal_and_no_others() -> None:
    assert SUM > 0.3
    # 2^-10 has a 5 as its tenth decimal, so that rounding to nine tears apart what lies around it.
    low, high = 2**-10 - 1e-18, 2**-10 + 1e-18
    values = settle([SUM, high, 0.3, math.nan, 0.31, low, math.nan, math.inf])
    assert values.tolist() == pytest.approx(
        [0.3, low, 0.3, math.nan, 0.31, low, math.nan, math.inf], abs=0, nan_ok=True
    )
    assert settle([2e12 + 0.001, 2e12, 2e12 + 1e4]).tolist() == [2e12, 2e12, 2e12 + 1e4]
    assert settle([]).size == 0


def test_equal_estimates_keep_their_order_and_stand_together() -> None:
    for one, other in ((0.3, SUM), (SUM, 0.3)):
        estimates = {"low": 0.1, "one": one, "other": other, "high": 0.5}
        assert best_first(estimates, estimates.__getitem__) == ["high", "one", "other", "low"]
        assert group_ties(estimates, estimates.__getitem__) == [["high"], ["one", "other"], ["low"]]


def test_means_that_are_equal_but_for_rounding_share_their_rank() -> None:
    """Ranks 1.5, 1.5, 3, 4 against 1 to 4: rho = 4.5 / sqrt(5 * 4.5), tau-b = 5 / sqrt(6 * 5)."""
    for means in ((0.3, SUM, 0.5, 0.7), (SUM, 0.3, 0.5, 0.7)):
        assert agreement.correlate("Spearman", range(1, 5), means).value == pytest.approx(4.5 / 22.5**0.5)
        assert agreement.correlate("Kendall", range(1, 5), means).value == pytest.approx(5 / 30**0.5)
    assert agreement.correlate("Pearson", (1, 2, 3), (0.3, SUM, 0.3)).problem.endswith(
        "same value everywhere."
    )
