"""The table of docs/statistics.md, and the claims that pages make from it.

    python -m pytest tests/calibration -m calibration      # CALIBRATION_STUDIES=1000, about half an hour

writes the table to the file that CALIBRATION_TABLE names, as Markdown.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from tests.calibration.simulation import Cell, tabulate

pytestmark = pytest.mark.calibration

STUDIES = int(os.environ.get("CALIBRATION_STUDIES", "1000"))


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    found = tabulate(STUDIES)
    if path := os.environ.get("CALIBRATION_TABLE"):
        Path(path).write_text(to_markdown(found))
    return found


def to_markdown(cells: list[Cell]) -> str:
    """A row a scenario and size, a column an analysis: coverage of 95 % intervals / alarms of 5 % tests."""
    names = list(dict.fromkeys(cell.name for cell in cells))
    found = {(cell.scenario, cell.listeners, cell.items, cell.name): cell for cell in cells}
    lines = [
        "| scenario | listeners | items | " + " | ".join(names) + " |",
        "|---|---|---|" + "---|" * len(names),
    ]
    for scenario, listeners, items in dict.fromkeys(
        (cell.scenario, cell.listeners, cell.items) for cell in cells
    ):
        shown = []
        for name in names:
            cell = found.get((scenario, listeners, items, name))
            parts = [] if cell is None else [cell.coverage, cell.alarms]
            shown.append(" / ".join("–" if part is None else f"{part:.1f}" for part in parts) or "–")
        lines.append(f"| {scenario} | {listeners} | {items} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def slack(percent: float) -> float:
    """Three standard errors of a share of `STUDIES`, in per cent."""
    return 3 * 100 * math.sqrt(percent / 100 * (1 - percent / 100) / STUDIES)


def test_the_primary_analysis_never_covers_less_than_it_claims(cells: list[Cell]) -> None:
    """Up to three points short where items are few, cells are missing or grades are cut off; else 1.5."""
    for cell in cells:
        if cell.name.startswith("primary") and cell.coverage is not None:
            short = 3.0 if cell.scenario in ("near ceiling", "missing") or cell.items < 8 else 1.5
            assert cell.coverage >= 95 - short - slack(95), cell


def test_the_primary_analysis_does_not_cry_wolf(cells: list[Cell]) -> None:
    for cell in cells:
        if cell.name == "primary, like" and cell.alarms is not None:
            assert cell.alarms <= 6.5 + slack(5), cell


def test_tests_that_take_the_items_as_all_there_are_do_cry_wolf(cells: list[Cell]) -> None:
    """What the page says of the companions: with system x item effects they speak for these items only."""
    wolves = [
        cell.alarms
        for cell in cells
        if cell.name == "sign-flip" and cell.scenario == "system x item" and cell.listeners == 30
    ]
    assert wolves
    assert all(alarms is not None and alarms > 15 for alarms in wolves)
