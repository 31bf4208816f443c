"""Statistics against an independent calculation over a published MUSHRA test, and at the edges."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evaluation.analysis import statistics
from evaluation.analysis.statistics import describe
from tests.evaluation.analysis.statistics.frames import (
    FILES,
    expected,
    published,
    shared,
    simulated,
    tidy,
)


@shared
@pytest.mark.shared
@pytest.mark.parametrize("name", FILES)
def test_every_published_figure_comes_out(name: str) -> None:
    figures = expected(name)["summary"]
    conditions = {row.system: row for row in describe.systems(published(name), resamples=0).conditions}
    assert set(conditions) == set(figures)
    for system, wanted in figures.items():
        row = conditions[system]
        assert row.over_ratings is not None
        assert row.over_assessors is not None
        ours = {
            "n": row.n,
            "mean": row.mean,
            "sd": row.sd,
            "ci95_t_ratings": row.over_ratings.half_width,
            "n_assessors": row.n_assessors,
            "ci95_t_assessor_means": row.over_assessors.half_width,
            "median": row.median,
            "q1_hinge": row.q1,
            "q3_hinge": row.q3,
            "iqr": row.iqr,
            "n_outliers_1p5iqr": row.outliers,
        }
        assert ours == pytest.approx(wanted, abs=1e-3), system


@shared
@pytest.mark.shared
@pytest.mark.parametrize("name", FILES)
def test_the_table_has_the_figures_of_the_conditions(name: str) -> None:
    summary = statistics.summarise(published(name))
    for system, wanted in expected(name)["summary"].items():
        assert summary.loc[system, "ci95"] == pytest.approx(wanted["ci95_t_assessor_means"], abs=1e-3)
        assert summary.loc[system, "q1"] == pytest.approx(wanted["q1_hinge"], abs=1e-3)


def test_the_middle_value_of_an_odd_count_belongs_to_both_halves() -> None:
    drawn = statistics.box([1, 2, 3, 4, 5])
    assert (drawn.q1, drawn.median, drawn.q3, drawn.iqr) == (2, 3, 4, 2)
    even = statistics.box([1, 2, 3, 4])
    assert (even.q1, even.median, even.q3) == (1.5, 2.5, 3.5)


def test_whiskers_end_at_values_within_one_and_a_half_iqr() -> None:
    drawn = statistics.box([0, 40, 41, 42, 43, 44, 100])
    assert (drawn.low, drawn.high) == (40, 44)


def test_one_rating_has_a_mean_and_no_interval() -> None:
    summary = statistics.summarise(tidy(("a", "1", "bpgan-2k", 64)))
    row = summary.loc["bpgan-2k"]
    assert row["assessor_mean"] == row["median"] == row["q1"] == row["q3"] == 64
    assert math.isnan(row["ci95"])
    assert math.isnan(row["sd"])


def test_two_listeners_have_the_interval_of_one_degree_of_freedom() -> None:
    summary = statistics.summarise(tidy(("a", "1", "x", 40), ("a", "2", "x", 60), ("b", "1", "x", 60)))
    row = summary.loc["x"]
    assert row["assessor_mean"] == 55  # of 50 and 60, not the mean of three ratings
    assert row["mean"] == pytest.approx(160 / 3)
    assert row["ci95"] == pytest.approx(12.7062 * np.std([50, 60], ddof=1) / math.sqrt(2), abs=1e-3)


def test_nobody_yet_gives_an_empty_summary() -> None:
    assert statistics.summarise(tidy()).empty
    assert describe.systems(tidy()).problem == "There are no ratings."


def test_hinges_of_many_groups_at_once_are_those_of_each() -> None:
    frame = simulated(7, 5, 4, seed=2, keep=0.6)
    for row in describe.cells(frame).conditions:
        grades = frame[(frame["item"] == row.item) & (frame["system"] == row.system)]["score"]
        drawn = describe.box(grades)
        assert (row.median, row.q1, row.q3, row.low, row.high) == (
            drawn.median, drawn.q1, drawn.q3, drawn.low, drawn.high,
        )  # fmt: skip
        assert row.mean == pytest.approx(grades.mean())
        assert row.n == grades.size


def test_an_outlier_is_flagged_and_stays_in_every_figure() -> None:
    grades = [60, 61, 62, 63, 64, 65, 5]
    frame = tidy(*((f"a{k}", "1", "x", grade) for k, grade in enumerate(grades)))
    (found,) = describe.outliers(frame)
    assert (found.assessor, found.score) == ("a6", 5)
    assert found.score < found.low
    (row,) = describe.cells(frame).conditions
    assert (row.n, row.outliers, row.mean) == (7, 1, pytest.approx(np.mean(grades)))


def test_bca_interval_is_that_of_scipy() -> None:
    values = np.random.default_rng(5).gamma(2.0, 9.0, 40)
    ours = describe.systems(tidy(*((f"a{k}", "1", "x", v) for k, v in enumerate(values))), resamples=40_000)
    interval = ours.conditions[0].bootstrap
    assert interval is not None
    theirs = stats.bootstrap((values,), np.mean, n_resamples=40_000, method="BCa", rng=1).confidence_interval
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high), abs=0.15)
    assert "40 assessor means" in interval.method


def test_the_same_seed_gives_the_same_bootstrap_whatever_the_order() -> None:
    frame = simulated()
    mixed = frame.sample(frac=1, random_state=1)

    def bounds(ratings: pd.DataFrame, seed: int) -> dict[object, tuple[float, float]]:
        rows = describe.systems(ratings, seed=seed).conditions
        return {row.system: (row.bootstrap.low, row.bootstrap.high) for row in rows if row.bootstrap}

    wanted = bounds(frame, 3)
    assert len(wanted) == 5
    assert bounds(frame, 3) == wanted
    assert bounds(frame, 4) != wanted
    for system, found in bounds(mixed, 3).items():
        assert found == pytest.approx(wanted[system])


def test_multimodality_is_five_ninths_for_even_and_more_for_two_heaps() -> None:
    even = describe.multimodality(np.linspace(0, 100, 20_001))
    assert even == pytest.approx(5 / 9, abs=1e-3)
    heaps = [10, 11, 12, 13, 14] * 4 + [86, 87, 88, 89, 90] * 4
    b = describe.multimodality(heaps)
    g, k, n = stats.skew(heaps, bias=False), stats.kurtosis(heaps, bias=False), len(heaps)
    assert b == pytest.approx((g**2 + 1) / (k + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))))
    assert b > describe.MULTIMODAL
    normal = describe.multimodality(np.random.default_rng(0).normal(50, 10, 2000))
    assert normal is not None
    assert normal < 0.4


@pytest.mark.parametrize("values", [[], [50, 60, 70], [50, 50, 50, 50], [0.1 + 0.2, 0.3, 0.3, 0.3]])
def test_multimodality_of_too_little_is_none(values: list[float]) -> None:
    assert describe.multimodality(values) is None


def test_validity_hints_name_an_easy_test_and_anchors_that_did_not_work() -> None:
    means = {"original": 85, "anchor35": 60, "anchor70": 55, "x": 90, "y": 92, "z": 81}
    frame = tidy(*((who, "1", name, mean) for who in "ab" for name, mean in means.items()))
    hints = {hint.code: hint.text for hint in describe.validity_hints(frame)}
    assert set(hints) == {"too_easy", "narrow", "anchors_reversed", "reference_low"}
    assert "3 of 3 systems" in hints["too_easy"]
    good = {"original": 98, "anchor35": 20, "anchor70": 45, "x": 35, "y": 70}
    assert describe.validity_hints(tidy(*(("a", "1", name, mean) for name, mean in good.items()))) == []


def test_rows_without_a_finite_score_are_left_out_and_named() -> None:
    frame = tidy(("a", "1", "x", 50), ("b", "1", "x", math.nan), ("c", "1", "x", "n/a"), (None, "1", "x", 3))
    found = describe.systems(frame)
    assert [row.n for row in found.conditions] == [1]
    assert found.notes == (
        "2 ratings without a finite score left out.",
        "1 rating without assessor, item or system left out.",
    )
    assert "One assessor" in found.conditions[0].problem
    assert describe.systems(frame.drop(columns="score")).problem == "The ratings have no column score."


def test_a_cell_graded_twice_counts_twice_and_is_named() -> None:
    frame = tidy(("a", "1", "x", 40), ("a", "1", "x", 60), ("b", "1", "x", 70))
    found = describe.systems(frame)
    (row,) = found.conditions
    assert (row.n, row.assessor_mean) == (3, 60)
    assert "had graded before" in found.notes[0]


def test_describing_does_not_change_the_frame() -> None:
    frame = simulated(keep=0.7)
    before = frame.copy()
    describe.systems(frame)
    describe.cells(frame)
    describe.outliers(frame)
    pd.testing.assert_frame_equal(frame, before)
