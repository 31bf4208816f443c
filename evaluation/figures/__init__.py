"""Figures of results as SVG: every system always in the same order, colour and marker.

In a page a figure takes its greys from the page's CSS custom properties and so follows light and
dark; saved to a file (`saved`) it has them written out, for papers and for programs without CSS.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from evaluation import statistics, systems

#: A hue per family, after Okabe and Ito (colour-blind safe), lighter or darker within it. Each has a
#: contrast of 3:1 on white and on the dark page. The marker tells a family's members apart.
_LOOKS: dict[str, tuple[str, str]] = {
    "original": ("#6f7680", "circle"),
    "anchor35": ("#8b8f96", "triangle"),
    "anchor70": ("#8b8f96", "square"),
    "opus-6k": ("#3f97d3", "triangle"),
    "opus-9k": ("#2585c7", "circle"),
    "opus-12k": ("#1f6fa8", "square"),
    "celp-8k": ("#9c6b00", "circle"),
    "celp-4k": ("#bd8410", "triangle"),
    "amrwb-6.6k": ("#0b9b74", "circle"),
    "amrwb-8.85k": ("#0a7f60", "square"),
    "amrnb-4.75k": ("#2da583", "triangle"),
    "codec2-2.4k": ("#c877a6", "triangle"),
    "codec2-3.2k": ("#b8649a", "circle"),
    "unified-gan-2k": ("#db7b3a", "square"),
    "bpgan-2k": ("#d55e00", "diamond"),
}

#: Of systems that the registry does not know: hues of their own, each with every marker.
_OTHERS = tuple(
    (hue, shape)
    for shape in ("circle", "diamond", "square", "triangle")
    for hue in ("#7d6fc4", "#c4496b", "#7a8420", "#2f8a9c", "#a0603f", "#a558bd")
)


def looks(slugs: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of systems that are shown together: no two alike, as far as there are looks.

    The registry's systems have theirs everywhere. Any other has the look that follows from its slug
    (`colour`, `marker`), or the next one that is free where two would fall together.
    """
    found: dict[str, tuple[str, str]] = {}
    taken: set[tuple[str, str]] = set()
    for slug in sorted(set(slugs)):
        if slug in _LOOKS:
            found[slug] = _LOOKS[slug]
            continue
        start = _place(slug)
        turn = [_OTHERS[(start + step) % len(_OTHERS)] for step in range(len(_OTHERS))]
        found[slug] = next((look for look in turn if look not in taken), turn[0])
        taken.add(found[slug])
    return found


def _place(slug: str) -> int:
    return int.from_bytes(hashlib.sha256(slug.encode()).digest()[:4], "big") % len(_OTHERS)


def colour(slug: str) -> str:
    """The colour of a system in every figure, as ``#rrggbb``."""
    return looks([slug])[slug][0]


def marker(slug: str) -> str:
    """The marker of a system in every figure: circle, square, triangle or diamond."""
    return looks([slug])[slug][1]


def order(slug: str) -> tuple[int, str]:
    """Sort key: see `evaluation.systems.order`."""
    return systems.order(slug)


@dataclass(frozen=True)
class GradeRow:
    """What `grades` draws of one system. `mean` None: no grades; `half_width` None: no interval."""

    slug: str
    title: str
    scores: Sequence[float]
    listener_means: Sequence[float]
    mean: float | None
    half_width: float | None


@dataclass(frozen=True)
class Point:
    """What `scatter` draws of one system."""

    slug: str
    title: str
    x: float
    y: float
    half_width: float | None


_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
_WORDS = ("Bad", "Poor", "Fair", "Good", "Excellent")
_VARIABLE = re.compile(r"var\(--[a-z-]+, (#[0-9a-f]+)\)")
_TEXT, _MUTED = "var(--text, #13191b)", "var(--muted, #566268)"
_LINE, _GROUND = "var(--line, #dbe1e3)", "var(--surface, #ffffff)"


def saved(svg: str) -> str:
    """A figure for a file: with an XML declaration, on white, its colours written out."""
    plain = _VARIABLE.sub(r"\1", svg)
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + plain.replace("</title>", "</title>" + ground, 1)


