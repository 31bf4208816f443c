"""What is printed: JSON, numbers and tables."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def show_json(found: object) -> None:
    json.dump(found, sys.stdout, indent=1, ensure_ascii=False)
    print()


def show(arguments: argparse.Namespace, found: Any, plain: Callable[[Any], None]) -> None:
    """Print all that was found as JSON where that is asked for, and as `plain` does otherwise."""
    if arguments.json:
        show_json(found)
    else:
        plain(found)


def number(value: float | None, places: int = 2) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def count(n: int, noun: str) -> str:
    """``1 item``, ``2 items``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.1f}–{high:.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows in aligned columns: numbers to the right, texts to the left."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    right = [bool(cells) and all(row[at][:1].isdigit() or row[at] in ("–", "") for row in cells)
             for at in range(len(head))]  # fmt: skip
    right[0] = False
    for row in [list(head), *cells]:
        line = (
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        )
        print("  ".join(line).rstrip())
