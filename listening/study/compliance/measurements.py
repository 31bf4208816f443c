"""What can be measured of the code that a study is held with: the anchors' filter, the player's constants."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
from django.contrib.staticfiles import finders


@cache
def measure_filter(cutoff: float, rate: int) -> tuple[float, float, float] | None:
    """Ripple up to `cutoff`, and least attenuation from 500 Hz and from 1 kHz above it on, in dB.

    Measured on the taps' frequency response at 4 Hz steps or finer; None where there is nothing to filter.
    """
    from codec.reference import lowpass_taps

    taps = lowpass_taps(cutoff, rate)
    if taps is None:
        return None
    size = 1 << int(np.ceil(np.log2(max(taps.size, rate / 4))))
    level = 20 * np.log10(np.maximum(np.abs(np.fft.rfft(taps, size)), 1e-12))
    frequency = np.fft.rfftfreq(size, 1 / rate)

    def beyond(offset: float) -> float:
        above = level[frequency >= cutoff + offset]
        return float(-above.max()) if above.size else float("inf")

    ripple = float(np.abs(level[frequency <= cutoff]).max())
    return ripple, beyond(500), beyond(1000)


@cache
def player_constants() -> dict[str, float]:
    """Seconds that the player's script fades for and loops at least, as the script has them."""
    path = finders.find("js/audio/player.js")
    text = Path(str(path)).read_text(encoding="utf-8") if path else ""
    return {
        name: float(value)
        for name, value in re.findall(r"export const (FADE_SECONDS|MIN_LOOP_SECONDS) = ([\d.]+);", text)
    }
