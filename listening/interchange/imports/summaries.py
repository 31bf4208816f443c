"""Rows and columns that sum up a table: found by what they are called and by their figures."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from statistics import fmean, median, pstdev, stdev, variance
from typing import TypeVar

from listening.interchange.imports.doubts import Option
from listening.interchange.imports.reading import Blank, Grade, Reading, Verdict, name_lines
from listening.interchange.imports.table import reduce

KeyT = TypeVar("KeyT")

#: What nobody and nothing is called but a figure, reduced to letters and digits.
_STRONG = frozenset({
    "mean", "means", "grandmean", "average", "averages", "avg", "median", "overall", "total", "totals",
    "grandtotal", "summary", "subtotal", "mos", "stdev", "stddev", "stdv", "standarddeviation",
    "standarderror", "stderr", "variance", "ci95", "95ci", "ki95", "confidenceinterval", "mittelwert",
    "mittel", "mittelwerte", "durchschnitt", "gesamt", "gesamtergebnis", "gesamtmittel", "summe",
    "standardabweichung", "stdabw", "standardfehler", "stabw", "varianz", "konfidenzintervall",
    "moyenne", "médiane", "mediane", "écarttype", "ecarttype", "totalgénéral", "totalgeneral",
    "erreurtype", "平均", "平均値", "中央値", "標準偏差", "標準誤差", "合計", "分散", "promedio",
    "media",
})  # fmt: skip
#: What people, recordings and systems may be called as well.
_WEAK = frozenset({
    "n", "sum", "min", "max", "sd", "std", "var", "se", "sem", "all", "count", "m", "ø", "minimum",
    "maximum", "alle", "anzahl", "tous", "kd", "計", "全体", "人数",
})  # fmt: skip


def _error(values: Sequence[float]) -> float:
    return float(stdev(values) / math.sqrt(len(values)))


#: The figures, each of two values or more.
_FIGURES: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": fmean,
    "standard deviation": stdev,
    "median": median,
    "number": len,
    "sum": sum,
    "minimum": min,
    "maximum": max,
    "variance": variance,
    "standard error": _error,
    "standard deviation (of a population)": pstdev,
    "95 % interval": lambda values: 1.96 * _error(values),
}
#: Those that no row of grades has by chance.
_TELLING = ("mean", "standard deviation")


def strength(name: str) -> int:
    """2 if a name is a figure's and nothing else's, 1 if it may be one's, else 0."""
    plain = reduce(name)
    first = reduce((re.findall(r"[^\W_]+", name) or [""])[0])
    if plain in _STRONG or first in _STRONG:
        return 2
    return 1 if plain in _WEAK else 0


def figure_of(
    said: Mapping[KeyT, float], beside: Callable[[KeyT], Sequence[float]], *, telling: bool = False
) -> str:
    """The figure of the values beside it that every one of some values is; empty if there is none.

    Values agree if they are the same after rounding to the digits that are given.

    Args:
        said: the values, by what identifies their place.
        beside: the values beside a place; with fewer than two nothing is compared.
        telling: accept only a figure that nothing is by chance: of three places or more, and not whole
            numbers alone.
    """
    if telling and all(value.is_integer() for value in said.values()):
        return ""
    most = 0.5 * 10.0 ** -max(map(_digits, said.values()), default=0) + 1e-9
    for name in _TELLING if telling else _FIGURES:
        compared = 0
        for key, value in said.items():
            values = beside(key)
            if len(values) < 2:
                continue
            if abs(_FIGURES[name](values) - value) > most:
                break
            compared += 1
        else:
            if compared >= (3 if telling else 1):
                return name
    return ""


def _digits(value: float) -> int:
    _whole, _point, digits = f"{value:.6f}".rstrip("0").partition(".")
    return len(digits)


def cut_summaries(reading: Reading, answers: Mapping[str, str], dimensions: Sequence[str]) -> None:
    """Leave out listeners, items and systems that are figures of the others, and ask about each of them."""
    for dimension in dimensions:
        cells: dict[object, dict[str, tuple[float, int]]] = {}
        own: dict[str, dict[object, float]] = {}
        lines: dict[str, list[int]] = {}
        for grade in reading.grades:
            name, key = _part(grade, dimension)
            cells.setdefault(key, {})[name] = grade.score, grade.line
            own.setdefault(name, {})[key] = grade.score
            lines.setdefault(name, []).append(grade.line)
        suspects = {name for name in own if strength(name)}
        left: set[str] = set()
        for name in own if len(own) > 1 else ():
            strong = strength(name)
            apart = {name, *suspects, *left}
            found = figure_of(own[name], partial(_others, cells, apart), telling=not strong)
            if not found and strong:  # or of those above: of a group of listeners
                found = figure_of(own[name], partial(_others, cells, apart, above=lines[name][0]))
            if not found and strong < (1 if dimension == "listener" else 2):
                continue
            enough = len(own) - len(suspects) > 1
            why = (
                f"its figures are the {found} of the other {dimension}s’"
                if found
                else f"it is called so, but its figures are not those of the other {dimension}s"
            )
            answer = reading.ask(
                answers,
                f"summary:{dimension}:{name}",
                lines[name][0],
                f"Does “{name}” sum up the other {dimension}s? {why[0].upper()}{why[1:]}.",
                [
                    Option("out", "It sums them up", "It is left out."),
                    Option("keep", f"It is a {dimension}", f"It counts as one of the {dimension}s."),
                ],
                "out" if found or (dimension == "listener" and strong > 1 and enough) else "keep",
            )
            if answer == "out":
                left.add(name)
                reading.notes.append(
                    f"“{name}” sums up the other {dimension}s ({why}), and is left out: "
                    f"{name_lines(lines[name])}."
                )
        if left:
            reading.leave_out(partial(_is_one_of, dimension, left))


def _others(
    cells: Mapping[object, Mapping[str, tuple[float, int]]],
    apart: Container[str],
    key: object,
    above: float = math.inf,
) -> list[float]:
    return [value for name, (value, line) in cells[key].items() if name not in apart and line < above]


def _is_one_of(dimension: str, names: Container[str], row: Grade | Verdict | Blank) -> bool:
    return _part(row, dimension)[0] in names


def _part(row: Grade | Verdict | Blank, dimension: str) -> tuple[str, object]:
    """The name of a row's listener, item or system, and what identifies the row beside it."""
    system = "" if isinstance(row, Verdict) else row.system
    pair = row.trial if isinstance(row, Grade) and row.trial != system else ""
    if dimension == "listener":
        return row.assessor, (row.item, system, pair)
    if dimension == "item":
        return row.item, (row.assessor, system, pair)
    return system, (row.assessor, row.item, pair)
