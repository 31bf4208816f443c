"""Residuals are those of least squares, with gaps and without."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from evaluation.analysis.statistics.residuals import residuals


@pytest.mark.parametrize("kept", [1.0, 0.7])
def test_residuals_are_those_of_least_squares(kept: float) -> None:
    rng = np.random.default_rng(3)
    assessor, item, system = (place.ravel() for place in np.indices((6, 4, 3)))
    frame = pd.DataFrame(
        {"assessor": assessor, "item": item, "system": system, "score": rng.normal(50, 10, assessor.size)}
    )[rng.random(assessor.size) < kept]
    theirs = smf.ols("score ~ C(assessor) + C(item):C(system)", frame).fit()
    fitted, left = residuals(frame)
    assert left == pytest.approx(theirs.resid.to_numpy(), abs=1e-4)
    assert fitted == pytest.approx(theirs.fittedvalues.to_numpy(), abs=1e-4)
