"""Grades against a measured value: a labelled point per system, or a point per stimulus."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from evaluation.analysis.figures import style
from evaluation.analysis.statistics.ranking import best_first
from evaluation.analysis.words import figure, plain

#: Systems that do not code are drawn beyond an axis break, at this position in kbit/s.
UNCODED_FROM = 100.0


@dataclass(frozen=True)
class Point:
    """A system or stimulus in `scatter`.

    Attributes:
        play: URL of a sound; the point becomes a button that plays it.
        about: description of a point without a label, e.g. its item.
    """

    title: str
    look: style.Look
    x: float
    y: float
    half_width: float | None
    play: str = ""
    about: str = ""


_WIDTH, _HEIGHT = 480, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 20, 16, 312


def scatter(
    points: Sequence[Point],
    x_title: str,
    title: str,
    *,
    labels: bool = True,
    scale: style.Scale = style.MUSHRA,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> str:
    """Mean grade with its 95 % interval against an objective score, one point per system or stimulus.

    Args:
        bounds: lowest and highest score that there can be; the axis does not go beyond, unless a point does.
    """
    low, high = _limits([point.x for point in points], bounds)

    def x_of(x: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (x - low) / (high - low)

    parts = _grades_axis(scale, _WIDTH - _RIGHT)
    step = _step(high - low)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    for tick in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        parts.append(_tick(x_of(tick * step), figure(tick * step, digits)))
    parts.append(_axis_name((_LEFT + _WIDTH - _RIGHT) / 2, x_title))
    parts += _points(points, [x_of(point.x) for point in points], scale, labels)
    return style.frame(_WIDTH, _HEIGHT, title, parts, plays=any(point.play for point in points))


def rates(points: Sequence[Point], title: str, scale: style.Scale = style.MUSHRA) -> str:
    """Mean grade against measured bit rate, kbit/s; uncoded systems are drawn beyond an axis break."""
    coded = [point.x for point in points if point.x < UNCODED_FROM]
    uncoded = len(coded) < len(points)
    right = _WIDTH - _RIGHT - (120 if uncoded else 0)
    most = max(2.0, math.ceil(max(coded, default=0) * 1.05 / 2) * 2)

    def x_of(x: float) -> float:
        return right + 28 if x >= UNCODED_FROM else _LEFT + (right - _LEFT) * x / most

    parts = _grades_axis(scale, _WIDTH - _RIGHT)
    step = next(step for step in (1, 2, 4, 8, 16, 32) if most / step <= 8)
    parts += [_tick(x_of(kbps), f"{kbps}") for kbps in range(0, int(most) + 1, step)]
    if uncoded:
        parts.append(
            style.line(right + 12, _TOP, right + 12, _BOTTOM, style.MUTED, 1, 'stroke-dasharray="2 4"')
        )
        parts.append(_tick(right + 16, "uncoded", anchor="start"))
    parts.append(_axis_name((_LEFT + right) / 2, "measured bit rate, kbit/s"))
    parts += _points(points, [x_of(point.x) for point in points], scale, True)
    return style.frame(_WIDTH, _HEIGHT, title, parts, plays=any(point.play for point in points))


def _grades_axis(scale: style.Scale, right: float) -> list[str]:
    parts = []
    for score in scale.ticks:
        parts.append(style.line(_LEFT, _y_of(scale, score), right, _y_of(scale, score), style.LINE))
        parts.append(
            style.text(
                _LEFT - 8, _y_of(scale, score) + 4, plain(score), anchor="end", fill=style.MUTED, size=12
            )
        )
    return [*parts, style.vertical_text(14, (_TOP + _BOTTOM) / 2, f"{scale.name}, mean of listener means")]


def _y_of(scale: style.Scale, score: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * scale.share(score)


def _tick(x: float, words: str, anchor: str = "middle") -> str:
    return style.text(x, _BOTTOM + 18, words, anchor=anchor, fill=style.MUTED, size=12)


def _axis_name(x: float, words: str) -> str:
    return style.text(x, _BOTTOM + 38, words, anchor="middle", fill=style.MUTED, size=12)


def _points(points: Sequence[Point], xs: Sequence[float], scale: style.Scale, labels: bool) -> list[str]:
    parts = []
    for point, x in zip(points, xs, strict=True):
        if point.half_width is not None and labels:
            ends = (_y_of(scale, point.y + sign * point.half_width) for sign in (-1, 1))
            parts.append(style.line(x, next(ends), x, next(ends), point.look[0], 1.5, 'opacity="0.6"'))
    for point, x in zip(points, xs, strict=True):
        parts.append(_button(point, x, _y_of(scale, point.y), 5.0 if labels else 4.0))
    if labels:
        places = [(x, _y_of(scale, point.y), point.title) for point, x in zip(points, xs, strict=True)]
        parts += _labels(places, _LEFT + 4, _WIDTH - 4)
    return parts


def _button(point: Point, x: float, y: float, size: float) -> str:
    """The marker; if it plays a sound, wrapped in a button with its own accessible name."""
    drawn = style.mark(point.look, x, y, size)
    words = escape(f"{point.title}{', ' + point.about if point.about else ''}: grade {figure(point.y, 1)}")
    if not point.play:
        return f"<g><title>{words}</title>{drawn}</g>"
    return (
        f'<g class="plays" data-play="{escape(point.play)}" tabindex="0" role="button" '
        f'aria-label="Play {words}"><title>{words}</title>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="11" fill="none" pointer-events="all"/>{drawn}</g>'
    )


def _step(span: float) -> float:
    return next((step for step in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if span / step <= 8), 100)


def _limits(values: Sequence[float], bounds: tuple[float, float]) -> tuple[float, float]:
    """A range around `values` that ends on halves, or on tenths if the values are close together.

    It ends at `bounds` where it would go beyond and `values` do not.
    """
    if not values:
        return 0.0, 1.0
    spread = max(values) - min(values)
    step = next((step for step in (0.1, 0.5, 5.0) if spread <= 6 * step), 10.0)
    low, high = math.floor(min(values) / step) * step, math.ceil(max(values) / step) * step
    if high - low < 2 * step:
        low, high = low - step, high + step
    return min([max(low, bounds[0]), *values]), max([min(high, bounds[1]), *values])


_Room = tuple[float, float, float, float]
#: How far a name may move up or down; some of these stay between the top and the axis, wherever a point is.
_SHIFTS = (0, -16, 16, -32, 32, -48, 48, -64, 64)


def _labels(points: Sequence[tuple[float, float, str]], left: float, right: float) -> list[str]:
    """Names beside their points, moved apart until none overlap; a moved name gets a thin leader line."""
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y, _ in points]
    parts = []
    for x, y, full in best_first(points, lambda point: -point[1]):
        name = full if len(full) <= 28 else full[:27].rstrip() + "…"
        long = style.CHARACTER * 12 * len(name)
        places: list[tuple[float, int, int, float, float, str, _Room]] = []
        inside = [shift for shift in _SHIFTS if y + shift - 7 >= 2 and y + shift + 7 <= _BOTTOM - 2]
        for shift in inside:
            sides = [(x + 10, "start"), (x - 10, "end")]
            if shift:
                over = x + long / 2 > right
                sides = [(right, "end") if over else (max(x, left + long / 2), "middle")]
            for place_x, anchor in sides:
                start = place_x - {"start": 0.0, "middle": long / 2, "end": long}[anchor]
                room = (start - 3, y + shift - 7, start + long + 3, y + shift + 7)
                if left - 0.1 <= start and start + long <= right + 0.1:  # rounding aside
                    places.append(
                        (_overlap(room, taken), abs(shift), len(places), place_x, y + shift, anchor, room)
                    )
        _, shift, _, place_x, place_y, anchor, room = min(places)
        taken.append(room)
        if shift > 16:
            towards = math.copysign(8, place_y - y)
            parts.append(style.line(x, y + towards, x, place_y - towards, style.MUTED, 0.75))
        # Not a stroke below the letters: the PDF's renderer knows no paint-order and draws it over them.
        parts.append(
            f'<rect x="{room[0]:.1f}" y="{room[1]:.1f}" width="{room[2] - room[0]:.1f}" '
            f'height="{room[3] - room[1]:.1f}" fill="{style.GROUND}" fill-opacity="0.75"/>'
        )
        parts.append(style.text(place_x, place_y + 4, name, anchor=anchor, size=12))
    return parts


def _overlap(room: _Room, taken: Iterable[_Room]) -> float:
    """The area in which `room` (left, top, right, bottom) overlaps the others."""
    return sum(
        max(0.0, min(room[2], other[2]) - max(room[0], other[0]))
        * max(0.0, min(room[3], other[3]) - max(room[1], other[1]))
        for other in taken
    )
