"""Grades for each item as small multiples, which show the items that a system fails on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.analysis.figures import style
from evaluation.analysis.words import plain


@dataclass(frozen=True)
class Cell:
    """A system's grades for one item. `half_width` is None without an interval."""

    mean: float
    half_width: float | None
    n: int


def items(
    systems: Mapping[str, tuple[str, style.Look]],
    panels: Sequence[tuple[str, Mapping[str, Cell]]],
    title: str,
    scale: style.Scale = style.MUSHRA,
    columns: int = 3,
) -> str:
    """A small panel per item with one row per system: mean and 95 % t interval over listeners.

    Args:
        systems: title and look by slug, in the order of the rows.
        panels: the item's title and its cells by slug, in the items' order.
    """
    columns = max(1, min(columns, len(panels)))
    left, gap, top, pitch, head = (
        style.margin((title for title, _ in systems.values()), 110, 220, 11),
        24,
        8,
        16,
        24,
    )
    span = (960 - 16 - left - gap * (columns - 1)) / columns
    tall = head + pitch * len(systems) + 28
    rows = math.ceil(len(panels) / columns)
    parts = []
    for number, (name, cells) in enumerate(panels):
        column, row = number % columns, number // columns
        x, y = left + column * (span + gap), top + row * tall
        parts.append(style.text(x, y + 10, style.shorten(name, span, 12), size=12, extra='font-weight="600"'))
        bottom = y + head + pitch * len(systems)
        for score in scale.ticks:
            at = x + span * scale.share(score)
            parts.append(style.line(at, y + head - 4, at, bottom, style.LINE))
            parts.append(
                style.text(at, bottom + 13, plain(score), anchor="middle", fill=style.MUTED, size=10)
            )
        for place, (slug, (name_of_system, look)) in enumerate(systems.items()):
            middle = y + head + pitch * (place + 0.5)
            if column == 0:
                parts.append(
                    style.text(
                        left - 10,
                        middle + 4,
                        style.shorten(name_of_system, left - 12, 11),
                        anchor="end",
                        size=11,
                    )
                )
            if slug in cells:
                parts += _cell(cells[slug], look, x, span, middle, scale)
    return style.frame(960, top + rows * tall, title, parts)


def _cell(
    cell: Cell, look: style.Look, x: float, span: float, middle: float, scale: style.Scale
) -> list[str]:
    parts = []
    if cell.half_width is not None:
        low, high = (x + span * scale.share(cell.mean + sign * cell.half_width) for sign in (-1, 1))
        parts.append(style.line(low, middle, high, middle, look[0], 2))
    parts.append(style.mark(look, x + span * scale.share(cell.mean), middle, 3.6))
    return parts
