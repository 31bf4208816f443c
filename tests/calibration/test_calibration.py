"""The table of docs/statistics.md, and the claims that pages make from it.

    python -m pytest tests/calibration -m calibration

simulates a sample of the grid (CALIBRATION_STUDIES=300 of each size) and holds it to the table of the pages.
With CALIBRATION_TABLE=calibration.csv the whole grid is simulated first, a thousand studies of each size, and
written to that file; what it has is kept, so that it can be stopped and taken up again. Rows that are to be
made anew are taken out first. Whoever changes an analysis runs test_fast_forms, too.
"""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

import pytest

from evaluation.analysis.statistics.calibration import Cell, table
from tests.calibration.simulation import extend, simulate

pytestmark = pytest.mark.calibration

STUDIES = int(os.environ.get("CALIBRATION_STUDIES", "300"))
SAMPLE = [
    (method, scenario, listeners, 3)
    for method in ("grades", "categories", "diff grades", "votes", "answers")
    for scenario in ("even", "near ceiling", "system x item")
    for listeners in (4, 16)
]


@pytest.mark.skipif("CALIBRATION_TABLE" not in os.environ, reason="no CALIBRATION_TABLE to write to")
def test_the_whole_grid_is_written() -> None:
    extend(Path(os.environ["CALIBRATION_TABLE"]), 1000)


@cache
def known(method: str, scenario: str, listeners: int, items: int) -> dict[str, Cell]:
    key = (method, scenario, listeners, items)
    return {
        cell.analysis: cell
        for cell in table()
        if (cell.method, cell.scenario, cell.listeners, cell.items) == key
    }


@pytest.mark.parametrize("key", SAMPLE, ids=" ".join(("%s",) * 4).__mod__)
def test_pages_read_what_is_simulated(key: tuple[str, str, int, int]) -> None:
    """Within four standard errors of both simulations, and one study."""
    for found in simulate(*key, STUDIES):
        cell = known(*key)[found.analysis]
        for one, other in ((found.coverage, cell.coverage), (found.alarms, cell.alarms)):
            assert (one is None) == (other is None)
            if one is None or other is None:
                continue
            share = (one * found.studies + other * cell.studies) / (found.studies + cell.studies) / 100
            error = math.sqrt(share * (1 - share) * (1 / found.studies + 1 / cell.studies))
            assert abs(one - other) <= 100 * (4 * error + 1 / found.studies), (found, cell)
