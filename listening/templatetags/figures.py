"""Numbers in tables."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def figure(value: float | None, decimals: int) -> str:
    """`value` with that many decimals, or a dash where there is none."""
    return "–" if value is None else f"{value:.{decimals}f}".replace("-", "−")
