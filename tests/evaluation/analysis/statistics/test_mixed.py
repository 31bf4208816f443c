"""The mixed model against statsmodels, and against the analysis of variance where nothing is missing."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import statsmodels.formula.api as smf

from evaluation.analysis.statistics import anova, mixed
from tests.evaluation.analysis.statistics.frames import simulated, tidy


@pytest.mark.parametrize(("keep", "seed"), [(0.7, 3), (0.5, 4), (0.3, 5)])
def test_it_is_statsmodels_fit(keep: float, seed: int) -> None:
    frame = simulated(20, 6, 5, seed=seed, keep=keep)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = smf.mixedlm(
            "score ~ 0 + C(system) + C(item, Sum)",
            frame,
            groups="assessor",
            re_formula="1",
            vc_formula={"system": "0 + C(system)"},
        ).fit(reml=True)
    ours = mixed.fit(frame)
    assert ours.problem == ""
    for row in ours.means:
        assert row.mean == pytest.approx(theirs.fe_params[f"C(system)[{row.system}]"], abs=1e-3)
        # Theirs comes from the whole Hessian, variances included; the next test has the exact one.
        assert row.se == pytest.approx(theirs.bse_fe[f"C(system)[{row.system}]"], rel=1e-2)
    assert ours.sd_assessor is not None
    assert ours.sd_assessor_system is not None
    assert ours.sd_assessor**2 == pytest.approx(theirs.cov_re.iloc[0, 0], rel=5e-3)
    assert ours.sd_assessor_system**2 == pytest.approx(theirs.vcomp[0], rel=5e-3)
    assert ours.sd_rest**2 == pytest.approx(theirs.scale, rel=5e-3) if ours.sd_rest else False


def test_standard_errors_are_those_of_generalised_least_squares() -> None:
    frame = simulated(8, 5, 4, seed=2, keep=0.5)
    found = mixed.fit(frame)
    assert found.sd_assessor is not None
    assert found.sd_assessor_system is not None
    assert found.sd_rest is not None

    def same(*names: str) -> np.ndarray:
        keys = frame[list(names)].agg("/".join, axis=1).to_numpy(dtype=object)
        return np.asarray(keys[:, None] == keys)

    covariance = (
        found.sd_assessor**2 * same("assessor")
        + found.sd_assessor_system**2 * same("assessor", "system")
        + found.sd_rest**2 * np.eye(len(frame))
    )
    names = [row.system for row in found.means]
    systems = (frame["system"].to_numpy(dtype=object)[:, None] == names).astype(float)
    items = (frame["item"].to_numpy(dtype=object)[:, None] == list(frame["item"].unique())).astype(float)
    design = np.hstack([systems, items[:, :-1] - items[:, -1:]])
    inverse = np.linalg.inv(design.T @ np.linalg.solve(covariance, design))
    beta = inverse @ design.T @ np.linalg.solve(covariance, frame["score"].to_numpy())
    assert [row.mean for row in found.means] == pytest.approx(list(beta[:4]))
    assert [row.se for row in found.means] == pytest.approx(list(np.sqrt(np.diag(inverse)[:4])))


def test_with_complete_data_it_is_the_analysis_of_variance() -> None:
    frame = simulated(15, 4, 5, seed=3)
    ours = mixed.fit(frame)
    system = anova.repeated_measures(frame).effects[0]
    assert ours.f == pytest.approx(system.f, rel=1e-4)
    assert (ours.df, ours.df_error) == (system.df, system.df_error)
    assert ours.p == pytest.approx(system.p_uncorrected, rel=1e-2)
    plain = frame.groupby("system")["score"].mean()
    assert {row.system: row.mean for row in ours.means} == pytest.approx(plain.to_dict())
    row = ours.comparisons[0]
    assert row.interval is not None
    pooled = math.sqrt(2 * system.ss_error / system.df_error / (15 * 4))
    assert row.statistic == pytest.approx(row.difference / pooled if row.difference else None, rel=1e-4)


def test_systems_graded_on_different_items_are_compared_as_if_on_the_same() -> None:
    # Item 2 is 40 points easier; x is graded mostly there, y mostly on item 1, and y is better by 10.
    generator = np.random.default_rng(0)
    rows = []
    for k in range(30):
        item_of = {"x": "2", "y": "1"} if k % 5 else {"x": "1", "y": "2"}
        rows += [
            (f"a{k}", item, system, 30 + 40 * (item == "2") + 10 * (system == "y") + generator.normal(0, 2))
            for system, item in item_of.items()
        ]
    frame = tidy(*rows)
    plain = frame.groupby("system")["score"].mean()
    assert plain["y"] < plain["x"]
    (row,) = mixed.fit(frame, [("y", "x")]).comparisons
    assert row.difference == pytest.approx(10, abs=1.5)
    assert row.p is not None
    assert row.p < 1e-6


def test_without_spread_between_assessors_the_model_still_answers() -> None:
    generator = np.random.default_rng(2)
    rows = [
        (a, i, s, 50 + 10 * s + generator.normal(0, 5)) for a in range(6) for i in range(4) for s in range(3)
    ]
    found = mixed.fit(tidy(*rows))
    assert found.problem == ""
    assert found.sd_assessor is not None
    assert found.sd_assessor < 3
    assert all(row.se > 0 for row in found.means)


def test_a_design_in_two_pieces_is_named() -> None:
    rows = [
        ("a", "1", "x", 10),
        ("b", "1", "x", 20),
        ("a", "2", "y", 30),
        ("b", "2", "y", 45),
        ("c", "2", "y", 40),
    ]
    assert "connects" in mixed.fit(tidy(*rows)).problem


def test_listeners_of_an_item_each_cannot_be_told_from_items() -> None:
    """Their variance would be whatever the search begins with."""
    rows = [
        (f"l{n}", f"i{n}", system, 60.0 + n + bonus)
        for n in range(5)
        for system, bonus in (("p", n % 2), ("q", 3))
    ]
    found = mixed.fit(tidy(*rows))
    assert found.problem == "Each item was graded by one assessor, who cannot be told from it."
    assert not found.means
