"""Tests of differences against SciPy, statsmodels, full enumeration and hand calculation."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from evaluation.analysis.statistics import comparisons
from evaluation.analysis.statistics.corrections import find_hopeless, hochberg, holm
from tests.evaluation.analysis.statistics.frames import simulated, tidy


def two(first: list[float], second: list[float]) -> pd.DataFrame:
    """Each position an assessor, one item, the systems a and b."""
    rows = [(f"a{k}", "1", "a", grade) for k, grade in enumerate(first)]
    return tidy(*rows, *((f"a{k}", "1", "b", grade) for k, grade in enumerate(second)))


def test_attachment_3_draws_from_all_ways_to_deal_out_the_ratings() -> None:
    first, second = [70, 75, 80, 90], [60, 65, 72, 74, 88]
    pooled = np.array(first + second, dtype=float)
    observed = np.median(first) - np.median(second)
    found = []
    for chosen in combinations(range(9), 4):
        rest = [k for k in range(9) if k not in chosen]
        found.append(np.median(pooled[list(chosen)]) - np.median(pooled[rest]))
    (row,) = comparisons.attachment3(two(first, second), [("a", "b")], permutations=200_000).rows
    assert row.difference == observed
    assert row.p == pytest.approx((np.array(found) > observed).mean(), abs=0.004)
    assert row.p_at_least == pytest.approx((np.array(found) >= observed).mean(), abs=0.004)
    assert (row.n_a, row.n_b) == (4, 5)
    assert "unpaired" in row.method


def test_attachment_3_agrees_with_scipy_on_ratings_with_ties() -> None:
    frame = simulated(10, 3, 3, seed=4)
    grades = {name: group["score"].to_numpy() for name, group in frame.groupby("system")}
    rows = comparisons.attachment3(frame, permutations=20_000).rows
    for row in rows:
        theirs = stats.permutation_test(
            (grades[row.a], grades[row.b]),
            lambda x, y, axis: np.median(x, axis=axis) - np.median(y, axis=axis),
            vectorized=True,
            n_resamples=20_000,
            alternative="greater",
            rng=0,
        )
        assert row.p_at_least == pytest.approx(theirs.pvalue, abs=0.012)
        assert row.difference is not None
        assert row.difference >= 0


def test_the_same_seed_gives_the_same_permutations() -> None:
    frame = two([70, 75, 80, 90], [60, 65, 72, 74])
    one, again, other = (comparisons.attachment3(frame, seed=seed).rows for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_sign_flip_tries_every_change_of_signs_of_few_assessors() -> None:
    first, second = [80, 70, 75, 60, 90, 66], [70, 71, 60, 50, 85, 60]
    differences = np.array(first) - np.array(second)
    signs = np.array(list(product([1, -1], repeat=6)))
    expected = (np.abs(signs @ differences) >= abs(differences.sum())).mean()
    (row,) = comparisons.sign_flip(two(first, second)).rows
    assert row.exact
    assert row.p == pytest.approx(expected)
    assert row.difference == pytest.approx(differences.mean())


def test_sign_flip_of_many_assessors_is_near_the_exact_one() -> None:
    generator = np.random.default_rng(3)
    first = generator.normal(60, 10, 18)
    second = first - generator.normal(3, 8, 18)
    (row,) = comparisons.sign_flip(two(list(first), list(second)), permutations=40_000).rows
    signs = 1 - 2 * ((np.arange(2**18)[:, None] >> np.arange(18)) & 1)
    exact = (np.abs(signs @ (first - second)) >= abs((first - second).sum()) - 1e-9).mean()
    assert not row.exact
    assert row.p == pytest.approx(exact, abs=0.01)


def test_the_paired_test_sees_what_the_unpaired_one_misses() -> None:
    level = [20, 35, 50, 65, 80, 90, 40, 30]
    frame = two([value + 5 for value in level], [float(value) for value in level])
    frame.loc[frame.index[0], "score"] += 1  # not all differences alike
    (unpaired,) = comparisons.attachment3(frame, [("a", "b")]).rows
    (paired,) = comparisons.sign_flip(frame, [("a", "b")]).rows
    assert unpaired.p is not None
    assert unpaired.p > 0.2
    assert paired.p == pytest.approx(2 / 2**8)


def test_wilcoxon_is_scipys_with_holm_over_the_family() -> None:
    frame = simulated(10, 4, 4, seed=6)
    means = frame.groupby(["assessor", "system"])["score"].mean().unstack()
    found = comparisons.wilcoxon(frame)
    assert (len(found.rows), found.adjustment) == (6, "Holm")
    raw = []
    for row in found.rows:
        apart = means[row.a] - means[row.b]
        # SciPy turns to the normal approximation from 14 pairs with ties on; every change of signs is exact.
        theirs = stats.wilcoxon(apart[apart != 0], method=stats.PermutationMethod(n_resamples=2**10))
        assert row.p == pytest.approx(theirs.pvalue, abs=1e-9)
        raw.append(row.p)
    adjusted = multipletests([p for p in raw if p is not None], method="holm")[1]
    assert [row.p_adjusted for row in found.rows] == pytest.approx(list(adjusted))


@pytest.mark.parametrize("n", [4, 5, 9, 13])
def test_wilcoxon_with_ties_is_exact_for_few_listeners(n: int) -> None:
    """Ties and zeros: the normal approximation gives four listeners 0.046, who cannot have less than 1/8."""
    rng = np.random.default_rng(n)
    for _ in range(5):
        apart = np.round(rng.normal(0.6, 1.5, n))
        apart[0] = 2
        (row,) = comparisons.wilcoxon(two((50 + apart).tolist(), [50.0] * n)).rows
        left = apart[apart != 0]
        theirs = stats.wilcoxon(left, method=stats.PermutationMethod(n_resamples=2**13))
        assert (row.p, row.statistic) == (pytest.approx(theirs.pvalue), pytest.approx(theirs.statistic))
        assert row.floor == pytest.approx(2 / 2**left.size)
        assert row.p is not None
        assert row.p >= row.floor - 1e-12
    (same,) = comparisons.wilcoxon(two([80.0] * n, [70.0] * n)).rows
    assert (same.p, same.floor) == (pytest.approx(2 / 2**n), pytest.approx(2 / 2**n))


def test_of_many_listeners_with_ties_the_least_p_is_that_of_the_approximation() -> None:
    (row,) = comparisons.wilcoxon(two([80.0] * 20, [70.0] * 20)).rows
    assert row.p == pytest.approx(stats.wilcoxon(np.full(20, 10.0), method="asymptotic").pvalue)
    assert row.floor == pytest.approx(row.p)
    assert not row.exact


def test_rows_are_out_of_reach_only_where_holm_cannot_reach_them() -> None:
    """Least p of 2/2^12 and 2/2^6: once the first is found, the second is compared with 0.05 itself."""
    rows = [
        (f"l{who}", "1", system, grade + who) for who in range(12) for system, grade in (("a", 70), ("b", 50))
    ]
    rows += [(f"l{who}", "1", "c", 60 + 2 * who) for who in range(6)]
    found = comparisons.sign_flip(tidy(*rows), [("a", "b"), ("a", "c")])
    assert [row.floor for row in found.rows] == [2 / 2**12, 2 / 2**6]
    assert found.out_of_reach == 0
    assert comparisons.sign_flip(tidy(*rows), [("a", "c"), ("b", "c")]).out_of_reach == 2
    # The least p of six listeners is 2 / 2^6: Hochberg's is that of the largest, which is not multiplied.
    by_hochberg = comparisons.sign_flip(tidy(*rows), [("a", "c"), ("b", "c")], adjust="hochberg")
    assert by_hochberg.out_of_reach == 0


@pytest.mark.parametrize(
    ("correct", "expected"),
    [(holm, [True, True, False]), (hochberg, [False, False, False]), (list, [False] * 3)],
)
def test_a_test_without_a_least_p_is_never_hopeless(correct: Any, expected: list[bool]) -> None:
    assert find_hopeless([1 / 32, 1 / 32, None], correct) == expected


@pytest.mark.parametrize(("listeners", "systems"), [(2, 3), (2, 8), (3, 3), (2, 9)])
def test_the_least_p_of_friedman_is_that_of_perfect_concordance(listeners: int, systems: int) -> None:
    rows = [(f"l{who}", "1", f"s{k}", 50.0 + 3 * k + who) for who in range(listeners) for k in range(systems)]
    found = comparisons.friedman(tidy(*rows))
    theirs = stats.friedmanchisquare(*(np.full(listeners, 50.0 + k) for k in range(systems)))
    assert (found.w, found.p, found.floor) == (1, pytest.approx(theirs.pvalue), pytest.approx(theirs.pvalue))


def test_contrasts_are_paired_t_tests_with_hochberg() -> None:
    frame = simulated(9, 3, 5, seed=8)
    means = frame.groupby(["assessor", "system"])["score"].mean().unstack()
    pairs: list[comparisons.Pair] = [("s0", "s1"), ("s0", "anchor70"), ("s1", "original")]
    found = comparisons.contrasts(frame, pairs)
    expected = [stats.ttest_rel(means[a], means[b]) for a, b in pairs]
    assert [row.p for row in found.rows] == pytest.approx([test.pvalue for test in expected])
    adjusted = multipletests([test.pvalue for test in expected], method="simes-hochberg")[1]
    assert [row.p_adjusted for row in found.rows] == pytest.approx(list(adjusted))
    interval = found.rows[0].interval
    theirs = expected[0].confidence_interval()
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high))


def test_friedman_is_scipys() -> None:
    frame = simulated(11, 3, 5, seed=9)
    means = frame.groupby(["assessor", "system"])["score"].mean().unstack()
    theirs = stats.friedmanchisquare(*(means[name] for name in means))
    found = comparisons.friedman(frame)
    assert (found.chi2, found.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert (found.n, found.df) == (11, 4)
    assert found.w == pytest.approx(theirs.statistic / (11 * 4))


def test_friedman_of_a_published_example() -> None:
    # Hollander and Wolfe (1973), p. 140: rounding first base, 22 players: S' = 11.14, p = 0.003805.
    times = [
        (5.40, 5.50, 5.55), (5.85, 5.70, 5.75), (5.20, 5.60, 5.50), (5.55, 5.50, 5.40), (5.90, 5.85, 5.70),
        (5.45, 5.55, 5.60), (5.40, 5.40, 5.35), (5.45, 5.50, 5.35), (5.25, 5.15, 5.00), (5.85, 5.80, 5.70),
        (5.25, 5.20, 5.10), (5.65, 5.55, 5.45), (5.60, 5.35, 5.45), (5.05, 5.00, 4.95), (5.50, 5.50, 5.40),
        (5.45, 5.55, 5.50), (5.55, 5.55, 5.35), (5.45, 5.50, 5.55), (5.50, 5.45, 5.25), (5.65, 5.60, 5.40),
        (5.70, 5.65, 5.55), (6.30, 6.30, 6.25),
    ]  # fmt: skip
    rows = [(f"p{k}", "1", way, row[j]) for k, row in enumerate(times) for j, way in enumerate("rnw")]
    found = comparisons.friedman(tidy(*rows))
    assert found.chi2 == pytest.approx(11.1429, abs=1e-3)
    assert found.p == pytest.approx(0.003805, abs=1e-5)


@pytest.mark.parametrize(("function", "name"), [(holm, "holm"), (hochberg, "simes-hochberg")])
def test_corrections_are_those_of_statsmodels(function: object, name: str) -> None:
    assert callable(function)
    p = [0.01, 0.04, 0.03, 0.005, 0.04, 0.8]
    assert function(p) == pytest.approx(list(multipletests(p, method=name)[1]))
    assert function([None, 0.02, None, 0.03])[0] is None
    assert function([None, 0.02])[1] == 0.02
    assert function([]) == []


def test_what_cannot_be_compared_is_named() -> None:
    frame = tidy(("a", "1", "x", 50), ("b", "1", "y", 60), ("a", "1", "z", 50), ("b", "1", "z", 60))
    rows = comparisons.sign_flip(frame, [("x", "y"), ("x", "x"), ("x", "nope"), ("x", "z")]).rows
    assert [row.problem for row in rows] == [
        "No assessor graded both systems.",
        "A system cannot be compared with itself.",
        "Nobody graded nope.",
        "One assessor graded both systems: a paired test needs two.",
    ]
    assert all(row.p is None for row in rows)
    same = comparisons.wilcoxon(two([50, 50, 50], [50, 50, 50])).rows[0]
    assert same.problem == "No assessor's means of the two systems differ."
    assert (
        comparisons.contrasts(two([55, 65], [50, 60]), [("a", "b")])
        .rows[0]
        .problem.startswith("All listeners'")
    )
    equal = comparisons.attachment3(two([50, 50], [50, 50])).rows[0]
    assert equal.problem == "All ratings of both systems are equal."
    assert equal.p is None
