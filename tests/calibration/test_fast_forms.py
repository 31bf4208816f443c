"""What simulates many studies at once is held to the program's own code, study by study."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.analysis.statistics import anova, choices, comparisons, impairment, logistic, mixed, ordinal
from evaluation.analysis.statistics.calibration import SCENARIOS
from evaluation.analysis.statistics.differences import Population, compare
from evaluation.analysis.statistics.frames import Floats
from tests.calibration import balanced, gaps, likelihood, odds
from tests.calibration.simulation import (
    MISSING,
    PAIR,
    Drawn,
    companions_with_gaps,
    draw_categories,
    draw_diff_grades,
    draw_grades,
    draw_votes,
    experts_estimate,
    preferences_of_many,
    simulate,
    to_frame,
    votes_frame,
)

pytestmark = pytest.mark.calibration

SIZES = [(4, 1), (4, 3), (8, 3), (16, 8)]
STUDIES = 8


def with_gaps(drawn: Drawn, rng: np.random.Generator) -> Floats:
    """Its grades, of which the share of the scenario “missing” is lost."""
    return np.where(rng.random(drawn.scores.shape) > MISSING, drawn.scores, np.nan)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("draw", [draw_grades, draw_categories, draw_diff_grades])
@pytest.mark.parametrize("population", Population)
def test_differences_with_gaps(draw, scenario: str, population: Population) -> None:
    rng = np.random.default_rng([7, SCENARIOS.index(scenario)])
    answered = 0
    for listeners, items in SIZES:
        drawn = draw(scenario, listeners, items, STUDIES, rng)
        scores = with_gaps(drawn, rng)
        found = gaps.estimate(scores[..., 0] - scores[..., 1], population)
        low, high = found.interval()
        for number in range(STUDIES):
            rows = compare(to_frame(scores[number]), PAIR, population=population).rows
            row = rows[0] if rows else None
            if row is None or row.p is None or row.population is not population:
                assert np.isnan(found.se[number])
                continue
            answered += 1
            assert (low[number], high[number], found.p()[number]) == pytest.approx(
                (row.low, row.high, row.p), rel=1e-6, abs=1e-6
            )
            assert found.df[number] == pytest.approx(row.df, rel=1e-5)
    assert answered > 2 * STUDIES


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_listeners_who_pass(scenario: str) -> None:
    rng = np.random.default_rng([8, SCENARIOS.index(scenario)])
    answered = 0
    for listeners, items in ((8, 3), (16, 8), (30, 8)):
        grades = draw_diff_grades(scenario, listeners, items, 30, rng).scores[..., 0]
        found = experts_estimate(grades)
        low, high = found.interval()
        for number in range(30):
            frame = to_frame(grades[number][..., None])
            below, above = np.minimum(frame["score"], 0), np.maximum(frame["score"], 0)
            frame = frame.assign(score=5.0 + below, reference=5.0 - above)
            experts = [row.assessor for row in impairment.expertise(frame) if row.expert]
            rows = impairment.impairments(frame[frame["assessor"].isin(experts)])
            if not rows or rows[0].p is None:
                assert np.isnan(found.se[number])
                continue
            answered += 1
            assert (low[number], high[number], found.p()[number]) == pytest.approx(
                (rows[0].low, rows[0].high, rows[0].p), rel=1e-6, abs=1e-6
            )
    assert answered or scenario == "near ceiling"


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("population", Population)
def test_preferences(scenario: str, population: Population) -> None:
    rng = np.random.default_rng([9, SCENARIOS.index(scenario)])
    for listeners, items in ((4, 3), (8, 8)):
        votes = draw_votes(scenario, listeners, items, STUDIES, rng)[0][..., 0]
        low, high, p = preferences_of_many(votes, population)
        for number in range(STUDIES):
            (row,) = choices.preferences(votes_frame(votes[number][..., None]), population)
            if row.p is None or row.population is not population:
                assert np.isnan(p[number])
            else:
                expected = (row.low, row.high, row.p)
                # Where a variance is nearly zero its likelihood is flat, and either stops a little apart.
                assert (low[number], high[number], p[number]) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_mixed_models(scenario: str) -> None:
    """The interval of the first system less the second, and p that all three are alike."""
    rng = np.random.default_rng([13, SCENARIOS.index(scenario)])
    for listeners, items in SIZES:
        scores = draw_grades(scenario, listeners, items, STUDIES, rng).scores
        fit = gaps.mixed_model if scenario == "missing" else balanced.mixed_model
        low, high, p = fit(scores)
        for number in range(STUDIES):
            model = mixed.fit(to_frame(scores[number]), PAIR)
            interval = model.comparisons[0].interval if model.comparisons else None
            if interval is None or model.p is None:
                assert np.isnan(p[number])
                continue
            assert (low[number], high[number]) == pytest.approx((interval.low, interval.high), abs=1e-4)
            assert p[number] == pytest.approx(model.p, abs=1e-5)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_proportional_odds(scenario: str) -> None:
    rng = np.random.default_rng([14, SCENARIOS.index(scenario)])
    answered = 0
    for listeners, items in ((4, 3), (8, 1), (8, 3), (16, 8)):
        scores = draw_categories(scenario, listeners, items, STUDIES, rng).scores
        low, high, p = likelihood.proportional_odds(scores)
        for number in range(STUDIES):
            model = ordinal.compare(to_frame(scores[number]), PAIR)
            # What lacks a system or an item is drawn anew in the simulation.
            if not model.rows:
                assert np.isnan(p[number])
            elif np.isfinite(p[number]):
                row, ends = model.rows[0], np.exp([low[number], high[number]])
                answered += 1
                assert (*ends, p[number]) == pytest.approx((row.low, row.high, row.p), rel=1e-6, abs=1e-8)
            else:
                assert scenario == "missing"
    assert answered > 2 * STUDIES


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each != "near ceiling"])
def test_abilities(scenario: str) -> None:
    """Bradley and Terry's, of the first system: over votes and over listeners."""
    rng = np.random.default_rng([15, SCENARIOS.index(scenario)])
    answered = 0
    for listeners, items in SIZES:
        votes = draw_votes(scenario, listeners, items, STUDIES, rng)[0]
        ability, half, robust = likelihood.bradley_terry(votes)
        for number in range(STUDIES):
            systems = choices.bradley_terry(votes_frame(votes[number])).systems
            if not systems:
                assert np.isnan(half[number])
                continue
            answered += 1
            row = next(each for each in systems if each.system == "a")
            assert (ability[number], half[number]) == pytest.approx(
                (row.ability, row.high - row.ability), abs=1e-7
            )
            if row.high_assessors is None:
                assert np.isnan(robust[number])
            else:
                assert robust[number] == pytest.approx(row.high_assessors - row.ability, abs=1e-7)
    assert answered > 2 * STUDIES


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_paired_tests(scenario: str) -> None:
    """Sign-flip where every change of signs is tried, Wilcoxon's, paired t and Friedman's."""
    rng = np.random.default_rng([16, SCENARIOS.index(scenario)])
    for listeners, items in ((4, 1), (4, 3), (8, 3), (12, 8)):
        scores = draw_grades(scenario, listeners, items, STUDIES, rng).scores
        missing = scenario == "missing"
        found = (companions_with_gaps if missing else balanced.companions)(scores, rng)
        for number in range(STUDIES):
            frame = to_frame(scores[number])
            expected = {
                "sign-flip": comparisons.sign_flip(frame, PAIR).rows[0].p,
                "Wilcoxon": comparisons.wilcoxon(frame, PAIR).rows[0].p,
                "paired t": comparisons.contrasts(frame, PAIR).rows[0].p,
                "Friedman": comparisons.friedman(frame).p,
            }
            for name, p in expected.items():
                if p is None:
                    assert np.isnan(found[name][number]), name
                else:
                    assert found[name][number] == pytest.approx(p, abs=1e-9), name


