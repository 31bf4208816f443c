"""Measurements on the code that a study uses: the anchors' filter and the player's constants."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
from django.contrib.staticfiles import finders


@cache
def measure_filter(cutoff: float, rate: int) -> tuple[float, float, float] | None:
    """Ripple up to `cutoff`, and minimum attenuation from 500 Hz and from 1 kHz above `cutoff`, in dB.

    Measured on the taps' frequency response at steps of 4 Hz or less; None if there is nothing to filter.
    """
    from codec.reference import lowpass_taps

    taps = lowpass_taps(cutoff, rate)
    if taps is None:
        return None
    size = 1 << int(np.ceil(np.log2(max(taps.size, rate / 4))))
    level = 20 * np.log10(np.maximum(np.abs(np.fft.rfft(taps, size)), 1e-12))
    frequency = np.fft.rfftfreq(size, 1 / rate)

    def attenuation_from(offset: float) -> float:
        above = level[frequency >= cutoff + offset]
        return float(-above.max()) if above.size else float("inf")

    ripple = float(np.abs(level[frequency <= cutoff]).max())
    return ripple, attenuation_from(500), attenuation_from(1000)


@cache
def player_constants() -> dict[str, float]:
    """The player's fade and minimum loop durations, seconds, read from its script."""
    path = finders.find("js/audio/player.js")
    text = Path(str(path)).read_text(encoding="utf-8") if path else ""
    return {
        name: float(value)
        for name, value in re.findall(r"export const (FADE_SECONDS|MIN_LOOP_SECONDS) = ([\d.]+);", text)
    }
