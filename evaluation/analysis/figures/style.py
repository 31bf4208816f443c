"""What all figures share: looks of systems, the scale, marks, texts, and conversion to files.

In a page, a figure takes its greys from the page's CSS custom properties and so follows light and dark mode.
A file (`standalone_svg`) contains literal colours, for papers and for programs without CSS.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from html import escape

from evaluation.analysis.words import figure

#: How a system is drawn: its colour as ``#rrggbb`` and its marker (circle, square, triangle or diamond).
Look = tuple[str, str]


class NoFonts(Exception):
    """This machine has no font for the text in pictures; the message is for the user."""


@dataclass(frozen=True)
class Scale:
    """A grading scale: its ends, where its lines stand, and the word in the middle of each band."""

    name: str
    low: float
    high: float
    ticks: tuple[float, ...]
    words: tuple[tuple[float, str], ...] = ()

    def clip(self, score: float) -> float:
        return min(self.high, max(self.low, score))

    def spread(self, mean: float, half_width: float | None, decimals: int) -> str:
        """Format a mean's interval: “ ± 3.4”, or its clipped ends if one lies outside the scale."""
        if half_width is None:
            return ""
        low, high = mean - half_width, mean + half_width
        if self.low <= low and high <= self.high:
            return f" ± {half_width:.{decimals}f}"
        return f" ({figure(self.clip(low), decimals)} to {figure(self.clip(high), decimals)})"

    def share(self, score: float) -> float:
        """The position of `score` between the ends, 0 to 1; scores outside are clipped."""
        return (self.clip(score) - self.low) / (self.high - self.low)


#: The continuous quality scale (M10).
MUSHRA = Scale(
    "MUSHRA",
    0.0,
    100.0,
    (0, 20, 40, 60, 80, 100),
    ((10, "Bad"), (30, "Poor"), (50, "Fair"), (70, "Good"), (90, "Excellent")),
)

FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, 'Noto Sans', 'DejaVu Sans', "
    "sans-serif"
)
#: Width of a character as a multiple of the font size, for DejaVu Sans, the widest common font.
CHARACTER = 0.6
_VARIABLE = re.compile(r"var\(--[a-z-]+, (#[0-9a-f]+)\)")
_OWN_DIRECTION = re.compile(r'(<text [^>]*unicode-bidi="plaintext"[^>]*>)([^<]*)')
_PAGE_ONLY = re.compile(r' (?:tabindex|role|aria-label|data-[a-z-]+|class)="[^"]*"')
TEXT, MUTED = "var(--text, #13191b)", "var(--muted, #566268)"
LINE, GROUND = "var(--line, #dbe1e3)", "var(--surface, #ffffff)"


_HEAD = re.compile(
    r'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 (?P<width>[\d.]+) (?P<height>[\d.]+)" '
    r'width="[\d.]+" height="[\d.]+"'
)


def stamp(svg: str, words: str) -> str:
    """Add a line of `words` above the figure, which is copied with it; none if `words` is empty."""
    found = _HEAD.match(svg)
    if not words or found is None:
        return svg
    width, height = float(found["width"]), float(found["height"]) + 24
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -24 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}"'
    )
    said = text(
        8, -8, words, fill="#b0281f", size=fit(words, width - 16, 13, bold=True), extra='font-weight="700"'
    )
    return head + svg[found.end() :].replace("</title>", f"</title>{said}", 1)


def standalone_svg(svg: str) -> str:
    """The figure as a file: XML declaration, white background, literal colours, no interaction."""
    plain = _PAGE_ONLY.sub("", _VARIABLE.sub(r"\1", svg))
    top = ' y="-24"' if 'viewBox="0 -24 ' in svg else ""
    ground = f'<rect{top} width="100%" height="100%" fill="#ffffff"/>'
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + plain.replace("</title>", "</title>" + ground, 1)


