"""Every listener's means over the systems, as lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from evaluation.analysis.figures import style
from evaluation.analysis.words import plain


@dataclass(frozen=True)
class ListenerLine:
    """A listener's mean of each system, in the order of the figure; None where there is none."""

    name: str
    means: Sequence[float | None]


def listener_lines(
    systems: Sequence[tuple[str, style.Look]],
    lines: Sequence[ListenerLine],
    means: Sequence[float | None],
    title: str,
    scale: style.Scale = style.MUSHRA,
) -> str:
    """A line per listener over `systems`, titles and looks; `means` are over all listeners."""
    left, top, rise = 52, 16, 240
    step = min(150, max(70, 640 / max(1, len(systems))))
    span = step * len(systems)
    names = max((len(name) for name, _ in systems), default=0)
    foot = 24 + 0.5 * min(150, style.CHARACTER * 12 * names)
    width, height, bottom = left + span + 24, top + rise + foot + 34, top + rise

    def x_of(place: int) -> float:
        return left + step * (place + 0.5)

    def y_of(score: float) -> float:
        return bottom - rise * scale.share(score)

    parts = []
    for tick in scale.ticks:
        parts.append(style.line(left, y_of(tick), left + span, y_of(tick), style.LINE))
        label = plain(tick)
        parts.append(style.text(left - 8, y_of(tick) + 4, label, anchor="end", fill=style.MUTED, size=12))
    for place, (name, _) in enumerate(systems):
        x, y = x_of(place), bottom + 16
        parts.append(
            f'<g transform="rotate(-30 {x:.1f} {y:.1f})">'
            f"{style.text(x, y, style.shorten(name, 150, 12), anchor='end', size=12)}</g>"
        )
    for each in lines:
        for run in _runs(each.means):
            points = " ".join(f"{x_of(place):.1f},{y_of(score):.1f}" for place, score in run)
            if len(run) > 1:
                parts.append(
                    f'<polyline points="{points}" fill="none" stroke="{style.MUTED}" stroke-width="1" '
                    f'stroke-opacity="0.55"><title>{escape(each.name)}</title></polyline>'
                )
            else:
                ((place, score),) = run
                parts.append(
                    f'<circle cx="{x_of(place):.1f}" cy="{y_of(score):.1f}" r="1.8" fill="{style.MUTED}" '
                    'opacity="0.55"/>'
                )
    for place, ((_, look), mean) in enumerate(zip(systems, means, strict=True)):
        if mean is not None:
            parts.append(style.mark(look, x_of(place), y_of(mean), 6))
    caption = "Lines: each listener's mean of each system. Marks: means over listeners."
    parts.append(style.footnote(caption, left, height - 8, width))
    return style.frame(width, height, title, parts)


def _runs(means: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Neighbouring systems that the listener graded."""
    runs: list[list[tuple[int, float]]] = [[]]
    for place, mean in enumerate(means):
        if mean is None:
            runs.append([])
        else:
            runs[-1].append((place, mean))
    return [run for run in runs if run]
