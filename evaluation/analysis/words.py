"""Numbers as sentences say them."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """“1 listener”, “2 listeners”; for nouns whose plural takes an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def p_words(p: float | None, none: str = "no p") -> str:
    """A p value to three decimals with its letter, or that it is smaller; `none` where there is none."""
    if p is None:
        return none
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
