"""What holds for all tests of the codec."""

from __future__ import annotations

import numpy as np
import pytest

from tests.codec.bpgan import models


@pytest.fixture(autouse=True)
def same_draws(request: pytest.FixtureRequest) -> None:
    """A test draws the same numbers whichever tests its process ran before."""
    for generator in (models.RNG, getattr(request.module, "RNG", None)):
        if generator is not None:
            generator.bit_generator.state = np.random.default_rng(5).bit_generator.state
