"""Expertise of listeners: ratios against statsmodels' analysis of variance, p against dealings made here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from evaluation.analysis.statistics.gauge import Gauge, gauge
from tests.evaluation.analysis.statistics.frames import simulated


def ratios(own: pd.DataFrame, grades: np.ndarray, *, repeated: bool) -> np.ndarray:
    """Discrimination and reliability, (2, dealings), of grades (n, dealings) of the stimuli of `own`."""

    def left(*columns: list[str]) -> tuple[np.ndarray, int]:
        """What means of these groups, added up, leave: sums of squares, and degrees of freedom."""
        groups = [pd.get_dummies(own[names].agg("/".join, axis=1), dtype=float) for names in columns]
        design = np.concatenate(groups, axis=1)
        solution, _, rank, _ = np.linalg.lstsq(design, grades, rcond=None)
        return ((grades - design @ solution) ** 2).sum(axis=0), len(own) - rank

    additive, of_items = left(["item"], ["system"]), left(["item"])
    rest, freedom = left(["item", "system"]) if repeated else additive
    between = (of_items[0] - additive[0]) / (of_items[1] - additive[1])
    return np.array([between / (rest / freedom), grades.std(axis=0, ddof=1) / np.sqrt(rest / freedom)])


def only(found: list[Gauge]) -> Gauge:
    (one,) = found
    return one


@pytest.mark.parametrize("repeated", [False, True])
def test_ratios_and_dealings(repeated: bool) -> None:
    """With a missing grade."""
    frame = simulated(1, 5, 4, seed=5).astype({"item": str, "system": str})
    rng = np.random.default_rng(3)
    again = frame.assign(score=frame["score"] + rng.normal(0, 4, len(frame)))
    frame = (pd.concat([frame, again]) if repeated else frame).iloc[1:].reset_index(drop=True)
    found = only(gauge(frame, permutations=999, seed=7))
    grades = frame["score"].to_numpy()
    wanted = ratios(frame, grades[:, None], repeated=repeated)[:, 0]
    assert found.repeated is repeated
    assert [found.discrimination, found.reliability] == pytest.approx(wanted, rel=1e-9)
    if not repeated:
        table = anova_lm(ols("score ~ C(item) + C(system)", frame).fit())
        assert found.discrimination == pytest.approx(table.loc["C(system)", "F"])
    dealt = ratios(frame, np.stack([rng.permutation(grades) for _ in range(3000)], axis=1), repeated=repeated)
    shares = (dealt >= wanted[:, None]).mean(axis=1)
    assert [found.discrimination_p, found.reliability_p] == pytest.approx(shares, abs=0.06)
    floors = np.quantile(dealt, 0.95, axis=1)
    assert [found.discrimination_floor, found.reliability_floor] == pytest.approx(floors, rel=0.2)


def test_who_guesses_is_below_the_floor() -> None:
    """Listener 0 hears what differs, listener 1 drew lots."""
    heard = simulated(1, 6, 4, seed=1)
    lots = heard.assign(assessor="lots", score=np.random.default_rng(8).permutation(heard["score"]))
    expert, guesser = gauge(pd.concat([heard, lots]))
    assert expert.discrimination is not None
    assert expert.discrimination_floor is not None
    assert expert.expert
    assert expert.discrimination > expert.discrimination_floor
    assert not guesser.expert


@pytest.mark.parametrize(
    ("score", "why"),
    [([50.0] * 6, "same"), ([10.0, 40, 70, 20, 50, 80], "no rest"), ([10.0, 40], "Too few")],
)
def test_no_ratio(score: list[float], why: str) -> None:
    rows = [("x", place // 3, f"s{place % 3}", value) for place, value in enumerate(score)]
    assert why in only(gauge(pd.DataFrame(rows, columns=["assessor", "item", "system", "score"]))).problem


def test_a_rest_of_rounding_is_no_floor() -> None:
    """Two systems in four items, one grade off: of its dealings many leave nothing but rounding."""
    rows = [("x", item, system, 4.0 - (item == 0 and system == "q")) for item in range(4) for system in "pq"]
    (found,) = gauge(pd.DataFrame(rows, columns=["assessor", "item", "system", "score"]))
    assert found.problem or found.discrimination_floor < 1000


def test_four_grades_are_too_few_to_be_above_their_noise_floor() -> None:
    """Of 24 dealings of four grades over two systems and items 4 have the largest discrimination: 1/6."""
    grades = {("p", 0): 90.0, ("p", 1): 82.0, ("q", 0): 40.0, ("q", 1): 31.0}
    rows = [("x", item, system, score) for (system, item), score in grades.items()]
    (found,) = gauge(pd.DataFrame(rows, columns=["assessor", "item", "system", "score"]))
    assert found.problem.startswith("Too few grades: so many of their dealings come out alike")
    assert not found.expert
