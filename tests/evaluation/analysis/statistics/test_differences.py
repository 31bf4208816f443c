"""The primary analysis: against the paired t test, on designs with gaps, and its verdicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evaluation.analysis.statistics.differences import (
    Population,
    Verdict,
    adjust_means,
    compare,
    find_blocks,
)

THESE, LIKE = Population.THESE_ITEMS, Population.ITEMS_LIKE_THESE


def graded(values: dict[str, np.ndarray]) -> pd.DataFrame:
    """A frame of (listeners, items) arrays by system; NaN is no grade."""
    rows = [
        (f"L{listener}", f"i{item}", system, score)
        for system, array in values.items()
        for (listener, item), score in np.ndenumerate(array)
        if not np.isnan(score)
    ]
    return pd.DataFrame(rows, columns=["assessor", "item", "system", "score"])


def noise(listeners: int, items: int, seed: int, sd: float = 4.0) -> np.ndarray:
    return sd * np.random.default_rng(seed).standard_normal((listeners, items))


def test_complete_data_and_fixed_items_are_the_paired_t_test() -> None:
    a, b = 60 + noise(9, 4, 1), 55 + noise(9, 4, 2)
    a += 3 * np.random.default_rng(3).standard_normal((9, 1))  # listeners differ in their difference
    (row,) = compare(graded({"a": a, "b": b}), population=THESE).rows
    apart = (a - b).mean(axis=1)
    theirs = stats.ttest_1samp(apart, 0)
    assert row.difference == pytest.approx(apart.mean())
    assert row.p == pytest.approx(theirs.pvalue, rel=1e-5)
    bounds = theirs.confidence_interval(0.95)
    assert (row.low, row.high) == (pytest.approx(bounds.low, abs=1e-4), pytest.approx(bounds.high, abs=1e-4))
    assert row.df == pytest.approx(8, rel=1e-4)
    assert row.standardised == pytest.approx(apart.mean() / apart.std(ddof=1))
    assert (row.n, row.assessors, row.items) == (36, 9, 4)


def test_equivalence_is_two_one_sided_tests() -> None:
    a = 60 + noise(12, 3, 5, 2.0) + 1.5 * np.random.default_rng(6).standard_normal((12, 1))
    b = np.full((12, 3), 60.0)
    found = compare(graded({"a": a, "b": b}), population=THESE, margin=4.0)
    apart = (a - b).mean(axis=1)
    p = max(
        stats.ttest_1samp(apart, -4.0, alternative="greater").pvalue,
        stats.ttest_1samp(apart, 4.0, alternative="less").pvalue,
    )
    assert found.rows[0].p_equivalent == pytest.approx(p, rel=1e-4)
    assert found.rows[0].verdict is Verdict.EQUIVALENT
    assert (found.rows[0].low90 or -9) > -4
    assert (found.rows[0].high90 or 9) < 4


def test_eight_consistent_listeners_and_five_systems_are_told_apart() -> None:
    """A sign-flip test with Holm over ten pairs cannot fall below 10 * 2 / 2**8 = 0.078."""
    systems = {name: 90 - 20 * place + noise(8, 4, place, 1.5) for place, name in enumerate("ABCDE")}
    rows = compare(graded(systems)).rows
    assert len(rows) == 10
    assert {row.verdict for row in rows} == {Verdict.BETTER}


def test_a_system_heard_on_hard_items_only_is_compared_on_those() -> None:
    easy, hard = np.array([85.0, 85.0, 45.0, 45.0]), [2, 3]
    a = easy + noise(10, 4, 7, 1.0)
    b = np.full((10, 4), np.nan)
    b[:, hard] = 45 + noise(10, 2, 8, 1.0)
    frame = graded({"A": a, "B": b})
    (row,) = compare(frame).rows
    assert row.difference == pytest.approx((a - b)[:, hard].mean(), abs=0.2)
    assert abs(row.difference or 99) < 1
    assert row.items == 2
    assert row.verdict is Verdict.EQUIVALENT
    adjusted = adjust_means(frame)
    assert adjusted["A"] - adjusted["B"] == pytest.approx(0, abs=1)
    assert a.mean() - np.nanmean(b) > 15  # what averaging over whatever was heard would have said


def test_adjusted_means_are_those_of_least_squares_over_all_three() -> None:
    """With a third of the grades missing; in closed form, with a column for each listener."""
    shape = (9, 5, 3)
    generator = np.random.default_rng(3)
    scores = 50 + generator.normal(scale=10, size=shape) + 15 * generator.normal(size=(9, 1, 1))
    scores[generator.random(shape) < 0.33] = np.nan
    cells = np.argwhere(~np.isnan(scores))
    design = np.concatenate([np.eye(size)[cells[:, axis]] for axis, size in ((2, 3), (1, 5), (0, 9))], axis=1)
    effects = np.linalg.lstsq(design, scores[tuple(cells.T)], rcond=None)[0]
    expected = effects[:3] + effects[3:8].mean() + effects[8:].mean()
    found = adjust_means(graded({name: scores[:, :, place] for place, name in enumerate("ABC")}))
    assert [found[name] for name in "ABC"] == pytest.approx(expected, abs=1e-9)


def test_adjusted_means_keep_an_order_that_listeners_may_have_made() -> None:
    """Each listener graded one system, so that both effects could be all there is: they share it."""
    frame = graded({"a": np.array([[20.0], [np.nan]]), "b": np.array([[np.nan], [80.0]])})
    assert adjust_means(frame) == {"a": pytest.approx(35.0), "b": pytest.approx(65.0)}


def test_systems_without_a_common_recording_are_not_compared() -> None:
    a, b, c = (np.full((6, 4), np.nan) for _ in range(3))
    a[:, :2], b[:, :2], c[:, 2:] = 70 + noise(6, 2, 1), 60 + noise(6, 2, 2), 90 + noise(6, 2, 3)
    frame = graded({"a": a, "b": b, "c": c})
    assert find_blocks(frame) == [["a", "b"], ["c"]]
    rows = {(row.a, row.b): row for row in compare(frame).rows}
    assert rows["a", "c"].problem == "Never heard in the same item."
    assert rows["a", "c"].verdict is Verdict.UNDECIDED
    assert rows["a", "b"].problem == ""


def test_a_chain_of_common_recordings_is_one_block() -> None:
    a, b, c = (np.full((6, 3), np.nan) for _ in range(3))
    a[:, :1], b[:, :2], c[:, 1:] = 70.0, 60.0, 50.0
    assert find_blocks(graded({"a": a, "b": b, "c": c})) == [["a", "b", "c"]]


def test_one_item_speaks_for_itself_alone() -> None:
    frame = graded({"a": 70 + noise(9, 1, 1), "b": 60 + noise(9, 1, 2)})
    (row,) = compare(frame, population=LIKE).rows
    assert row.population is THESE
    assert "this recording only" in row.note
    assert row.df == pytest.approx(8)


@pytest.mark.parametrize(
    ("a", "b", "problem"),
    [
        (np.full((8, 4), 100.0), np.full((8, 4), 100.0), "no spread"),
        (np.full((8, 4), 90.0), np.full((8, 4), 30.0), "no spread"),
        (noise(1, 3, 1), noise(1, 3, 2), "a test needs two"),
    ],
)
def test_what_cannot_be_tested_says_so(a: np.ndarray, b: np.ndarray, problem: str) -> None:
    (row,) = compare(graded({"a": a, "b": b})).rows
    assert problem in row.problem
    assert row.p is None
    assert row.verdict is Verdict.UNDECIDED


def test_listeners_who_grade_all_items_alike_are_tested_by_their_means() -> None:
    a = np.repeat([[78.0], [80.0], [82.0]], 2, axis=1)
    (row,) = compare(graded({"a": a, "b": np.full((3, 2), 64.0)})).rows
    assert (row.difference, row.df) == (16.0, 2)
    assert row.low == pytest.approx(16 - 4.302653 * 2 / np.sqrt(3))  # t of two degrees of freedom


def test_listeners_of_different_items_have_fewer_degrees_of_freedom() -> None:
    """Items fixed, listeners nested in them: of eight with one of four items each, two an item, the rest has
    8 - 4 degrees of freedom, as in the analysis of variance with one factor; not the 7 of eight numbers."""
    apart = noise(8, 1, 3)[:, 0]
    a = np.full((8, 4), np.nan)
    a[np.arange(8), np.arange(8) % 4] = 60 + apart
    (row,) = compare(graded({"a": a, "b": np.where(np.isnan(a), np.nan, 60.0)}), population=THESE).rows
    by_item = apart.reshape(2, 4)
    se = np.sqrt(by_item.var(axis=0, ddof=1).mean() / 8)
    assert (row.difference, row.df) == (pytest.approx(apart.mean()), pytest.approx(4))
    assert row.p == pytest.approx(2 * stats.t.sf(abs(apart.mean()) / se, 4))


def test_listeners_of_one_mind_have_no_spread_in_these_items() -> None:
    """All find the same, in each item something else: items can be tested, these listeners cannot."""
    apart = np.array([[10.0, 5, -2]] * 6)
    frame = graded({"a": 60 + apart, "b": np.full((6, 3), 60.0)})
    (these,) = compare(frame, population=THESE).rows
    assert these.problem == (
        "All listeners have the same mean difference, so there is no spread between them to test with."
    )
    (like,) = compare(frame, population=LIKE).rows
    theirs = stats.ttest_1samp(apart[0], 0)
    assert (like.df, like.p) == (pytest.approx(2), pytest.approx(theirs.pvalue))


@pytest.mark.parametrize("gap", [False, True])
def test_where_listeners_and_items_explain_everything_both_count(gap: bool) -> None:
    """By hand, effects -2, 0, 2 and -1, 1 around 5: for items like these the mean's variance is
    4 / 3 + 2 / 2, with (7 / 3)^2 / ((4 / 3)^2 / 2 + 1^2 / 1) degrees of freedom, for these alone 4 / 3 and 2.
    A cell that is missing changes nothing, since the others tell its value."""
    apart = 5 + np.array([[-2.0], [0], [2]]) + np.array([-1.0, 1])
    a = 50 + apart
    if gap:
        a[2, 1] = np.nan
    frame = graded({"a": a, "b": np.full((3, 2), 50.0)})
    (like,), (these,) = (compare(frame, population=population).rows for population in (LIKE, THESE))
    for row, variance, df in ((like, 7 / 3, 49 / 17), (these, 4 / 3, 2)):
        assert row.difference == pytest.approx(5)
        assert row.df == pytest.approx(df)
        half = stats.t.ppf(0.975, df) * np.sqrt(variance)
        assert (row.low, row.high) == pytest.approx((5 - half, 5 + half))


def test_an_interval_and_a_p_that_disagree_are_explained() -> None:
    rng = np.random.default_rng(12)
    systems = {f"s{place}": 60 + 0.9 * place + noise(10, 6, place, 3.0) for place in range(6)}
    systems["s0"] += rng.standard_normal((10, 1))
    rows = compare(graded(systems), population=THESE, margin=0.1).rows
    torn = [row for row in rows if row.p is not None and row.p < 0.05 <= (row.p_adjusted or 0)]
    assert torn
    assert all("The interval of this pair alone excludes 0" in row.note for row in torn)
    assert all(row.verdict is Verdict.UNDECIDED for row in torn)


def test_a_verdict_of_equivalence_explains_what_seems_against_it() -> None:
    """Two points apart for certain; with a margin between the ends of the 90 and 95 % intervals; and not
    shown for three pairs though shown for one."""
    systems = {"a": 52 + noise(12, 6, 1), "b": 50 + noise(12, 6, 2)}
    (row,) = compare(graded(systems), population=THESE, margin=5.0).rows
    assert row.verdict is Verdict.EQUIVALENT
    assert "there is a difference, and it lies within the margin" in row.note
    assert "90 %" not in row.note
    assert row.high is not None
    assert row.high90 is not None
    between = (row.high + row.high90) / 2
    (row,) = compare(graded(systems), population=THESE, margin=between).rows
    assert row.verdict is Verdict.EQUIVALENT
    assert f"go by the 90 % interval, {row.low90:.2f} to {row.high90:.2f}" in row.note
    systems = {"a": 50 + noise(12, 6, 1), "b": 50 + noise(12, 6, 2), "c": 70 + noise(12, 6, 3)}
    (row, *_) = compare(graded(systems), population=THESE).rows
    assert row.low90 is not None
    assert row.high90 is not None
    barely = max(-row.low90, row.high90) + 0.01
    (row, *_) = compare(graded(systems), population=THESE, margin=barely).rows
    assert row.verdict is Verdict.UNDECIDED
    assert "corrected for 3 comparisons equivalence is not shown" in row.note


@pytest.mark.parametrize("population", Population)
def test_a_handful_of_matched_cells_still_gets_an_answer(population: Population) -> None:
    """Five cells of four listeners and three items, from a simulated study: the likelihood has no top."""
    a, b = np.full((4, 3), np.nan), np.full((4, 3), np.nan)
    cells = ([0, 1, 2, 3, 3], [2, 0, 2, 0, 1])
    a[cells] = 64.719500, 86.549644, 55.275629, 68.760819, 45.537464
    b[cells] = 52.175693, 81.844162, 54.181950, 78.101286, 58.091909
    (row,) = compare(graded({"a": a, "b": b}), [("a", "b")], population=population).rows
    assert (row.n, row.assessors, row.items) == (5, 4, 3)
    assert row.low is not None
    assert row.high is not None
    assert row.low < row.high
