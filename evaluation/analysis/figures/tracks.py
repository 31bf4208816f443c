"""The delay of an output from second to second, small enough for a cell of a table."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.analysis.figures.style import LINE, MUTED, TEXT, frame, line, text
from evaluation.analysis.words import figure

_HUE = "#0b7a83"


def delays(track: Sequence[tuple[float, float | None]], title: str) -> str:
    """A dot for each window of which the delay is known, over time.

    Args:
        track: middle of a window and its delay, both in seconds; late is positive and drawn upwards.
        title: what it shows, for those who do not see it.
    """
    width, height, left, right, top, bottom = 240.0, 96.0, 56.0, 8.0, 10.0, 26.0
    known = [delay for _, delay in track if delay is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    last = max((second for second, _ in track), default=1.0)
    span = max(high - low, 0.01)

    def x_of(second: float) -> float:
        return left + (width - left - right) * second / last

    def y_of(delay: float) -> float:
        return height - bottom - (height - top - bottom) * (delay - low) / span

    parts = []
    for delay in sorted({low, 0.0, high}):
        parts.append(line(left, y_of(delay), width - right, y_of(delay), LINE if delay else MUTED, 1))
        label = f"{figure(1000 * delay, 0)} ms"
        parts.append(text(left - 6, y_of(delay) + 4, label, anchor="end", fill=MUTED, size=11))
    for second in (0.0, last):
        anchor = "start" if second == 0 else "end"
        parts.append(text(x_of(second), height - 8, f"{second:.0f} s", anchor=anchor, fill=MUTED, size=11))
    parts += [
        f'<circle cx="{x_of(second):.1f}" cy="{y_of(delay):.1f}" r="2.5" fill="{_HUE}"/>'
        for second, delay in track
        if delay is not None
    ]
    if not known:
        parts.append(text(x_of(last / 2), height / 2, "?", anchor="middle", fill=TEXT))
    return frame(width, height, title, parts)
