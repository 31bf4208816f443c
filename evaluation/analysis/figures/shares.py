"""Shares of answers with their intervals, one row per pair: ABX and paired preference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.analysis.figures.style import LINE, MUTED, TEXT, footnote, frame, line, margin, shorten, text

_HUE = "#0b7a83"


@dataclass(frozen=True)
class ShareRow:
    """One row of `shares`: the results of a pair, all as shares from 0 to 1.

    Attributes:
        left, right: labels of the two sides; `right` may be empty.
        share: None if there are no answers; `low` and `high` are None if there is no interval.
        parts: shares of single listeners, drawn as faint dots.
        note: text at the right end.
    """

    left: str
    right: str
    share: float | None
    low: float | None
    high: float | None
    parts: Sequence[float]
    note: str


def shares(rows: Sequence[ShareRow], title: str, axis: str, caption: str) -> str:
    """A row per pair: share with 95 % interval, listeners as faint dots, a line at one half."""
    left = 8 + margin((row.left for row in rows), 112, 260)
    beside = 8 + margin((row.right for row in rows), 16, 260) if any(row.right for row in rows) else 16
    top, pitch, notes = 36, 40, 132
    width, height = left + 400 + beside + notes, top + pitch * len(rows) + 68
    span, bottom = 400, top + pitch * len(rows)

    def x_of(share: float) -> float:
        return left + span * share

    parts = [text(x_of(0.5), top - 14, axis, anchor="middle", fill=MUTED, size=12)]
    for percent in range(0, 101, 25):
        x = x_of(percent / 100)
        strong = percent == 50
        parts.append(line(x, top - 6, x, bottom, MUTED if strong else LINE, 1.5 if strong else 1))
        parts.append(text(x, bottom + 18, f"{percent} %", anchor="middle", fill=MUTED, size=12))
    for number, row in enumerate(rows):
        y = top + pitch * (number + 0.5)
        parts.append(text(left - 16, y + 4.5, shorten(row.left, left - 24), anchor="end"))
        if row.right:
            parts.append(text(x_of(1) + 16, y + 4.5, shorten(row.right, beside - 24)))
        parts.append(text(width - 8, y + 4.5, row.note, anchor="end", fill=TEXT))
        if row.share is None:
            continue
        for index, part in enumerate(row.parts):
            # The golden ratio spreads the dots evenly over the row's height, the same way in every drawing.
            offset = ((index * 0.618034) % 1 - 0.5) * 24
            parts.append(
                f'<circle cx="{x_of(part):.1f}" cy="{y + offset:.1f}" r="2.2" fill="{_HUE}" opacity="0.4"/>'
            )
        if row.low is not None and row.high is not None:
            parts.append(line(x_of(row.low), y, x_of(row.high), y, _HUE, 2.5))
            parts += [line(x_of(end), y - 5, x_of(end), y + 5, _HUE, 2.5) for end in (row.low, row.high)]
        parts.append(f'<circle cx="{x_of(row.share):.1f}" cy="{y:.1f}" r="5" fill="{_HUE}"/>')
    parts.append(footnote(caption, 8, bottom + 46, width))
    return frame(width, height, title, parts)
