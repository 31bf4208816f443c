"""Numbers of assessors against SciPy and against simulated studies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from evaluation.analysis.statistics import describe, planning
from tests.evaluation.analysis.statistics.frames import simulated, tidy


@pytest.mark.parametrize(("sd", "wanted"), [(15, 5), (10, 7.5), (20, 3), (1, 10), (0, 1)])
def test_the_number_is_the_least_that_is_enough(sd: float, wanted: float) -> None:
    n = planning.assessors_needed(sd, wanted).assessors
    assert n is not None

    def width(number: int) -> float:
        return float(stats.t.ppf(0.975, number - 1) * sd / math.sqrt(number))

    assert width(n) <= wanted
    assert n == 2 or width(n - 1) > wanted


def test_with_assurance_that_share_of_studies_is_as_narrow() -> None:
    n = planning.assessors_needed(15, 5, assurance=0.8).assessors
    assert n is not None
    assert n > (planning.assessors_needed(15, 5).assessors or 0)
    generator = np.random.default_rng(0)

    def share(number: int) -> float:
        sds = generator.normal(0, 15, (20_000, number)).std(axis=1, ddof=1)
        return float((stats.t.ppf(0.975, number - 1) * sds / math.sqrt(number) <= 5).mean())

    assert share(n) >= 0.79
    assert share(n - 1) < 0.81


def test_an_interval_narrows_and_one_assessor_has_none() -> None:
    widths = [planning.expected_half_width(12, n) for n in range(2, 50)]
    assert planning.expected_half_width(12, 1) is None
    assert widths == sorted(widths, reverse=True)
    assert widths[18] == pytest.approx(stats.t.ppf(0.975, 19) * 12 / math.sqrt(20))


def test_a_pilots_spread_is_that_of_its_assessor_means() -> None:
    frame = simulated(15, 6, 5, seed=2)
    found = planning.plan(frame, 5, exclude=["original", "anchor35", "anchor70"], assurance=None)
    assert [row.system for row in found.systems] == ["s0", "s1"]
    assert found.items == 6
    for row in found.systems:
        means = frame[frame["system"] == row.system].groupby("assessor")["score"].mean()
        assert row.sd == pytest.approx(means.std())
    assert found.assessors == max(row.need.assessors or 0 for row in found.systems)
    row_needed = max(found.systems, key=lambda row: row.sd or 0)
    assert found.widest == row_needed.system


def test_more_items_take_fewer_assessors() -> None:
    frame = simulated(40, 6, 4, seed=5)
    numbers = [planning.plan(frame, 4, items=items).assessors for items in (1, 4, 16)]
    assert None not in numbers
    assert numbers == sorted(numbers, key=lambda n: -(n or 0))
    # A study of 4 items from the same people has the spread that was predicted.
    predicted = planning.plan(simulated(400, 8, 3, seed=6), 4, items=4).systems[0].sd
    real = describe.assessor_means(simulated(400, 4, 3, seed=7)).groupby("system")["score"].std().iloc[0]
    assert predicted == pytest.approx(real, rel=0.12)


def test_a_small_pilot_is_cautioned() -> None:
    assert "5 assessors" in planning.plan(simulated(5, 3, 3), 5).caution
    assert planning.plan(simulated(12, 3, 3), 5).caution == ""


@pytest.mark.parametrize(
    ("sd", "wanted", "problem"),
    [
        (math.nan, 5, "not known"),
        (10, 0, "more than 0"),
        (1000, 0.01, "More than 10000"),
        (-1, 5, "not known"),
    ],
)
def test_what_cannot_be_planned_is_named(sd: float, wanted: float, problem: str) -> None:
    need = planning.assessors_needed(sd, wanted)
    assert need.assessors is None
    assert problem in need.problem


def test_a_pilot_of_one_assessor_is_named() -> None:
    assert "needs two assessors" in planning.plan(tidy(("a", "1", "x", 50), ("a", "2", "x", 60)), 5).problem