def png(svg: str, zoom: float = 2.0) -> bytes:
    """The figure as a PNG picture with `zoom` pixels per SVG pixel.

    Raises:
        NoFonts: this machine has no fonts.
    """
    import resvg_py

    family = _font_family()
    if family is None:
        raise NoFonts(
            "This server has no font for figures. Install one (Debian: apt-get install "
            "fonts-dejavu-core), or save the figure as SVG."
        )
    # resvg does not know unicode-bidi, but Unicode's own marks of a text with a direction of its own.
    isolated = _OWN_DIRECTION.sub("\\1\u2068\\2\u2069", standalone_svg(svg))
    return bytes(resvg_py.svg_to_bytes(svg_string=isolated, zoom=zoom, sans_serif_family=family))


@cache
def _font_family() -> str | None:
    """The first common sans-serif family that this machine can draw."""
    import resvg_py

    def draw(family: str, text: str) -> bytes:
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">'
            f'<text x="2" y="16" font-family="{family}">{text}</text></svg>'
        )
        return bytes(resvg_py.svg_to_bytes(svg_string=svg))

    families = ("Liberation Sans", "Arial", "Noto Sans", "DejaVu Sans", "Helvetica", "FreeSans", "Segoe UI")
    return next((family for family in families if draw(family, "M") != draw(family, "")), None)


def frame(width: float, height: float, title: str, parts: Iterable[str], *, plays: bool = False) -> str:
    """The SVG element around `parts`: a group of buttons if `plays`, otherwise one picture."""
    role = "group" if plays else "img"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="{role}" aria-label="{escape(title)}" '
        f'font-family="{FONT}" font-size="13"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    fill: str = TEXT,
    size: float = 13,
    extra: str = "",
) -> str:
    """A line of text; words in a script that runs from right to left do so, at the same place."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}" fill="{fill}"'
        f"{direction_of(words)}{' ' + extra if extra else ''}>{escape(words)}</text>"
    )


def footnote(words: str, x: float, y: float, width: float) -> str:
    """The line below a figure of `width`, which ends inside it whatever the font."""
    return text(x, y, words, fill=MUTED, size=fit(words, width - x - 8, 11))


def fit(words: str, room: float, size: float, *, bold: bool = False) -> float:
    """The font size, `size` at most, in which a line of `words` fits into `room` in any common font."""
    character = CHARACTER * (1.12 if bold else 1.0)
    return round(min(size, room / (character * max(1, len(words)))), 1)


def direction_of(words: str) -> str:
    """The attribute by which a text takes the direction of its own words, as ``dir="auto"`` does in HTML.

    Unlike ``direction``, it leaves the side on which ``text-anchor`` holds the text.
    """
    runs_left = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in words)
    return ' unicode-bidi="plaintext"' if runs_left else ""


def vertical_text(x: float, y: float, words: str) -> str:
    """The name of a vertical axis, which reads upwards."""
    return (
        f'<text transform="translate({x:g} {y:g}) rotate(-90)" text-anchor="middle" font-size="12" '
        f'fill="{MUTED}"{direction_of(words)}>{escape(words)}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1, extra: str = "") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{stroke}" stroke-width="{width:g}"{" " + extra if extra else ""}/>'
    )


def mark(look: Look, x: float, y: float, size: float = 5.0, extra: str = "") -> str:
    """A system's marker, outlined in the background colour; all shapes have about the same area."""
    hue, shape = look
    paint = f'fill="{hue}" stroke="{GROUND}" stroke-width="1.5"{" " + extra if extra else ""}'
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" {paint}/>'
    corners = {
        "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        "triangle": [(0, -1.25), (1.15, 0.8), (-1.15, 0.8)],
        "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
    }[shape]
    points = " ".join(f"{x + dx * size:.1f},{y + dy * size:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}" {paint}/>'


def shorten(words: str, room: float, size: float = 13) -> str:
    """Cut `words` with an ellipsis if they would be wider than `room` pixels."""
    most = max(4, int(room / (CHARACTER * size)))
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def margin(titles: Iterable[str], least: float, most: float, size: float = 13) -> float:
    """Width of a left margin that fits `titles`, in pixels."""
    longest = max((len(title) for title in titles), default=0)
    return min(most, max(least, 24 + CHARACTER * size * longest))
