"""The proportional odds model against statsmodels, and where it has no answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.miscmodels.ordinal_model import OrderedModel

from evaluation.analysis.statistics.ordinal import compare


def graded(listeners: int, items: int, seed: int, kept: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    assessor, item, system = (place.ravel() for place in np.indices((listeners, items, 3)))
    latent = 3 + 0.7 * system + 0.4 * rng.standard_normal(listeners)[assessor] + 0.3 * item
    score = np.clip(np.round(latent - 0.7 + rng.standard_normal(assessor.size)), 1, 5)
    frame = pd.DataFrame({"assessor": assessor, "item": item, "system": system, "score": score})
    return frame[rng.random(assessor.size) < kept]


@pytest.mark.parametrize(("seed", "kept"), [(1, 1.0), (2, 0.7)])
def test_odds_ratios_are_those_of_statsmodels(seed: int, kept: float) -> None:
    frame = graded(9, 4, seed, kept)
    design = pd.get_dummies(frame[["system", "item"]].astype(str), drop_first=True, dtype=float)
    model = OrderedModel(frame["score"].astype(int), design, distr="logit")
    theirs = model.fit(method="bfgs", disp=False, gtol=1e-10, maxiter=2000)
    rows = {(row.a, row.b): row for row in compare(frame, [(1, 0), (2, 0), (2, 1)]).rows}
    assert np.log(rows[1, 0].ratio) == pytest.approx(theirs.params["system_1"], abs=1e-6)
    assert np.log(rows[2, 0].ratio) == pytest.approx(theirs.params["system_2"], abs=1e-6)
    # The sandwich, from their scores summed by listener and their information.
    scores = model.score_obs(theirs.params.to_numpy())
    sums = pd.DataFrame(scores).groupby(frame["assessor"].to_numpy()).sum().to_numpy()
    bread = np.linalg.inv(-model.hessian(theirs.params.to_numpy()))
    covariance = bread @ (sums.T @ sums) @ bread * len(sums) / (len(sums) - 1)
    half = np.log(rows[1, 0].high / rows[1, 0].low) / 2
    assert half == pytest.approx(2.306004 * np.sqrt(covariance[0, 0]), rel=1e-3)  # t of 8 degrees of freedom
    assert rows[2, 1].p_adjusted is not None
    assert rows[2, 1].p <= rows[2, 1].p_adjusted


def test_what_cannot_be_told_is_said() -> None:
    frame = graded(9, 3, 3)
    assert "5 listeners" in compare(frame[frame["assessor"] < 4], [(1, 0)]).problem
    assert "two categories" in compare(frame.assign(score=3.0), [(1, 0)]).problem
    best = frame.assign(score=np.where(frame["system"] == 0, 5.0, np.minimum(frame["score"], 4.0)))
    assert "no bound" in compare(best, [(1, 0)]).problem
    apart = frame[(frame["system"] == 0) == (frame["item"] == 0)]
    assert "never heard" in compare(apart, [(1, 0)]).problem
    assert compare(frame.iloc[:0], [(1, 0)]).problem


def test_two_systems_that_every_listener_grades_alike_have_no_error() -> None:
    """A simulated study near the ceiling, whose sandwich was below 0 by rounding."""
    alike, other = [4, 5, 4, 4, 5, 5, 5, 5], [5, 5, 5, 4, 5, 5, 5, 5]
    frame = pd.DataFrame(
        {
            "assessor": [*range(8)] * 3,
            "item": 0,
            "system": ["a"] * 8 + ["b"] * 8 + ["c"] * 8,
            "score": [*alike, *alike, *other],
        }
    )
    found = compare(frame, [("a", "b")])
    assert found.rows == []
    assert "no error" in found.problem
