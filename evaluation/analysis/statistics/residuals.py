"""Residuals of grades after listener + system x item, for pictures that show what the models assume."""

from __future__ import annotations

import numpy as np

from evaluation.analysis.statistics.frames import Floats, Ratings, tidy

_STEPS, _CLOSE = 200, 1e-6


def residuals(frame: Ratings) -> tuple[Floats, Floats]:
    """Fitted grades and residuals, (ratings,) each, by least squares; empty without ratings.

    Means of listeners and of cells (system and item) are taken out in turns until nothing changes, which with
    complete data is after one turn.
    """
    data = tidy(frame)
    left = data.score.copy()
    if data.problem:
        return left, left
    cell = np.unique(data.item * len(data.systems) + data.system, return_inverse=True)[1]
    for _ in range(_STEPS):
        moved = 0.0
        for group in (cell, data.assessor):
            means = np.bincount(group, left) / np.bincount(group)
            left = left - means[group]
            moved = max(moved, float(np.abs(means).max()))
        if moved < _CLOSE:
            break
    return data.score - left, left