@pytest.mark.parametrize("share", [0.5, 0.75, 0.95])
@pytest.mark.parametrize(
    ("listener", "item", "missing"), [(0, 0, 0), (1, 0, 0), (0, 0.7, 0), (0, 0, MISSING)]
)
def test_the_logistic_model(share: float, listener: float, item: float, missing: float) -> None:
    """To 1e-6; where the likelihood has several tops the two may climb different ones: in one of twenty."""
    rng = np.random.default_rng(10)
    apart, answered = 0, 0
    for listeners, items in ((4, 1), (4, 3), (8, 8), (16, 3)):
        shape = (15, listeners, items)
        logit = np.log(share / (1 - share)) + listener * rng.standard_normal((15, listeners, 1))
        logit = logit + item * rng.standard_normal((15, 1, items))
        success, kept = rng.random(shape) < 1 / (1 + np.exp(-logit)), rng.random(shape) >= missing
        low, high, p = odds.fit(kept, success)
        for number in range(15):
            place = np.nonzero(kept[number])
            model = logistic.fit(*place, success[number][kept[number]])
            if model.typical is None or model.se is None:
                apart += bool(np.isfinite(p[number]))
                continue
            answered += 1
            half = 1.959963984540054 * model.se
            expected = (model.typical - half, model.typical + half, model.p)
            apart += (low[number], high[number], p[number]) != pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert answered > 15
    assert apart <= (answered + 60) / 20


def test_deals_of_attachment_3_are_those_of_the_program() -> None:
    """P of 20 000 deals within four standard errors, of whole grades with ties and of gaps."""
    rng = np.random.default_rng(11)
    for scenario in ("even", "missing", "near ceiling"):
        scores = np.round(draw_grades(scenario, 8, 3, 4, rng).scores)
        flat = scores.reshape(4, -1, 3)
        found = balanced.attachment3((flat[..., 0], flat[..., 1]), 20_000, rng)
        for number in range(4):
            row = comparisons.attachment3(to_frame(scores[number]), PAIR, permutations=20_000).rows[0]
            assert row.p is not None
            error = (max(row.p * (1 - row.p), 1e-4) / 10_000) ** 0.5
            assert found[number] == pytest.approx(row.p, abs=4 * error)


def test_the_analysis_of_variance_is_asked_only_where_it_can_answer() -> None:
    """One complete listener is not enough; two are."""
    scores = draw_grades("even", 4, 3, 1, np.random.default_rng(12)).scores[0]
    scores[1:, 0, 0] = np.nan
    assert not anova.repeated_measures(to_frame(scores)).effects
    scores[1, 0, 0] = 50.0
    assert anova.repeated_measures(to_frame(scores)).effects[0].p is not None


def test_studies_are_drawn_until_enough_have_an_answer() -> None:
    cells = {cell.analysis: cell for cell in simulate("diff grades", "even", 4, 3, 100)}
    assert {cell.studies for cell in cells.values()} == {100}
    assert cells["impairment, listeners who passed"].coverage is not None
