"""The picture of a demo page for link previews (Open Graph): its title, authors and a waveform."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from codec.base import Audio
from evaluation.analysis.figures import png
from evaluation.analysis.figures.style import CHARACTER, FONT, direction_of, shorten
from listening.columns.demos import DemoContent, DemoFacts

#: What link previews show: 1.91 to 1.
WIDTH, HEIGHT = 1200, 630
_MARGIN = 72
_BARS = 132
_INK, _MUTED, _ACCENT = "#13191b", "#566268", "#0b6a72"


def draw_cover(content: DemoContent, facts: DemoFacts, outlines: Sequence[Audio]) -> bytes:
    """The picture as PNG, `WIDTH` by `HEIGHT` pixels.

    Args:
        content: the page.
        facts: its systems.
        outlines: a sound of each recording, its original where the page has it; the first is drawn.

    Raises:
        NoFonts: this machine has no fonts.
    """
    return png(cover_svg(content, facts, outlines), zoom=1.0)


def cover_svg(content: DemoContent, facts: DemoFacts, outlines: Sequence[Audio]) -> str:
    parts = [f'<rect width="8" height="{HEIGHT}" fill="{_ACCENT}"/>']
    y = 128.0
    for words in wrap(content.title, 2, 62, WIDTH - 2 * _MARGIN):
        parts.append(_words(_MARGIN, y, words, 62, _INK, 'font-weight="700"'))
        y += 74
    names = ", ".join(author.name for author in content.authors)
    for words in wrap(names, 1, 30, WIDTH - 2 * _MARGIN):
        parts.append(_words(_MARGIN, y, words, 30, _MUTED))
    if outlines:
        parts.append(_waveform(outlines[0], 330, 190))
    for number, system in enumerate(facts.systems):
        parts.append(f'<circle cx="{_MARGIN + 10 + 28 * number}" cy="561" r="10" fill="{system.colour}"/>')
    counted = f"{len(facts.recordings)} × {len(facts.systems)} sounds to compare"
    parts.append(_words(_MARGIN + 14 + 28 * len(facts.systems), 570, counted, 26, _MUTED))
    parts.append(_words(WIDTH - _MARGIN, 570, "Earshot", 28, _ACCENT, 'font-weight="700" text-anchor="end"'))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="{FONT}"><title>{escape(content.title)}</title>{"".join(parts)}</svg>'
    )


def _words(x: float, y: float, words: str, size: float, fill: str, extra: str = "") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{fill}" {extra}{direction_of(words)}>'
        f"{escape(words)}</text>"
    )


def wrap(text: str, lines: int, size: float, room: float) -> list[str]:
    """`text` in at most `lines` lines of `room` pixels; what does not fit is cut with an ellipsis."""
    most = int(room / (CHARACTER * size))
    found: list[str] = []
    for word in text.split():
        if found and len(found[-1]) + 1 + len(word) <= most:
            found[-1] += f" {word}"
        else:
            found.append(word)
    if len(found) > lines:
        found = [*found[: lines - 1], " ".join(found[lines - 1 :])]
    return [shorten(line, room, size) for line in found]


def _waveform(audio: Audio, top: float, height: float) -> str:
    """Bars from the lowest to the highest sample of equal parts of `audio`."""
    mono: NDArray[np.float32] = audio if audio.ndim == 1 else np.abs(audio).max(axis=1)
    edges = np.linspace(0, len(mono), _BARS + 1).astype(int)
    peaks = np.array([np.abs(mono[a : max(b, a + 1)]).max(initial=0.0) for a, b in pairwise(edges)])
    loudest = float(peaks.max(initial=0.0)) or 1.0
    pitch = (WIDTH - 2 * _MARGIN) / _BARS
    middle = top + height / 2
    bars = []
    for number, peak in enumerate(peaks / loudest):
        half = max(1.5, float(peak) * height / 2)
        bars.append(
            f'<rect x="{_MARGIN + number * pitch:.1f}" y="{middle - half:.1f}" width="{pitch - 3:.1f}" '
            f'height="{2 * half:.1f}" rx="2"/>'
        )
    return f'<g fill="{_ACCENT}">{"".join(bars)}</g>'
