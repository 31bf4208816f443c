"""The logistic model of choices against a likelihood that is written anew here, and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize
from scipy.special import expit

from evaluation.analysis.statistics import logistic


def draw(listeners: int, items: int, times: int, sds: tuple[float, float], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    listener, item, _ = (
        axis.ravel() for axis in np.meshgrid(range(listeners), range(items), range(times), indexing="ij")
    )
    effects = [sd * rng.standard_normal(size) for sd, size in zip(sds, (listeners, items), strict=True)]
    success = rng.random(listener.size) < expit(0.7 + effects[0][listener] + effects[1][item])
    keep = rng.random(listener.size) > 0.1
    return [listener[keep], item[keep], success[keep]]


def deviance(values: np.ndarray, design: np.ndarray, number: int, success: np.ndarray) -> float:
    """-2 log-likelihood by Laplace's approximation, choice by choice, with dense matrices; `values` are the
    log-odds and the deviations of `number` listeners and of the items."""
    widths = np.concatenate([np.full(number, values[1]), np.full(design.shape[1] - number, values[2])])
    signs = np.where(success, 1.0, -1.0)

    def depth(effects: np.ndarray) -> float:
        odds = values[0] + design @ (widths * effects)
        return float(np.logaddexp(0, -signs * odds).sum() + effects @ effects / 2)

    def slope(effects: np.ndarray) -> np.ndarray:
        odds = values[0] + design @ (widths * effects)
        return widths * (design.T @ (-signs * expit(-signs * odds))) + effects

    found = optimize.minimize(depth, np.zeros(widths.size), jac=slope, method="BFGS", options={"gtol": 1e-9})
    chance = expit(values[0] + design @ (widths * found.x))
    scaled = design * widths
    curvature = scaled.T @ np.diag(chance * (1 - chance)) @ scaled + np.eye(widths.size)
    return float(2 * found.fun + np.linalg.slogdet(curvature)[1])


def test_the_likelihood_is_at_its_top() -> None:
    """Slopes are nil there, and the curvature gives the standard error."""
    listener, item, success = draw(7, 4, 4, (1.0, 0.8), 2)
    found = logistic.fit(listener, item, success)
    assert None not in (found.typical, found.se, found.sd_listener, found.sd_item)
    at = np.array([found.typical, found.sd_listener, found.sd_item], dtype=float)
    assert at.min() > 0.1
    design = np.concatenate([np.eye(7)[listener], np.eye(4)[item]], axis=1)

    def height(values: np.ndarray) -> float:
        return deviance(values, design, 7, success)

    steps = 0.01 * np.eye(3)
    slopes = [(height(at + step) - height(at - step)) / 0.02 for step in steps]
    assert slopes == pytest.approx([0, 0, 0], abs=0.02)
    curvature = [
        [
            (height(at + a + b) - height(at + a - b) - height(at - a + b) + height(at - a - b)) / 4e-4
            for a in steps
        ]
        for b in steps
    ]
    variance = np.linalg.inv(np.array(curvature) / 2)[0, 0]
    assert found.se == pytest.approx(np.sqrt(variance), rel=1e-3)
    assert found.share == pytest.approx(expit(at[0]))


def test_without_differences_it_is_the_plain_model() -> None:
    """Each listener and item has as many successes as the next."""
    grid = np.indices((6, 6)).reshape(2, -1)
    success = (grid.sum(axis=0) % 6) < 4
    found = logistic.fit(*grid, success)
    plain = sm.Logit(success.astype(float), np.ones(36)).fit(disp=False)
    assert (found.sd_listener, found.sd_item) == (0.0, 0.0)
    assert [found.typical, found.se] == pytest.approx([plain.params[0], plain.bse[0]], rel=1e-4)
    assert found.p == pytest.approx(plain.pvalues[0], rel=1e-3)
    once = logistic.fit(range(36), [0] * 36, success)
    assert (once.sd_listener, once.sd_item) == (None, None)
    assert once.se == pytest.approx(plain.bse[0])


def test_what_has_no_answer() -> None:
    assert "One listener" in logistic.fit(["a"] * 4, range(4), [True, False] * 2).problem
    assert "alike" in logistic.fit(["a", "b"], [1, 1], [True, True]).problem
    split = logistic.fit(np.repeat(range(8), 20), np.tile(range(20), 8), np.repeat([True, False], 80))
    assert "no bound" in split.problem
