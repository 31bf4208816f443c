"""What arithmetic leaves over decides no order and no rank."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evaluation.analysis.statistics import agreement
from evaluation.analysis.statistics.comparisons import wilcoxon
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
    assert settle([1.0]).tolist() == [1.0]
    # One large value settles nothing else, and what is small by its unit is not rounding.
    assert settle([1e10, 0.3, 0.4]).tolist() == [1e10, 0.3, 0.4]
    assert settle([1e-16, 0.0]).tolist() == [0.0, 0.0]
    small = [2.1e-10, 2.1e-10 * (1 + 1e-15), 3.3e-10]
    assert settle(small, unit=0.0).tolist() == [2.1e-10, 2.1e-10, 3.3e-10]


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


def test_a_metric_counts_in_whatever_unit_it_has() -> None:
    """Errors of good codecs in full scale squared; and one outlier, which changes its own rank alone."""
    grades = (90, 80, 70, 60, 50)
    tiny = (2.1e-10, 3.3e-10, 4.8e-10, 6.0e-10, 9.0e-10)
    assert agreement.correlate("Spearman", tiny, grades).value == -1
    assert agreement.correlate("Spearman", (0.1, 0.2, 0.3, 0.4, 1e12), grades).value == -1


def test_wilcoxon_counts_differences_that_are_equal_but_for_rounding_as_ties() -> None:
    """The same grades in another order, whose sums differ in their last digit, give the same p."""
    told = []
    for order in (1, -1):
        rng = np.random.default_rng(1)
        grades = rng.integers(500, 540, (20, 3, 2)) / 10
        rows = [
            (f"l{who}", f"i{item}", system, grades[who, item, place])
            for who in range(20)
            for item in range(3)
            for place, system in enumerate("AB")
        ]
        frame = pd.DataFrame(rows[::order], columns=["assessor", "item", "system", "score"])
        told.append(wilcoxon(frame, [("A", "B")]).rows[0])
    assert told[0].p == told[1].p
    assert told[0].statistic == told[1].statistic
    # Ties by exact fractions: sums of grades are whole tenths.
    apart = np.round((grades[:, :, 0] - grades[:, :, 1]).sum(axis=1) * 10).astype(int)
    assert np.unique(np.abs(apart)).size < 20
    expected = stats.wilcoxon(apart, method="asymptotic")
    assert told[0].p == pytest.approx(float(expected.pvalue))
    assert told[0].statistic == float(expected.statistic)
