"""The frequency axis of spectrograms."""

from __future__ import annotations

from django import template

register = template.Library()

_PARTS = 4


@register.filter
def frequency_marks(rate: int) -> list[str]:
    """Marks of a spectrogram from the top, half of `rate` (Hz), down to 0 in quarters, in kHz."""
    top = rate / 2000
    marks = [f"{top * part / _PARTS:.3g}" for part in range(_PARTS, -1, -1)]
    return [f"{top:.4g} kHz", *marks[1:]]
