"""Newton's method within bounds, for thousands of small problems at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evaluation.analysis.statistics.frames import Floats, Ints

#: Of the problems with these indices, at these places (problems, parameters): the values and their slopes.
Function = Callable[[Ints, Floats], tuple[Floats, Floats]]

#: Most steps and halvings of one; slope, change and rise of the value that are none; longest step.
_STEPS, _HALVINGS, _FLAT, _STILL, _NOISE, _REACH = 60, 14, 1e-7, 1e-5, 1e-11, 2.0
_DIFFERENCE = 1e-5


def minimise(
    function: Function, start: Floats, low: Floats, high: Floats, positive: Ints
) -> tuple[Floats, Floats, np.ndarray]:
    """Where each value is least near `start`, (problems, parameters); the value; whether the search settled.

    A step below `_STILL` is the last: the next would be its square.

    Args:
        low, high: bounds of the parameters.
        positive: parameters that a step makes no less than a tenth: at 0 itself their slope may be none.
    """
    at, done = start.copy(), np.zeros(len(start), dtype=bool)
    left = np.arange(len(start))
    value, slope = function(left, at)
    for _ in range(_STEPS):
        here, its = at[left], slope[left]
        held = ((here <= low) & (its >= 0)) | ((here >= high) & (its <= 0))
        curvature = differentiate(function, left, here, its)
        free = ~held
        curvature = np.where(free[:, :, None] & free[:, None], curvature, np.eye(start.shape[1]))
        values, vectors = np.linalg.eigh(curvature)
        along = np.einsum("sij,si->sj", vectors, np.where(held, 0.0, its)) / np.maximum(np.abs(values), 1e-6)
        step = -np.einsum("sij,sj->si", vectors, along)
        step *= np.minimum(1.0, _REACH / np.maximum(np.abs(step).max(axis=1), 1e-300))[:, None]
        moved, better = np.zeros(left.size), np.zeros(left.size, dtype=bool)
        for halving in range(_HALVINGS):
            waiting = np.flatnonzero(~better)
            tried = np.clip(here[waiting] + step[waiting] / 2**halving, low, high)
            tried[:, positive] = np.maximum(
                tried[:, positive], np.maximum(here[waiting][:, positive] / 10, low[positive])
            )
            new, turned = function(left[waiting], tried)
            good = new <= value[left[waiting]] + _NOISE
            places = left[waiting[good]]
            moved[waiting[good]] = np.abs(tried[good] - here[waiting[good]]).max(axis=1)
            at[places], value[places], slope[places] = tried[good], new[good], turned[good]
            better[waiting[good]] = True
            if better.all():
                break
        flat = np.where(held, 0.0, np.abs(its)).max(axis=1) < _FLAT
        still = flat | (better & (moved < _STILL))
        done[left[still]] = True
        left = left[better & ~still]
        if left.size == 0:
            break
    return at, value, done


def differentiate(function: Function, which: Ints, here: Floats, slope: Floats) -> Floats:
    """Second derivatives, (problems, parameters, parameters), by differences of slopes."""
    width = here.shape[1]
    curvature = np.zeros((which.size, width, width))
    for place in range(width):
        step = np.zeros(width)
        step[place] = _DIFFERENCE
        curvature[:, place] = (function(which, here + step)[1] - slope) / _DIFFERENCE
    return np.asarray((curvature + curvature.transpose(0, 2, 1)) / 2)
