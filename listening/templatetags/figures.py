"""Numbers in tables."""

from __future__ import annotations

from django import template

from evaluation.analysis import words

register = template.Library()
register.filter("p_words", words.p_words)


@register.filter
def figure(value: float | None, decimals: int) -> str:
    """`value` with that many decimals, or a dash where there is none."""
    return "–" if value is None else f"{value:.{decimals}f}".replace("-", "−")


@register.filter
def p(value: float | None) -> str:
    """A p value to three decimals, or that it is smaller."""
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


@register.filter
def percent(value: float | None) -> str:
    """A share as whole per cent, or a dash where there is none."""
    return "–" if value is None else f"{100 * value:.0f} %"
