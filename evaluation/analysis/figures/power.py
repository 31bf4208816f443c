"""Power against the number of listeners (or trials), a curve for each true difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from evaluation.analysis.figures.style import LINE, MUTED, TEXT, frame, line, text, vertical_text

_HUES = ("#0b7a83", "#8a5a00", "#6a4c93", "#b0281f", "#3b6d11")
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4")


@dataclass(frozen=True)
class PowerCurve:
    """One curve; `powers`, 0 to 1, are of `numbers`, which rise. `needed` of them reach what is wanted."""

    label: str
    numbers: Sequence[int]
    powers: Sequence[float]
    needed: int | None


def power_curves(curves: Sequence[PowerCurve], title: str, axis: str, wanted: float = 0.8) -> str:
    """A curve for each difference, with its label at the right end and a mark where it reaches `wanted`."""
    left, right, top, span, rise = 68, 190, 16, 420, 220
    width, height, bottom = left + span + right, top + rise + 48, top + rise
    most = max(number for curve in curves for number in curve.numbers)

    def x_of(number: float) -> float:
        return left + span * number / most

    def y_of(power: float) -> float:
        return bottom - rise * power

    parts = [vertical_text(14, top + rise / 2, "power")]
    for percent in range(0, 101, 20):
        y = y_of(percent / 100)
        parts.append(line(left, y, left + span, y, LINE))
        parts.append(text(left - 8, y + 4, f"{percent} %", anchor="end", fill=MUTED, size=12))
    parts.append(line(left, y_of(wanted), left + span, y_of(wanted), MUTED, 1.5, 'stroke-dasharray="4 4"'))
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if most / step <= 8)
    for number in range(0, most + 1, step):
        parts.append(line(x_of(number), bottom, x_of(number), bottom + 4, MUTED))
        parts.append(text(x_of(number), bottom + 18, str(number), anchor="middle", fill=MUTED, size=12))
    parts.append(text(left + span / 2, bottom + 38, axis, anchor="middle", fill=MUTED, size=12))
    heights = _spread_out([y_of(curve.powers[-1]) for curve in curves], 16, bottom)
    for number, (curve, height_of_label) in enumerate(zip(curves, heights, strict=True)):
        hue, dash = _HUES[number % len(_HUES)], _DASHES[number % len(_DASHES)]
        points = " ".join(
            f"{x_of(n):.1f},{y_of(power):.1f}" for n, power in zip(curve.numbers, curve.powers, strict=True)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{hue}" stroke-width="2" '
            f'stroke-dasharray="{dash}"/>'
        )
        if curve.needed is not None and curve.needed <= most:
            parts.append(
                f'<circle cx="{x_of(curve.needed):.1f}" cy="{y_of(wanted):.1f}" r="4" fill="{hue}"/>'
            )
        needed = "" if curve.needed is None else f": {curve.needed}"
        y = height_of_label - 4
        parts.append(line(left + span + 6, y, left + span + 26, y, hue, 2, f'stroke-dasharray="{dash}"'))
        parts.append(text(left + span + 30, height_of_label, f"{curve.label}{needed}", fill=TEXT, size=12))
    return frame(width, height, title, parts)


def _spread_out(places: Sequence[float], apart: float, lowest: float) -> list[float]:
    """`places` moved as far as labels need to stand `apart`: downwards, and up again above `lowest`.

    Further down stand the numbers of the axis.
    """
    order = sorted(range(len(places)), key=lambda place: places[place])
    found = list(places)
    for before, after in pairwise(order):
        found[after] = max(found[after], found[before] + apart)
    for after in reversed(order):
        found[after] = min(found[after], lowest)
        lowest = found[after] - apart
    return [place + 4 for place in found]
