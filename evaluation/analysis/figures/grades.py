"""Grades per system: the results page's first figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.analysis import statistics
from evaluation.analysis.figures import style
from evaluation.analysis.words import figure, plain


@dataclass(frozen=True)
class GradeRow:
    """One row of `grades`. `mean` is None without grades, `half_width` is None without an interval."""

    title: str
    look: style.Look
    scores: Sequence[float]
    listener_means: Sequence[float]
    mean: float | None
    half_width: float | None


def grades(rows: Sequence[GradeRow], title: str, scale: style.Scale = style.MUSHRA) -> str:
    """One row per system: mean with 95 % interval, over cloud (density), box and rain of its grades."""
    left, right, top, pitch = style.margin((row.title for row in rows), 156, 300), 150, 36, 64
    width, height = 722 + left, top + pitch * len(rows) + 52
    span, bottom = width - left - right, top + pitch * len(rows)

    def x_of(score: float) -> float:
        return left + span * scale.share(score)

    parts = []
    for score, word in scale.words:
        parts.append(style.text(x_of(score), top - 14, word, anchor="middle", fill=style.MUTED, size=12))
    for score in scale.ticks:
        parts.append(style.line(x_of(score), top - 6, x_of(score), bottom, style.LINE))
        parts.append(
            style.text(
                x_of(score),
                bottom + 18,
                plain(score),
                anchor="middle",
                fill=style.MUTED,
                size=12,
            )
        )
    known = any(row.half_width is not None for row in rows)
    head = "mean ± 95 %" if known else "mean"
    parts.append(style.text(width - 8, top - 14, head, anchor="end", fill=style.MUTED, size=12))
    for number, row in enumerate(rows):
        parts += _row(row, top + pitch * (number + 0.5), x_of, left, width - 8, scale)
    caption = (
        f"{'Marker and bar: mean of listener means, 95 % t interval' if known else 'Marker: mean'}. "
        "Box: quartiles and median of grades. Dots, and cloud above them: grades."
    )
    parts.append(style.footnote(caption, 8, bottom + 42, width))
    return style.frame(width, height, title, parts)


def _row(
    row: GradeRow,
    y: float,
    x_of: Callable[[float], float],
    left: float,
    right: float,
    scale: style.Scale,
) -> list[str]:
    hue = row.look[0]
    parts = [style.text(left - 16, y + 4.5, style.shorten(row.title, left - 24), anchor="end")]
    if row.mean is None:
        parts.append(style.text(right, y + 4.5, "no grades", anchor="end", fill=style.MUTED))
        return parts
    box = statistics.box(row.scores)
    parts += _cloud(row, y - 12, x_of, scale)
    parts += _rain(row, y + 20, x_of)
    parts.append(style.line(x_of(box.low), y, x_of(box.high), y, hue, 1, 'opacity="0.45"'))
    parts.append(
        f'<rect x="{x_of(box.q1):.1f}" y="{y - 11:.1f}" height="22" '
        f'width="{max(1.0, x_of(box.q3) - x_of(box.q1)):.1f}" rx="2" fill="{hue}" fill-opacity="0.16"/>'
    )
    parts.append(style.line(x_of(box.median), y - 11, x_of(box.median), y + 11, hue, 1.5, 'opacity="0.6"'))
    decimals = 1 if scale.high - scale.low > 20 else 2
    words = figure(row.mean, decimals) + scale.spread(row.mean, row.half_width, decimals)
    if row.half_width is not None:
        low, high = x_of(row.mean - row.half_width), x_of(row.mean + row.half_width)
        parts.append(style.line(low, y, high, y, hue, 2.5))
        parts += [style.line(end, y - 5, end, y + 5, hue, 2.5) for end in (low, high)]
    parts.append(style.mark(row.look, x_of(row.mean), y))
    parts.append(style.text(right, y + 4.5, words, anchor="end"))
    return parts


def _cloud(row: GradeRow, base: float, x_of: Callable[[float], float], scale: style.Scale) -> list[str]:
    """Density of the grades, standing on `base`: kernels of Silverman's width, none beyond the scale."""
    scores = np.asarray(row.scores, dtype=float)
    spread = min(scores.std(), (np.quantile(scores, 0.75) - np.quantile(scores, 0.25)) / 1.34 or np.inf)
    if scores.size < _FEW or spread == 0:
        return []
    width = max(0.9 * spread * scores.size**-0.2, (scale.high - scale.low) / 100)
    places = np.linspace(scale.low, scale.high, 81)
    values, counts = np.unique(scores, return_counts=True)  # grades are whole numbers, or nearly so
    # What a kernel has beyond an end of the scale is folded back.
    centres = (values, 2 * scale.low - values, 2 * scale.high - values)
    density = sum(np.exp(-(((places[:, None] - each) / width) ** 2) / 2) @ counts for each in centres)
    heights = _CLOUD * density / density.max()
    points = " ".join(
        f"{x_of(place):.1f},{base - height:.1f}" for place, height in zip(places, heights, strict=True)
    )
    ends = f"{x_of(scale.low):.1f},{base:.1f} {points} {x_of(scale.high):.1f},{base:.1f}"
    return [f'<polygon points="{ends}" fill="{row.look[0]}" fill-opacity="0.28"/>']


def _rain(row: GradeRow, y: float, x_of: Callable[[float], float]) -> list[str]:
    """Grades as dots, or listener means where the grades are too many to be told apart."""
    dots = row.scores if len(row.scores) <= _MANY else row.listener_means
    parts = []
    for index, score in enumerate(dots):
        # The golden ratio spreads the dots evenly over the band's height, the same way in every drawing.
        offset = ((index * 0.618034) % 1 - 0.5) * 12
        parts.append(
            f'<circle cx="{x_of(score):.1f}" cy="{y + offset:.1f}" r="1.8" fill="{row.look[0]}" '
            'opacity="0.45"/>'
        )
    return parts


#: A cloud's height in pixels; it takes so many grades; more dots than that are too many.
_CLOUD, _FEW, _MANY = 16.0, 5, 600
