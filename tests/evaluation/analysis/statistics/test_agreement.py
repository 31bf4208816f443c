"""Correlations and the third-order mapping against SciPy, a published test, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from evaluation.analysis import statistics
from evaluation.analysis.statistics import agreement, mapping, screening
from tests.evaluation.analysis.statistics.frames import (
    pesq_of_benjsta,
    published,
    shared,
    simulated,
    tidy,
)


@shared
@pytest.mark.shared
def test_pesq_and_the_listeners_of_a_published_test_disagree() -> None:
    frame = published("benjsta_unfiltered")
    heard = screening.screen(frame, reference="Reference").view(frame)
    found = agreement.per_stimulus(heard, pesq_of_benjsta(), exclude=["Reference"], title="PESQ-WB")
    assert found.n == 112
    assert found.spearman.value == pytest.approx(-0.122, abs=1e-3)
    assert found.spearman.interval is not None
    assert found.spearman.interval.low < 0 < found.spearman.interval.high
    assert found.warning.startswith("PESQ-WB and the listeners rank the stimuli differently: Spearman −0.12")

    systems = agreement.per_system(heard, pesq_of_benjsta(), exclude=["Reference"], title="PESQ-WB")
    assert systems.n == 7
    assert systems.spearman.value == pytest.approx(-0.5)
    assert (systems.reversals[0].better, systems.reversals[0].worse) == ("AudioDec", "Lyra 3")
    assert "AudioDec 37 points above Lyra 3, PESQ-WB puts it below" in systems.warning
    assert systems.notes == ("1 system without a score of this metric in every graded item left out.",)


def points(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.uniform(1, 4.5, n)
    return x, 20 * x + generator.normal(0, noise, n)


def test_coefficients_are_scipys() -> None:
    x, y = points(30, 20)
    pearson = stats.pearsonr(x, y)
    ours = agreement.correlate("Pearson", x, y)
    assert ours.value == pytest.approx(pearson.statistic)
    theirs = pearson.confidence_interval()
    assert ours.interval is not None
    assert (ours.interval.low, ours.interval.high) == pytest.approx((theirs.low, theirs.high))
    x, y = np.round(x, 1), np.round(y, -1)  # ties
    assert agreement.correlate("Spearman", x, y).value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert agreement.correlate("Kendall", x, y).value == pytest.approx(stats.kendalltau(x, y).statistic)


@pytest.mark.parametrize("name", ["Spearman", "Kendall"])
def test_intervals_of_rank_correlations_cover_the_truth(name: str) -> None:
    rho = 0.6
    truth = 6 / math.pi * math.asin(rho / 2) if name == "Spearman" else 2 / math.pi * math.asin(rho)
    generator = np.random.default_rng(1)
    inside = 0
    for _ in range(400):
        x, y = generator.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 40).T
        interval = agreement.correlate(name, x, y).interval
        assert interval is not None
        inside += interval.low <= truth <= interval.high
    assert 0.92 <= inside / 400 <= 0.98


@pytest.mark.parametrize(
    ("x", "y", "value", "problem"),
    [
        ([1, 2], [1, 2], None, "2 points: a correlation needs three."),
        ([1, 2, 3], [1, 2, 4], pytest.approx(0.98198, abs=1e-4), "3 points: an interval"),
        ([1, 1, 1, 1], [1, 2, 3, 4], None, "The metric has the same value everywhere."),
        ([1, 2, 3, 4], [5, 5, 5, 5], None, "The mean grades have the same value everywhere."),
        ([1, 2, 3, 4], [2, 4, 6, 8], 1.0, "The points agree exactly"),
    ],
)
def test_what_a_correlation_cannot_say_is_named(
    x: list[float], y: list[float], value: object, problem: str
) -> None:
    found = agreement.correlate("Pearson", x, y)
    assert found.value == value
    assert found.interval is None
    assert problem in found.problem


def test_the_mapping_is_the_free_cubic_where_that_rises() -> None:
    x, y = points(50, 5)
    cubic = mapping.monotone_cubic(x, y)
    assert cubic is not None
    assert cubic.coefficients == pytest.approx(np.polynomial.polynomial.polyfit(x, y, 3), rel=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_the_mapping_is_the_best_that_does_not_fall(seed: int) -> None:
    generator = np.random.default_rng(seed)
    x = generator.uniform(1, 4.5, 15)
    y = generator.uniform(0, 100, 15) + (seed % 3) * 10 * x
    rising = bool(seed % 2)
    cubic = mapping.monotone_cubic(x, y, rising=rising)
    assert cubic is not None
    grid = np.linspace(x.min(), x.max(), 400)
    steps = np.diff(cubic(grid))
    assert (steps >= -1e-6).all() if rising else (steps <= 1e-6).all()
    sign = 1 if rising else -1
    t, fine = 2 * (x - x.min()) / np.ptp(x) - 1, np.linspace(-1, 1, 200)
    slope = np.stack([np.zeros(200), np.ones(200), 2 * fine, 3 * fine**2], axis=1) * sign
    powers = np.stack([t**k for k in range(4)], axis=1)
    best = optimize.minimize(
        lambda c: float(((powers @ c - y) ** 2).sum()),
        [y.mean(), 0, 0, 0],
        jac=lambda c: 2 * powers.T @ (powers @ c - y),
        constraints={"type": "ineq", "fun": lambda c: slope @ c, "jac": lambda c: slope},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-10},
    )
    assert float(((cubic(x) - y) ** 2).sum()) == pytest.approx(best.fun, rel=2e-3)


def test_rmse_is_over_n_less_four() -> None:
    frame = simulated(10, 6, 5, seed=1)
    means = frame.groupby(["item", "system"])["score"].mean()
    generator = np.random.default_rng(0)
    scores = (means / 25 + generator.normal(0, 0.3, means.size)).rename("value").reset_index()
    found = agreement.per_stimulus(frame, scores)
    mapped = np.array([point.mapped for point in found.points], dtype=float)
    subjective = np.array([point.subjective for point in found.points])
    assert found.rmse == pytest.approx(math.sqrt(((mapped - subjective) ** 2).sum() / (30 - 4)))
    assert found.warning == ""


def test_a_metric_of_errors_agrees_when_it_falls() -> None:
    frame = simulated(12, 5, 5, seed=2)
    means = frame.groupby(["item", "system"])["score"].mean()
    errors = (1 - means / 100).rename("value").reset_index()
    found = agreement.per_stimulus(frame, errors, higher_is_better=False)
    assert found.spearman.value == pytest.approx(1)
    assert found.rmse == pytest.approx(0, abs=1e-6)
    assert agreement.per_system(frame, errors, higher_is_better=False).reversals == []
    wrong = agreement.per_system(frame, errors, higher_is_better=True, title="Phones")
    assert wrong.reversals[0].difference == max(r.difference for r in wrong.reversals)
    assert "in nearly the opposite order" in wrong.warning


def test_scores_that_are_missing_are_named() -> None:
    frame = tidy(("a", "1", "x", 50), ("a", "1", "y", 60))
    scores = pd.DataFrame({"item": ["1", "1"], "system": ["x", "y"], "value": [2.0, math.nan]})
    found = agreement.per_stimulus(frame, scores)
    assert found.n == 1
    assert found.notes == (
        "1 objective score that is no finite number left out.",
        "1 stimulus without a score of this metric left out.",
    )
    assert found.spearman.problem == "1 point: a correlation needs three."
    assert agreement.per_stimulus(frame, scores[:0]).problem == (
        "No graded stimulus has a score of this metric."
    )
    assert agreement.per_system(frame, scores[:0]).problem == (
        "No system has a score of this metric in all of its graded items."
    )
    assert agreement.per_system(frame, scores[["item"]]).problem.startswith(
        "The objective scores have no column"
    )


def test_systems_with_scores_of_some_of_their_items_are_not_compared_by_means() -> None:
    """Of v one item of two is scored; w was graded in that item alone, so that its mean is of all it has."""
    rows = [
        ("a", item, system, grade)
        for item in "12"
        for system, grade in zip("xyzv", (20, 40, 60, 80), strict=True)
    ]
    frame = tidy(*rows, ("a", "1", "w", 90))
    scored = {(item, system): float("xyzvw".index(system)) for _, item, system, _ in rows} | {("1", "w"): 5.0}
    del scored["2", "v"]
    scores = pd.DataFrame(
        [(*key, value) for key, value in scored.items()], columns=["item", "system", "value"]
    )
    found = agreement.per_system(frame, scores)
    assert [(point.system, point.objective) for point in found.points] == [
        ("x", 0), ("y", 1), ("z", 2), ("w", 5),
    ]  # fmt: skip
    assert found.notes[-1] == "1 system without a score of this metric in every graded item left out."
    assert agreement.per_stimulus(frame, scores).n == 8


def test_rank_correlation_ignores_the_shape_and_averages_ties() -> None:
    assert statistics.spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1)
    assert statistics.pearson([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(0.8241, abs=1e-3)
    assert statistics.spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.9487, abs=1e-3)


@pytest.mark.parametrize("pair", [([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([], [])])
def test_correlation_of_too_little_is_not_a_number(pair: tuple[list[float], list[float]]) -> None:
    assert math.isnan(statistics.spearman(*pair))


@pytest.mark.parametrize("n", [2, 3, 5, 40, 200, 201])
def test_all_coefficients_at_once_are_those_that_are_computed_one_by_one(n: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.integers(0, 1 + n // 2, (2, n)).astype(float)
    for first, second in ((x, y), (x, x[::-1]), (np.ones(n), y)):
        together = agreement._coefficients(first, second)
        alone = {
            "Pearson": agreement.pearson(first, second),
            "Spearman": agreement.spearman(first, second),
            "Kendall": agreement.kendall(first, second),
        }
        assert together == pytest.approx(alone, abs=1e-12, nan_ok=True)
