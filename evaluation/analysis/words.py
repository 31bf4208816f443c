"""Numbers as sentences and tables show them."""

from __future__ import annotations

import re


def count(number: int, noun: str) -> str:
    """“1 listener”, “2 listeners”; for nouns whose plural takes an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def every(number: int, noun: str) -> str:
    """“the only listener”, “both listeners”, “all 3 listeners”; for nouns whose plural takes an s."""
    if number == 1:
        return f"the only {noun}"
    return f"both {noun}s" if number == 2 else f"all {number} {noun}s"


#: What stands between texts, what is printed letter by letter, and what people wrote: names and quotations.
_KEPT = re.compile(r"(<(pre|code|svg|script|style|textarea|bdi|blockquote)\b.*?</\2>|<[^>]*>)", re.DOTALL)
_UNIT = re.compile(r"(?<=\d) (?=(?:%|kbit/s|kHz|Hz|dBA?|ms|s|h|min|[kMG]B|points?)(?![\w/]))|(?<=±) (?=\d)")


def keep_units(html: str) -> str:
    """HTML in which no line breaks between a number and its unit or per cent, nor after its ±.

    Code, drawings, and what people wrote are left as they are.
    """
    parts = _KEPT.split(html)
    # Of three parts the second is what is kept, and the third the name of its tag.
    parts[::3] = [_UNIT.sub("\N{NO-BREAK SPACE}", text) for text in parts[::3]]
    del parts[2::3]
    return "".join(parts)


def typeset(number: str) -> str:
    """A number as Python writes it, with a minus, which is as wide as a plus, for its hyphen."""
    return number.replace("-", "−")


def plain(number: float) -> str:
    """A number without needless zeros; a zero is never negative."""
    return typeset(f"{number:zg}")


def points(number: float) -> str:
    """“1 point”, “0.2 points”: a number of points without needless zeros."""
    return f"{plain(number)} point" if number == 1 else f"{plain(number)} points"


def p_words(p: float | None, none: str = "no p") -> str:
    """A p value with its letter, to three decimals or as “< 0.001”; `none` where there is no value."""
    if p is None:
        return none
    return f"p {p_figure(p)}" if p < 0.001 else f"p = {p_figure(p)}"


def figure(value: float | None, decimals: int, *, signed: bool = False) -> str:
    """`value` to `decimals` places, or a dash where there is no value; a zero is never negative.

    Args:
        signed: whether what is not negative has a plus.
    """
    return "–" if value is None else typeset(f"{value:{'+' if signed else ''}z.{decimals}f}")


def p_figure(value: float | None) -> str:
    """A p value to three decimals, or “< 0.001”; to five where three would read as 0.05, which it is not."""
    if value is None:
        return "–"
    if value < 0.001:
        return "< 0.001"
    return f"{value:.{_decimals(value, 3, (0.05,), 5)}f}"


def percent(value: float | None, limits: tuple[float, ...] = (0, 0.5, 1)) -> str:
    """A share, 0 to 1, in whole per cent, or a dash where there is no value.

    To a tenth where it would read as one of `limits`, shares too, and is not: nearly all is not all, and an
    interval that excludes 50 % does not end there.
    """
    if value is None:
        return "–"
    hundredths = tuple(round(100 * limit, 9) for limit in limits)  # 100 * 0.29 is 28.999999999999996
    return f"{100 * value:.{_decimals(100 * value, 0, hundredths, 1)}f} %"


def _decimals(value: float, usual: int, limits: tuple[float, ...], most: int) -> int:
    """How many decimals, `usual` to `most`, do not make `value` one of `limits`, which it is not."""
    for decimals in range(usual, most):
        if round(value, decimals) not in limits or round(value, 9) in limits:
            return decimals
    return most
