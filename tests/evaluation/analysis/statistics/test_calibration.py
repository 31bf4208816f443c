"""Where analyses miss what they claim: the table, what a study is like, and the closed forms behind it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from evaluation.analysis.statistics import calibration, comparisons, mixed
from evaluation.analysis.statistics.calibration import (
    Cell,
    find_misses,
    scenarios_of,
    scenarios_of_choices,
    table,
)
from evaluation.analysis.statistics.differences import Population, estimate_mean
from tests.calibration import balanced
from tests.calibration.balanced import estimate
from tests.calibration.document import DOCUMENT, to_markdown, within
from tests.calibration.simulation import (
    PAIR,
    draw_categories,
    draw_grades,
    draw_votes,
    grid,
    to_frame,
    votes_frame,
)


def cell(coverage: float | None, alarms: float | None) -> Cell:
    return Cell("grades", "even", 8, 3, "mean", 1000, coverage, alarms)


@pytest.mark.parametrize(
    ("coverage", "alarms", "narrow", "wide"),
    [
        (93.5, 6.5, 0, 0), (96.5, 3.5, 0, 0), (93.4, None, 0.1, 0), (96.6, None, 0, 0.1), (None, 6.6, 0.1, 0),
        (None, 3.4, 0, 0.1), (None, None, 0, 0), (90.0, 2.0, 3.5, 1.5),
    ],
)  # fmt: skip
def test_goals_are_those_of_the_issue(
    coverage: float | None, alarms: float | None, narrow: float, wide: float
) -> None:
    found = cell(coverage, alarms)
    assert (found.too_narrow, found.too_wide) == (pytest.approx(narrow), pytest.approx(wide))


def test_a_share_of_few_studies_misses_only_beyond_chance() -> None:
    """Of 100 studies the standard error of 5 % is 2.18, of a thousand 0.69: 2.98 more are left to chance."""
    few = Cell("grades", "even", 8, 3, "mean", 100, 91.0, None)
    assert few.slack == pytest.approx(2.98, abs=0.01)
    assert few.too_narrow == 0
    assert Cell("grades", "even", 8, 3, "mean", 100, 90.0, None).too_narrow == pytest.approx(0.52, abs=0.01)
    assert cell(91.0, None).too_narrow == pytest.approx(2.5)


def test_the_table_has_every_size_and_scenario() -> None:
    sizes = {(row.method, row.scenario, row.listeners, row.items) for row in table()}
    # Of four listeners there is no sandwich.
    assert sizes == {cell for cell in grid() if (cell[0], cell[2]) != ("ordered", 4)}
    primary = [row for row in table() if row.analysis.startswith("difference, ") and row.method == "grades"]
    assert min(row.studies for row in primary if row.scenario != "missing") >= 999  # one had no spread


def test_the_document_shows_the_table_that_pages_read() -> None:
    assert within(DOCUMENT.read_text()) == to_markdown()


def test_a_study_is_told_of_the_cell_that_misses_most(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (
        Cell("grades", "even", 8, 3, "mean", 1000, 95.0, None),
        Cell("grades", "missing", 8, 3, "mean", 1000, 92.0, None),
        Cell("grades", "near ceiling", 8, 3, "mean", 1000, 99.0, None),
        Cell("grades", "missing", 16, 3, "mean", 1000, 90.0, None),
    )
    monkeypatch.setattr(calibration, "table", lambda: rows)
    assert find_misses("grades", ["mean"], 7, 4, ["even"]) == []
    assert find_misses("grades", ["mean"], 7, 4, ["missing", "near ceiling"]) == [rows[1]]
    assert find_misses("grades", ["mean"], 11, 2, ["near ceiling", "even"]) == [rows[2]]
    assert find_misses("grades", ["mean"], 12, 3, ["missing"]) == [rows[3]]
    assert find_misses("votes", ["mean"], 8, 3, ["missing"]) == []


@pytest.mark.parametrize("scenario", calibration.SCENARIOS)
@pytest.mark.parametrize(("draw", "ends"), [(draw_grades, (0, 100)), (draw_categories, (1, 5))])
def test_what_a_study_is_like_shows_in_its_grades(draw, ends: tuple[int, int], scenario: str) -> None:
    """In most studies of 16 listeners and 8 items; a system x item part of a quarter in half of them."""
    drawn = draw(scenario, 16, 8, 12, np.random.default_rng(1))
    found: Counter[str] = Counter()
    for scores in drawn.scores:
        frame = to_frame(scores)
        found.update(scenarios_of(frame[frame["system"] != "c"], ends))
    assert found[scenario] >= (6 if scenario == "system x item" else 11)
    assert sum(found.values()) - found[scenario] <= (6 if scenario == "system x item" else 2)


@pytest.mark.parametrize("scenario", calibration.SCENARIOS)
def test_what_a_study_is_like_shows_in_its_votes(scenario: str) -> None:
    won, _, _ = draw_votes(scenario, 16, 8, 12, np.random.default_rng(1))
    found: Counter[str] = Counter()
    for study in won:
        found.update(scenarios_of_choices(votes_frame(study[..., :1])))
    assert found[scenario] >= 9
    # With a third of the votes missing, chance looks like people and items that differ.
    assert sum(found.values()) - found[scenario] <= (8 if scenario == "missing" else 3)


def test_what_a_study_is_like_shows_in_its_answers() -> None:
    """Of listeners who hear everything or nothing, of items of which some are easy, and of gaps."""

    def answers_of(right: np.ndarray) -> pd.DataFrame:
        listener, item = np.nonzero(~np.isnan(right))
        rows = {"assessor": listener, "item": item, "first": "a", "second": "b"}
        return pd.DataFrame({**rows, "correct": right[listener, item] > 0})

    half = np.indices((8, 8)).sum(axis=0) % 2.0
    assert scenarios_of_choices(answers_of(half)) == ("even",)
    listeners = half.copy()
    listeners[:4], listeners[4:, 0] = 1, 0
    assert "unequal spread" in scenarios_of_choices(answers_of(listeners))
    assert "system x item" in scenarios_of_choices(answers_of(listeners.T))
    gaps = np.where(np.indices((8, 8)).sum(axis=0) % 4 == 3, np.nan, half)
    assert "missing" in scenarios_of_choices(answers_of(gaps))
    alike = np.ones((8, 8))
    alike[0, 0] = alike[3, 5] = 0
    assert "near ceiling" in scenarios_of_choices(answers_of(alike))


@pytest.mark.parametrize("population", Population)
@pytest.mark.parametrize(("listeners", "items"), [(4, 3), (16, 8), (3, 6)])
@pytest.mark.parametrize("sd", [(4, 0, 11), (0, 0, 5), (0, 5, 8), (6, 5, 8)])
def test_closed_forms_are_the_primary_analysis(
    population: Population, listeners: int, items: int, sd: tuple[float, float, float]
) -> None:
    rng = np.random.default_rng([listeners, items])
    of_listener, of_item, rest = sd
    values = (
        of_listener * rng.standard_normal((4, listeners, 1))
        + of_item * rng.standard_normal((4, 1, items))
        + rest * rng.standard_normal((4, listeners, items))
    )
    found = estimate(values, population)
    assessor, item = (place.ravel() for place in np.indices((listeners, items)))
    for number in range(4):
        contrast = estimate_mean(values[number].ravel(), assessor, item, population)
        assert contrast is not None
        assert found.mean[number] == pytest.approx(contrast.estimate, abs=1e-8)
        assert found.se[number] == pytest.approx(contrast.se, rel=1e-6)
        assert found.df[number] == pytest.approx(contrast.df, rel=1e-5)


@pytest.mark.parametrize(("listeners", "items"), [(4, 3), (8, 1)])
def test_closed_forms_are_the_companions(listeners: int, items: int) -> None:
    rng = np.random.default_rng(3)
    drawn = draw_grades("even", listeners, items, 3, rng)
    found, (low, high, p) = balanced.companions(drawn.scores, rng), balanced.mixed_model(drawn.scores)
    for number, scores in enumerate(drawn.scores):
        frame = to_frame(scores)
        model = mixed.fit(frame, PAIR)
        interval = model.comparisons[0].interval
        assert interval is not None
        expected = {
            "sign-flip": comparisons.sign_flip(frame, PAIR).rows[0].p,
            "Wilcoxon": comparisons.wilcoxon(frame, PAIR).rows[0].p,
            "paired t": comparisons.contrasts(frame, PAIR).rows[0].p,
            "Friedman": comparisons.friedman(frame).p,
        }
        assert {name: each[number] for name, each in found.items()} == pytest.approx(expected, abs=1e-6)
        assert (low[number], high[number], p[number]) == pytest.approx(
            (interval.low, interval.high, model.p), abs=1e-4
        )
