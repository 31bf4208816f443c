"""Differences between systems with their intervals: which system is better, and by how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.analysis.figures.style import LINE, MUTED, TEXT, frame, line, margin, shorten, text
from evaluation.analysis.words import typeset


@dataclass(frozen=True)
class Difference:
    """First minus second, in points of the scale. `low` and `high` are None if there is no interval."""

    first: str
    second: str
    mean: float
    low: float | None
    high: float | None
    note: str
    decided: bool


def differences(rows: Sequence[Difference], title: str, margin_of_equivalence: float) -> str:
    """One row per pair: mean difference and 95 % interval, drawn over the band of equivalence."""
    names = [f"{row.first} − {row.second}" for row in rows]
    left, right = margin(names, 200, 360), margin((row.note for row in rows), 120, 300, 12)
    top, pitch = 12, 28
    width = 440 + left + right
    bottom = top + pitch * len(rows)
    ends = [abs(value) for row in rows for value in (row.low, row.high, row.mean) if value is not None]
    most = max([2 * margin_of_equivalence, *ends])
    step = _step(most)
    reach = step * math.ceil(most / step)

    def x_of(value: float) -> float:
        return left + (width - left - right) * (value + reach) / (2 * reach)

    parts = [
        f'<rect x="{x_of(-margin_of_equivalence):.1f}" y="{top}" height="{bottom - top:.1f}" fill="{MUTED}" '
        f'width="{x_of(margin_of_equivalence) - x_of(-margin_of_equivalence):.1f}" fill-opacity="0.12"/>'
    ]
    for tick in range(-round(reach / step), round(reach / step) + 1):
        value = tick * step
        parts.append(
            line(
                x_of(value), top, x_of(value), bottom, MUTED if tick == 0 else LINE, 1.25 if tick == 0 else 1
            )
        )
        label = typeset(f"{value:+.4g}") if tick else "0"
        parts.append(text(x_of(value), bottom + 18, label, anchor="middle", fill=MUTED, size=12))
    parts.append(
        text(x_of(0), bottom + 36, "difference of means, points", anchor="middle", fill=MUTED, size=12)
    )
    for number, row in enumerate(rows):
        y = top + pitch * (number + 0.5)
        parts.append(text(left - 16, y + 4.5, shorten(names[number], left - 24), anchor="end"))
        fade = "" if row.decided else 'opacity="0.55"'
        if row.low is not None and row.high is not None:
            parts.append(line(x_of(row.low), y, x_of(row.high), y, TEXT, 2, fade))
            parts += [line(x_of(end), y - 4, x_of(end), y + 4, TEXT, 2, fade) for end in (row.low, row.high)]
        fill = TEXT if row.decided else "var(--surface, #ffffff)"
        parts.append(
            f'<circle cx="{x_of(row.mean):.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="{TEXT}" '
            f'stroke-width="1.5"/>'
        )
        parts.append(text(width - 8, y + 4.5, row.note, anchor="end", size=12))
    return frame(width, bottom + 46, title, parts)


def _step(most: float) -> float:
    """Distance of grid lines: 1, 2 or 5 times a power of ten, with two to five lines up to `most`."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(
        part * power / 10 for part in (2, 5, 10, 20, 50) if math.ceil(most / (part * power / 10)) <= 5
    )