def _svg(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" font-family="{_FONT}" font-size="13">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = _TEXT, size: int = 13) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" style="fill:{fill}">'
        f"{escape(text)}</text>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1, extra: str = "") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'style="stroke:{stroke};stroke-width:{width:g}" {extra}/>'
    )


def _marker(slug: str, x: float, y: float, size: float = 5.0) -> str:
    """The system's marker, of about equal area whatever its shape, outlined in the ground's colour."""
    style = f'style="fill:{colour(slug)};stroke:{_GROUND};stroke-width:1.5"'
    shape = marker(slug)
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" {style}/>'
    corners = {
        "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "triangle": [(0, -1.25), (1.15, 0.8), (-1.15, 0.8)],
        "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
    }[shape]
    points = " ".join(f"{x + dx * size:.1f},{y + dy * size:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}" {style}/>'


def grades(rows: Sequence[GradeRow], title: str) -> str:
    """Grades per system, a row each: mean with 95 % interval, box plot behind, listeners as faint dots."""
    left, right, top, pitch = 156, 112, 36, 40
    width, height = 840, top + pitch * len(rows) + 52
    span, bottom = width - left - right, top + pitch * len(rows)

    def at(score: float) -> float:
        return left + span * min(100.0, max(0.0, score)) / 100

    parts = []
    for step, word in enumerate(_WORDS):
        parts.append(_text(at(20 * step + 10), top - 14, word, anchor="middle", fill=_MUTED, size=12))
    for score in range(0, 101, 20):
        parts.append(_line(at(score), top - 6, at(score), bottom, _LINE))
        parts.append(_text(at(score), bottom + 18, str(score), anchor="middle", fill=_MUTED, size=12))
    parts.append(_text(width - 8, top - 14, "mean ± 95 %", anchor="end", fill=_MUTED, size=12))
    for number, row in enumerate(rows):
        parts.append(_grade_row(row, top + pitch * (number + 0.5), at, left, width - 8))
    caption = (
        "Marker and bar: mean of listener means, 95 % t interval. Box: quartiles and median of grades. "
        "Dots: listeners."
    )
    parts.append(_text(left, bottom + 42, caption, fill=_MUTED, size=11))
    return _svg(width, height, title, parts)


def _grade_row(row: GradeRow, y: float, at: Callable[[float], float], left: float, right: float) -> str:
    hue = colour(row.slug)
    parts = [_text(left - 16, y + 4.5, row.title, anchor="end")]
    if row.mean is None:
        parts.append(_text(right, y + 4.5, "no grades", anchor="end", fill=_MUTED))
        return "".join(parts)
    box = statistics.box(row.scores)
    parts.append(_line(at(box.low), y, at(box.high), y, hue, 1, 'opacity="0.45"'))
    parts.append(
        f'<rect x="{at(box.q1):.1f}" y="{y - 11:.1f}" height="22" '
        f'width="{max(1.0, at(box.q3) - at(box.q1)):.1f}" '
        f'rx="2" style="fill:{hue}" fill-opacity="0.16"/>'
    )
    parts.append(_line(at(box.median), y - 11, at(box.median), y + 11, hue, 1.5, 'opacity="0.6"'))
    for index, mean in enumerate(row.listener_means):
        # Spread over the row's height by the golden ratio: even, and the same at every drawing.
        offset = ((index * 0.618034) % 1 - 0.5) * 24
        parts.append(
            f'<circle cx="{at(mean):.1f}" cy="{y + offset:.1f}" r="2.2" style="fill:{hue}" opacity="0.4"/>'
        )
    words = f"{row.mean:.1f}"
    if row.half_width is not None:
        low, high = at(row.mean - row.half_width), at(row.mean + row.half_width)
        parts.append(_line(low, y, high, y, hue, 2.5))
        parts += [_line(end, y - 5, end, y + 5, hue, 2.5) for end in (low, high)]
        words += f" ± {row.half_width:.1f}"
    parts.append(_marker(row.slug, at(row.mean), y))
    parts.append(_text(right, y + 4.5, words, anchor="end"))
    return "".join(parts)


def scatter(points: Sequence[Point], x_title: str, title: str) -> str:
    """Mean grade with its 95 % interval against an objective score, a labelled point per system."""
    width, height, left, right, top, bottom = 480, 360, 52, 20, 16, 312
    low, high = _limits([point.x for point in points])

    def across(x: float) -> float:
        return left + (width - left - right) * (x - low) / (high - low)

    def down(y: float) -> float:
        return bottom - (bottom - top) * min(100.0, max(0.0, y)) / 100

    parts = []
    for score in range(0, 101, 20):
        parts.append(_line(left, down(score), width - right, down(score), _LINE))
        parts.append(_text(left - 8, down(score) + 4, str(score), anchor="end", fill=_MUTED, size=12))
    step = 0.5 if high - low > 1 else 0.1
    for tick in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        parts.append(
            _text(
                across(tick * step), bottom + 18, f"{tick * step:.1f}", anchor="middle", fill=_MUTED, size=12
            )
        )
    parts.append(
        _text((left + width - right) / 2, bottom + 38, x_title, anchor="middle", fill=_MUTED, size=12)
    )
    parts.append(
        f'<text transform="translate(14 {(top + bottom) / 2:.0f}) rotate(-90)" text-anchor="middle" '
        f'font-size="12" '
        f'style="fill:{_MUTED}">MUSHRA, mean of listener means</text>'
    )
    for point in points:
        if point.half_width is not None:
            ends = down(point.y - point.half_width), down(point.y + point.half_width)
            x = across(point.x)
            parts.append(_line(x, ends[0], x, ends[1], colour(point.slug), 1.5, 'opacity="0.6"'))
    for point in points:
        parts.append(_marker(point.slug, across(point.x), down(point.y)))
    parts += _labels([(across(p.x), down(p.y), p.title) for p in points], left + 4, width - 4)
    return _svg(width, height, title, parts)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """A range around `values` that ends on halves, or on tenths where all lie close together."""
    if not values:
        return 0.0, 1.0
    step = 0.5 if max(values) - min(values) > 0.6 else 0.1
    low, high = math.floor(min(values) / step) * step, math.ceil(max(values) / step) * step
    return (low - step, high + step) if high - low < 2 * step else (low, high)


_Room = tuple[float, float, float, float]


def _labels(points: Sequence[tuple[float, float, str]], left: float, right: float) -> list[str]:
    """Names beside their points, moved apart until none covers another; a moved one gets a thin leader."""
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y, _ in points]
    parts = []
    for x, y, name in sorted(points, key=lambda point: point[1]):
        long = 6.6 * len(name)
        places: list[tuple[float, int, int, float, float, str, _Room]] = []
        for shift in (0, -16, 16, -32, 32, -48, 48, -64, 64):
            sides = [(x + 10, "start"), (x - 10, "end")]
            if shift:
                over = x + long / 2 > right
                sides = [(right, "end") if over else (max(x, left + long / 2), "middle")]
            for place_x, anchor in sides:
                start = place_x - {"start": 0.0, "middle": long / 2, "end": long}[anchor]
                room = (start - 3, y + shift - 7, start + long + 3, y + shift + 7)
                if left <= start and start + long <= right:
                    places.append(
                        (_overlap(room, taken), abs(shift), len(places), place_x, y + shift, anchor, room)
                    )
        _, shift, _, place_x, place_y, anchor, room = min(places)
        taken.append(room)
        if shift > 16:
            towards = math.copysign(8, place_y - y)
            parts.append(_line(x, y + towards, x, place_y - towards, _MUTED, 0.75))
        halo = f"paint-order:stroke;stroke:{_GROUND};stroke-width:3"
        parts.append(
            f'<text x="{place_x:.1f}" y="{place_y + 4:.1f}" text-anchor="{anchor}" font-size="12" '
            f'style="fill:{_TEXT};{halo}">{escape(name)}</text>'
        )
    return parts


def _overlap(room: _Room, taken: Iterable[_Room]) -> float:
    """The area that `room` (left, top, right, bottom) shares with the others."""
    return sum(
        max(0.0, min(room[2], other[2]) - max(room[0], other[0]))
        * max(0.0, min(room[3], other[3]) - max(room[1], other[1]))
        for other in taken
    )
