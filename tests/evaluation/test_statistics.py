"""Statistics against an independent calculation over a published MUSHRA test, and at the edges."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evaluation import statistics

RATINGS = Path(__file__).resolve().parents[3] / "shared" / "reference" / "ratings"
shared = pytest.mark.skipif(not RATINGS.exists(), reason="the published ratings in ../shared are not here")
FILES = {
    "benjsta_unfiltered": "benjsta/ratings_formated_long.csv",
    "benjsta_filtered": "benjsta/ratings_formated_filtered_long.csv",
}


def published(name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    frame = pd.read_csv(RATINGS / FILES[name])
    frame = frame.rename(columns={"signal": "item", "condition": "system", "pid": "assessor"})
    return frame, json.loads((RATINGS / "EXPECTED.json").read_text())[name]


def tidy(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(statistics.COLUMNS))


@shared
@pytest.mark.shared
@pytest.mark.parametrize("name", FILES)
def test_summary_agrees_with_an_independent_calculation(name: str) -> None:
    frame, expected = published(name)
    summary = statistics.summarise(frame)
    assert set(summary.index) == set(expected["summary"])
    names = {
        "n": "n",
        "n_assessors": "n_assessors",
        "mean": "mean",
        "sd": "sd",
        "ci95_t_ratings": "ci95_ratings",
        "ci95_t_assessor_means": "ci95",
        "median": "median",
        "q1_hinge": "q1",
        "q3_hinge": "q3",
        "iqr": "iqr",
    }
    for system, figures in expected["summary"].items():
        for theirs, ours in names.items():
            assert summary.loc[system, ours] == pytest.approx(figures[theirs], abs=1e-3), (system, ours)


@shared
@pytest.mark.shared
@pytest.mark.parametrize("name", FILES)
def test_screening_agrees_with_an_independent_calculation(name: str) -> None:
    frame, expected = published(name)
    screened = statistics.screen_hidden_reference(frame, reference="Reference")
    assert (
        sorted(entry.assessor for entry in screened if entry.excluded)
        == expected["screen"]["hr_below90_gt15pct"]
    )
    shares = {str(entry.assessor): entry.share for entry in screened if entry.share}
    assert shares == pytest.approx(expected["screen"]["fractions_nonzero"])


@shared
@pytest.mark.shared
def test_screened_ratings_are_those_the_authors_published_as_filtered() -> None:
    frame, _ = published("benjsta_unfiltered")
    filtered, _ = published("benjsta_filtered")
    kept = statistics.apply_screening(frame, statistics.screen_hidden_reference(frame, reference="Reference"))
    pd.testing.assert_frame_equal(
        statistics.summarise(kept).sort_index(), statistics.summarise(filtered).sort_index()
    )


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
    assert statistics.screen_hidden_reference(tidy()) == []


def test_exactly_15_percent_of_items_stay_in() -> None:
    rows = [("a", str(item), "original", 89 if item < 3 else 100) for item in range(20)]
    rows += [("b", str(item), "original", 89 if item < 4 else 90) for item in range(20)]
    kept, dropped = statistics.screen_hidden_reference(tidy(*rows))
    assert (kept.share, kept.excluded) == (0.15, False)
    assert (dropped.share, dropped.excluded) == (0.2, True)
    assert dropped.reason == "hidden reference below 90 on 4 of 20 items (20 %)"


def test_who_never_graded_the_reference_is_named_not_dropped() -> None:
    (entry,) = statistics.screen_hidden_reference(tidy(("a", "1", "opus-9k", 70)))
    assert not entry.excluded
    assert math.isnan(entry.share)
    assert "has not graded" in entry.reason


def test_rank_correlation_ignores_the_shape_and_averages_ties() -> None:
    assert statistics.spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1)
    assert statistics.pearson([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(0.8241, abs=1e-3)
    assert statistics.spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.9487, abs=1e-3)


@pytest.mark.parametrize("pair", [([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([], [])])
def test_correlation_of_too_little_is_not_a_number(pair: tuple[list[float], list[float]]) -> None:
    assert math.isnan(statistics.spearman(*pair))
