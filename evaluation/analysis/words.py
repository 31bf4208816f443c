"""Numbers as sentences and tables show them."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """“1 listener”, “2 listeners”; for nouns whose plural takes an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def points(number: float) -> str:
    """“1 point”, “0.2 points”: a number of points without needless zeros."""
    return f"{number:g} point" if number == 1 else f"{number:g} points"


def p_words(p: float | None, none: str = "no p") -> str:
    """A p value with its letter, to three decimals or as “< 0.001”; `none` where there is no value."""
    if p is None:
        return none
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def figure(value: float | None, decimals: int) -> str:
    """`value` to `decimals` places, or a dash where there is no value."""
    return "–" if value is None else f"{value:.{decimals}f}".replace("-", "−")


def p_figure(value: float | None) -> str:
    """A p value to three decimals, or “< 0.001”."""
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def percent(value: float | None) -> str:
    """A share in whole per cent, or a dash where there is no value."""
    return "–" if value is None else f"{100 * value:.0f} %"
