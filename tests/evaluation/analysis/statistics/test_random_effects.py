"""Crossed random intercepts against closed forms of balanced designs, and against statsmodels."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from evaluation.analysis.statistics.random_effects import NoError, fit


def two_way(listeners: int, items: int, seed: int, sd: tuple[float, float, float]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    of_listener, of_item, rest = sd
    return (
        2.0
        + of_listener * rng.standard_normal((listeners, 1))
        + of_item * rng.standard_normal((1, items))
        + rest * rng.standard_normal((listeners, items))
    )


def indices(listeners: int, items: int) -> tuple[np.ndarray, np.ndarray]:
    grid = np.meshgrid(np.arange(listeners), np.arange(items), indexing="ij")
    return grid[0].ravel(), grid[1].ravel()


@pytest.mark.parametrize(("listeners", "items", "seed"), [(8, 5, 0), (20, 4, 1), (5, 12, 2)])
def test_balanced_data_have_the_mean_squares_of_the_analysis_of_variance(
    listeners: int, items: int, seed: int
) -> None:
    """(MS_L - MS_E) / I, (MS_I - MS_E) / L and MS_E, with Satterthwaite's df (Searle et al. 4.7)."""
    values = two_way(listeners, items, seed, (5, 4, 6))
    mean, by_listener, by_item = values.mean(), values.mean(axis=1), values.mean(axis=0)
    ms_listener = items * ((by_listener - mean) ** 2).sum() / (listeners - 1)
    ms_item = listeners * ((by_item - mean) ** 2).sum() / (items - 1)
    left = values - by_listener[:, None] - by_item + mean
    df_error = (listeners - 1) * (items - 1)
    ms_error = (left**2).sum() / df_error
    assert min(ms_listener, ms_item) > ms_error  # the estimates are inside their bounds
    found = fit(values.ravel(), np.ones((values.size, 1)), indices(listeners, items))
    expected = [(ms_listener - ms_error) / items, (ms_item - ms_error) / listeners, ms_error]
    assert found.variances == pytest.approx(expected, rel=1e-6)
    contrast = found.contrast(np.ones(1))
    total = ms_listener + ms_item - ms_error
    assert contrast.estimate == pytest.approx(mean, abs=1e-9)
    assert contrast.se == pytest.approx(np.sqrt(total / values.size), rel=1e-6)
    parts = ms_listener**2 / (listeners - 1) + ms_item**2 / (items - 1) + ms_error**2 / df_error
    assert contrast.df == pytest.approx(total**2 / parts, rel=1e-5)


def test_degrees_of_freedom_are_those_of_the_model_without_a_part_that_is_zero() -> None:
    """Items that vary less than chance has them do: what is left is the paired t test of listener means."""
    rng = np.random.default_rng(5)
    values = rng.standard_normal((9, 1)) + rng.standard_normal((9, 4))
    values -= 0.99 * (values.mean(axis=0) - values.mean())
    found = fit(values.ravel(), np.ones((36, 1)), indices(9, 4))
    assert found.variances[1] == 0
    contrast = found.contrast(np.ones(1))
    means = values.mean(axis=1)
    assert contrast.df == pytest.approx(8)
    assert contrast.se == pytest.approx(means.std(ddof=1) / 3, rel=1e-6)


def test_two_items_that_are_alike_do_not_stand_for_all_others() -> None:
    """A variance of two levels is often zero by chance: its uncertainty stays."""
    values = np.random.default_rng(6).standard_normal((9, 2))
    values -= 0.99 * (values.mean(axis=0) - values.mean())
    found = fit(values.ravel(), np.ones((18, 1)), indices(9, 2))
    assert found.variances[1] == 0
    listener, _item, rest = found.variances
    mean_square = rest + 2 * listener  # of the listeners; that of the items is the rest's
    parts = mean_square**2 / 8 + rest**2 / 1 + rest**2 / 8
    assert found.contrast(np.ones(1)).df == pytest.approx(mean_square**2 / parts, rel=1e-6)


def test_gaps_give_statsmodels_variances() -> None:
    values = two_way(9, 6, 3, (5, 4, 6)).ravel()
    listener, item = indices(9, 6)
    keep = np.random.default_rng(4).random(values.size) < 0.7
    frame = pd.DataFrame({"y": values[keep], "listener": listener[keep], "item": item[keep], "one": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = smf.mixedlm(
            "y ~ 1", frame, groups="one", vc_formula={"item": "0 + C(item)", "listener": "0 + C(listener)"}
        ).fit(reml=True, method=["lbfgs"])
    found = fit(frame["y"].to_numpy(), np.ones((len(frame), 1)), [listener[keep], item[keep]])
    assert found.beta[0] == pytest.approx(theirs.fe_params.iloc[0], rel=1e-4)
    assert found.variances == pytest.approx([theirs.vcomp[1], theirs.vcomp[0], theirs.scale], rel=1e-3)


def test_no_random_part_is_least_squares() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal(12)
    contrast = fit(y, np.ones((12, 1)), []).contrast(np.ones(1))
    assert contrast.se == pytest.approx(y.std(ddof=1) / np.sqrt(12))
    assert contrast.df == pytest.approx(11)


@pytest.mark.parametrize("values", [np.zeros(12), np.full(12, 60.0), np.repeat([1.0, 5.0, 2.0], 4)])
def test_data_without_error_are_refused(values: np.ndarray) -> None:
    with pytest.raises(NoError):
        fit(values, np.ones((12, 1)), [np.repeat(np.arange(3), 4)])


def test_variances_that_the_design_cannot_tell_apart_are_refused() -> None:
    """One listener heard three items, another one of them: whatever the ratio, the likelihood is the same."""
    design = np.array([[0.0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(np.linalg.LinAlgError, match="told apart"):
        fit(np.array([7.4, 4.4, -4.9, 9.6]), design, [np.array([0, 1, 1, 1])])


def test_a_rounding_of_a_variance_is_none() -> None:
    """A column of indicators and one of deviations are the same model; a variance of 1e-16 would cost df."""
    assessor = np.array([0, 0, 0, 1, 2, 2, 3, 3, 4, 5, 6])
    item = np.array([0, 1, 2, 1, 0, 2, 0, 1, 2, 0, 0])
    score = np.where(np.arange(11) == 1, -1.0, 0.0)
    indicators = np.eye(3)[item]
    deviations = np.column_stack([np.ones(11), indicators[:, :2] - indicators[:, [2]]])
    one = fit(score, indicators, [assessor]).contrast(np.full(3, 1 / 3))
    other = fit(score, deviations, [assessor]).contrast(np.array([1.0, 0, 0]))
    assert (other.estimate, other.se, other.df) == pytest.approx((one.estimate, one.se, one.df))
    assert other.df == pytest.approx(8)
