"""Planned power against simulated studies: within three points, for grades, categories and votes."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from evaluation.analysis.statistics import choices, power
from evaluation.analysis.statistics.differences import Population, compare
from evaluation.analysis.statistics.power import Spread

pytestmark = pytest.mark.calibration

STUDIES = int(os.environ.get("CALIBRATION_STUDIES", "1000"))
#: Three points, and three standard errors of a share of about 80 % of the studies.
NEAR = 0.03 + 3 * (0.16 / STUDIES) ** 0.5


def draw(
    difference: float, spread: Spread, listeners: int, items: int, step: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Grades of systems ``a`` and ``b``; their differences have this mean and these spreads until rounded."""
    apart = (
        difference
        + spread.listener * rng.standard_normal((listeners, 1))
        + spread.item * rng.standard_normal((1, items))
        + spread.rest * rng.standard_normal((listeners, items))
    )
    listener, item = np.indices(apart.shape)
    common = {"assessor": listener.ravel(), "item": item.ravel()}
    graded = np.round(apart.ravel() / step) * step
    return pd.concat(
        [pd.DataFrame({**common, "system": "a", "score": graded}),
         pd.DataFrame({**common, "system": "b", "score": 0.0})]
    )  # fmt: skip


@pytest.mark.parametrize("population", Population)
@pytest.mark.parametrize(
    ("difference", "spread", "items", "step"),
    [
        (5.0, Spread(6.0, 3.0, 12.0), 8, 1.0),  # MUSHRA
        (10.0, Spread(8.0, 6.0, 14.0), 8, 1.0),
        (0.4, Spread(0.3, 0.2, 0.9), 10, 1.0),  # ACR, DCR, CCR: whole categories
        (0.3, Spread(0.3, 0.15, 0.7), 8, 0.1),  # BS.1116
    ],
)
def test_power_for_a_difference(
    difference: float, spread: Spread, items: int, step: float, population: Population
) -> None:
    # A whole step rounds: that adds a twelfth of its square to the rest.
    wide = Spread(spread.listener, spread.item, (spread.rest**2 + step**2 / 12) ** 0.5)
    listeners = power.listeners_needed(difference, wide, items, population=population)
    assert listeners is not None
    rng = np.random.default_rng([1, listeners, items])
    found = 0
    for _ in range(STUDIES):
        frame = draw(difference, spread, listeners, items, step, rng)
        row = compare(frame, [("a", "b")], population=population, margin=1e-9).rows[0]
        found += row.p is not None and row.p < 0.05
    wanted = power.power(difference, wide, listeners, items, population=population)
    assert found / STUDIES == pytest.approx(wanted, abs=NEAR)


@pytest.mark.parametrize("share", [0.65, 0.75])
def test_power_of_paired_preference(share: float) -> None:
    """Listeners of one mind more or less: each has a share of his own around the true one."""
    items, between = 6, 0.1
    difference, spread = power.vote_spread(share, listener=between)
    listeners = power.listeners_needed(difference, spread, items, population=Population.THESE_ITEMS)
    assert listeners is not None
    rng = np.random.default_rng([2, listeners])
    total = (1 - between) / between  # of a beta distribution whose votes correlate by `between`
    found = 0
    for _ in range(STUDIES):
        own = rng.beta(share * total, (1 - share) * total, (listeners, 1))
        votes = rng.random((listeners, items)) < own
        listener, item = np.indices(votes.shape)
        frame = pd.DataFrame(
            {
                "assessor": listener.ravel(),
                "item": item.ravel(),
                "first": "a",
                "second": "b",
                "chosen": np.where(votes.ravel(), "a", "b"),
            }
        )
        (row,) = choices.preferences(frame, Population.THESE_ITEMS)
        found += row.p is not None and row.p < 0.05
    wanted = power.power(difference, spread, listeners, items, population=Population.THESE_ITEMS)
    assert found / STUDIES == pytest.approx(wanted, abs=NEAR)
