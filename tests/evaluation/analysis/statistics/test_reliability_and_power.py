"""Agreement of listeners against pingouin; power against statsmodels, and the saw of ABX."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import TTestPower

from evaluation.analysis.statistics import choices, describe, planning, power, reliability
from evaluation.analysis.statistics.differences import Population
from evaluation.analysis.statistics.power import Spread
from tests.evaluation.analysis.statistics.frames import simulated


@pytest.mark.parametrize("seed", [0, 1])
def test_agreement_of_listeners_is_pingouins(seed: int) -> None:
    pingouin = pytest.importorskip("pingouin")  # with all that draws its plots: a second for each process
    frame = simulated(9, 4, 5, seed=seed)
    found = reliability.assess(frame)
    frame = frame.assign(stimulus=frame["item"].astype(str) + "/" + frame["system"].astype(str))
    table = pingouin.intraclass_corr(frame, "stimulus", "assessor", "score")
    rows = {str(row["Type"]).replace(" ", ""): row for _, row in table.iterrows()}
    for names, value, interval in (
        (("ICC2", "ICC(A,1)"), found.single, found.single_interval),
        (("ICC2k", "ICC(A,k)"), found.mean, found.mean_interval),
    ):
        row = next(rows[name] for name in names if name in rows)
        bounds = row["CI95%"] if "CI95%" in row else row["CI95"]
        assert value == pytest.approx(row["ICC"], abs=1e-9)
        assert interval is not None
        assert [interval.low, interval.high] == pytest.approx(list(bounds), abs=0.0051)  # it rounds to two
    wide = frame.pivot(index="stimulus", columns="assessor", values="score")
    assert found.alpha == pytest.approx(pingouin.cronbach_alpha(wide)[0], abs=1e-9)


def test_who_left_stimuli_out_is_left_out_of_agreement() -> None:
    frame = simulated(6, 3, 4, seed=2)
    assert reliability.assess(frame.iloc[1:]).left_out == 1
    alike = frame.assign(score=50.0)
    assert "nothing to agree about" in reliability.assess(alike).problem
    rng = np.random.default_rng(6)
    noise = frame.assign(score=[50.0 + 5 * (-1) ** row + rng.normal() / 9 for row in range(len(frame))])
    found = reliability.assess(noise)
    assert found.problem or (found.mean is not None and 0 <= found.mean <= 1)


@pytest.mark.parametrize(("difference", "listeners"), [(5, 12), (3, 20), (8, 6)])
def test_power_over_these_items_is_that_of_the_paired_t_test(difference: float, listeners: int) -> None:
    spread = Spread(6.0, 99.0, 8.0)  # the items' spread does not count
    sd = (6.0**2 + 8.0**2 / 4) ** 0.5
    wanted = TTestPower().power(difference / sd, listeners, 0.05 / 3)
    found = power.power(difference, spread, listeners, 4, population=Population.THESE_ITEMS, pairs=3)
    assert found == pytest.approx(wanted, abs=1e-6)


def test_no_number_of_listeners_makes_up_for_few_items() -> None:
    assert power.listeners_needed(5, Spread(6, 6, 8), 2) is None
    needed = power.listeners_needed(5, Spread(6, 1, 8), 10)
    assert needed is not None
    assert (
        power.power(5, Spread(6, 1, 8), needed, 10) >= 0.8 > power.power(5, Spread(6, 1, 8), needed - 1, 10)
    )


def test_a_pilots_spreads_are_found() -> None:
    rng = np.random.default_rng(3)
    people, items = rng.normal(0, 6, 60), rng.normal(0, 4, 60)
    rows = [
        (f"a{a}", i, slug, (slug == "x") * (5 + people[a] + items[i] + rng.normal(0, 8)))
        for a in range(60) for i in range(60) for slug in "xy"
    ]  # fmt: skip
    found = power.spread_of(pd.DataFrame(rows, columns=["assessor", "item", "system", "score"]), "x", "y")
    assert found is not None
    # Standard errors of 60 draws are 9 % of a standard deviation; these are within three of them.
    assert [found.listener, found.item, found.rest] == pytest.approx([6, 4, 8], rel=0.28)


def test_votes_are_differences_of_one() -> None:
    difference, spread = power.vote_spread(0.75, listener=0.2)
    assert difference == 0.5
    assert spread.listener**2 + spread.rest**2 == pytest.approx(0.75)


@pytest.mark.parametrize("share", [0.6, 0.7, 0.75, 0.8, 0.9])
def test_from_the_planned_number_of_trials_on_power_stays(share: float) -> None:
    """23 trials have 80 % power against 75 %, and 24 to 27 have not."""
    number = choices.abx_trials(share)
    assert number is not None
    assert all(choices.abx_power(n, share) >= 0.8 for n in range(number, number + 200))
    assert choices.abx_power(number - 1, share) < 0.8


@pytest.mark.rest
def test_an_interval_is_as_narrow_as_planned_over_pilots_and_studies() -> None:
    """With the spread of a pilot of six taken as true, half of the studies would be wider, not a fifth."""
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(400):
        pilot = float(rng.normal(0, 12, 6).std(ddof=1))
        number = planning.assessors_needed(pilot, 5, assurance=0.8, pilot_df=5).assessors
        assert number is not None
        held += planning.expected_half_width(float(rng.normal(0, 12, number).std(ddof=1)), number) <= 5  # type: ignore[operator]
    assert 0.74 <= held / 400 <= 0.86  # three standard errors of 0.8


def test_grades_of_one_mode_near_the_ceiling_form_no_groups() -> None:
    rng = np.random.default_rng(5)
    ceiling = np.minimum(100, np.round(rng.normal(97, 12, (200, 80))))
    b = [describe.multimodality(row) or 0 for row in ceiling]
    assert np.mean([each > describe.MULTIMODAL for each in b]) > 0.3  # b alone cries wolf
    assert not any(describe.suggests_groups(row, 0, 100) for row in ceiling)
    skewed = np.round(100 * rng.beta(2, 5, (300, 60)))
    assert np.mean([describe.suggests_groups(row, 0, 100) for row in skewed]) <= 0.05
    two = np.concatenate([rng.normal(30, 6, 40), rng.normal(75, 6, 40)])
    assert describe.suggests_groups(two, 0, 100)
