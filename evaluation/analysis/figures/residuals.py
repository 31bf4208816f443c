"""Residuals against what was fitted, and against quantiles of the normal distribution."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from evaluation.analysis.figures.style import LINE, MUTED, TEXT, frame, line, text, vertical_text
from evaluation.analysis.words import figure

_SIDE, _LEFT, _TOP = 260, 56, 28
#: More dots than this are thinned out, evenly over their ranks.
_MANY = 800


def residuals(fitted: ArrayLike, left: ArrayLike, title: str) -> str:
    """Two panels: residuals over fitted grades, and sorted over normal quantiles, in points of the scale."""
    order = np.argsort(np.asarray(left, dtype=float), kind="stable")
    values, means = np.asarray(left, dtype=float)[order], np.asarray(fitted, dtype=float)[order]
    n = values.size
    quantiles = ndtri((np.arange(n) + 0.5) / n)
    spread = float(values.std()) or 1.0
    kept = np.unique(np.linspace(0, n - 1, min(n, _MANY)).round().astype(int))
    reach = float(np.abs(values).max()) or 1.0
    width, height = 2 * (_LEFT + _SIDE) + 40, _TOP + _SIDE + 48
    parts = [
        *_panel(_LEFT, means[kept], values[kept], (float(means.min()), float(means.max())), reach,
                "fitted: listener + system × item", 0.0),
        *_panel(2 * _LEFT + _SIDE + 16, quantiles[kept], values[kept],
                (float(quantiles[0]), float(quantiles[-1])), reach, "normal quantile", spread),
    ]  # fmt: skip
    return frame(width, height, title, parts)


def _panel(
    left: float,
    across: np.ndarray,
    up: np.ndarray,
    ends: tuple[float, float],
    reach: float,
    axis: str,
    slope: float,
) -> list[str]:
    low, high = ends if ends[1] > ends[0] else (ends[0] - 1, ends[0] + 1)
    bottom = _TOP + _SIDE

    def x_of(value: float) -> float:
        return left + _SIDE * (value - low) / (high - low)

    def y_of(value: float) -> float:
        return bottom - _SIDE * (value + reach) / (2 * reach)

    parts = [
        line(left, bottom, left + _SIDE, bottom, LINE),
        line(left, _TOP, left, bottom, LINE),
        line(left, y_of(0), left + _SIDE, y_of(0), MUTED, 1, 'stroke-dasharray="4 4"'),
        vertical_text(left - 40, _TOP + _SIDE / 2, "residual, points"),
        text(left + _SIDE / 2, bottom + 38, axis, anchor="middle", fill=MUTED, size=12),
    ]
    digits = max(0, 1 - math.floor(math.log10(reach)))
    for value in (-reach, 0.0, reach):
        label = figure(value, digits) if value else "0"
        parts.append(text(left - 6, y_of(value) + 4, label, anchor="end", fill=MUTED, size=12))
    for value in (low, (low + high) / 2, high):
        label = figure(value, 1)
        parts.append(text(x_of(value), bottom + 18, label, anchor="middle", fill=MUTED, size=12))
    if slope:
        edge = min(high, reach / slope)
        parts.append(line(x_of(-edge), y_of(-edge * slope), x_of(edge), y_of(edge * slope), MUTED, 1.25))
    parts += [
        f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="1.8" fill="{TEXT}" opacity="0.35"/>'
        for x, y in zip(across.tolist(), up.tolist(), strict=True)
    ]
    return parts
