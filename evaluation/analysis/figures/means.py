"""Mean grades with their intervals, and nothing else: what a demo page shows of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.analysis.figures import style
from evaluation.analysis.words import plain


@dataclass(frozen=True)
class MeanRow:
    """One row of `means`; `half_width` is None without an interval."""

    title: str
    look: style.Look
    mean: float
    half_width: float | None


def means(rows: Sequence[MeanRow], title: str, scale: style.Scale = style.MUSHRA) -> str:
    """One row per system: its mean grade and the 95 % interval of it."""
    left, right, top, pitch = style.margin((row.title for row in rows), 120, 260), 24, 28, 30
    width, bottom = 640.0, top + pitch * len(rows)

    def x_of(score: float) -> float:
        return left + (width - left - right) * scale.share(score)

    parts = []
    for score, word in scale.words:
        parts.append(style.text(x_of(score), top - 12, word, anchor="middle", fill=style.MUTED, size=12))
    for score in scale.ticks:
        parts.append(style.line(x_of(score), top - 4, x_of(score), bottom, style.LINE))
        label = plain(score)
        parts.append(style.text(x_of(score), bottom + 18, label, anchor="middle", fill=style.MUTED, size=12))
    for number, row in enumerate(rows):
        y, hue = top + pitch * (number + 0.5), row.look[0]
        parts.append(style.text(left - 16, y + 4.5, style.shorten(row.title, left - 24), anchor="end"))
        if row.half_width is not None:
            low, high = x_of(row.mean - row.half_width), x_of(row.mean + row.half_width)
            parts.append(style.line(low, y, high, y, hue, 2.5))
            parts += [style.line(end, y - 5, end, y + 5, hue, 2.5) for end in (low, high)]
        parts.append(style.mark(row.look, x_of(row.mean), y))
    return style.frame(width, bottom + 28, title, parts)
