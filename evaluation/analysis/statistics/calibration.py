"""How well intervals and tests keep their promise: shares found in simulated studies, and where they miss.

`calibration.csv` is written by tests/calibration: for each kind of method, scenario and size of a study
the share of 95 % intervals that held the true figure, and of 5 % tests that found a difference where there
was none. A page looks up the cells that are like its study and says where they miss the goals.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.analysis.statistics import power
from evaluation.analysis.statistics.frames import Floats, tidy

LISTENERS, ITEMS = (4, 8, 16, 30), (1, 3, 8)
EVEN, UNEQUAL, MISSING, CEILING, BY_ITEM = SCENARIOS = (
    "even", "unequal spread", "missing", "near ceiling", "system x item",
)  # fmt: skip

#: Within these shares, in per cent, an interval of 95 % and a test of 5 % do as they claim.
COVERAGE, ALARMS = (93.5, 96.5), (3.5, 6.5)
_MANY = 1000

#: A study is like a scenario from these figures on, less than what was simulated: ratio of the larger
#: standard deviation of the rest to the smaller; share of cells without a grade; share of grades at an end of
#: the scale; variance between items of a difference by that of its rest.
_RATIO, _GAPS, _ENDS, _OF_ITEMS = 1.8, 0.1, 0.3, 0.15
#: The same of choices: share of the more frequent outcome; variance between listeners, and between items, by
#: that of the rest. Simulated were 0.9 and more, 0.2 and 0.1.
_ALIKE, _OF_LISTENERS, _CHOICES_OF_ITEMS = 0.85, 0.1, 0.05

TABLE = Path(__file__).with_name("calibration.csv")


@dataclass(frozen=True)
class Cell:
    """One analysis in one scenario and size; shares in per cent, None where it claims nothing of the kind.

    Attributes:
        studies: that were simulated and gave the analysis something to say.
        coverage: of 95 % intervals that hold the true figure.
        alarms: of 5 % tests that find a difference, or equivalence, where there is none.
    """

    method: str
    scenario: str
    listeners: int
    items: int
    analysis: str
    studies: int
    coverage: float | None
    alarms: float | None

    def values(self) -> tuple[object, ...]:
        return astuple(self)

    @property
    def slack(self) -> float:
        """Per cent by which a share of fewer than a thousand studies may miss by chance: two standard errors
        more than one of a thousand has."""
        beyond = 1 / math.sqrt(self.studies) - 1 / math.sqrt(_MANY)
        return max(0.0, 200 * math.sqrt(0.05 * 0.95) * beyond)

    @property
    def too_narrow(self) -> float:
        """Per cent by which coverage and alarms miss the goals to the wrong side; 0 if they do not."""
        short = 0.0 if self.coverage is None else COVERAGE[0] - self.coverage
        loud = 0.0 if self.alarms is None else self.alarms - ALARMS[1]
        return max(0.0, max(short, loud) - self.slack)

    @property
    def too_wide(self) -> float:
        """Per cent by which they miss to the safe side, which costs power; 0 if they do not."""
        long = 0.0 if self.coverage is None else self.coverage - COVERAGE[1]
        quiet = 0.0 if self.alarms is None else ALARMS[0] - self.alarms
        return max(0.0, max(long, quiet) - self.slack)


COLUMNS = tuple(field.name for field in fields(Cell))


@cache
def table() -> tuple[Cell, ...]:
    """Every cell of `calibration.csv`."""
    with TABLE.open(newline="") as file:
        return tuple(read(csv.DictReader(file)))


def read(rows: Iterable[dict[str, str]]) -> list[Cell]:
    """Cells of rows whose keys are `COLUMNS`."""
    return [
        Cell(
            row["method"],
            row["scenario"],
            int(row["listeners"]),
            int(row["items"]),
            row["analysis"],
            int(row["studies"]),
            float(row["coverage"]) if row["coverage"] else None,
            float(row["alarms"]) if row["alarms"] else None,
        )
        for row in rows
    ]


def find_misses(
    method: str, analyses: Iterable[str], listeners: int, items: int, scenarios: Sequence[str]
) -> list[Cell]:
    """Of each analysis the cell that misses its goals most, if any does, among those like this study.

    Args:
        listeners, items: of the study; the nearest sizes of the grid, by ratio, stand for them.
        scenarios: that the study is like, of `SCENARIOS`.
    """
    size = (_nearest(listeners, LISTENERS), _nearest(items, ITEMS))
    like = [
        cell
        for cell in table()
        if cell.method == method and cell.scenario in scenarios and (cell.listeners, cell.items) == size
    ]
    found = []
    for analysis in analyses:
        cells = [cell for cell in like if cell.analysis == analysis]
        # To claim too much is worse than to claim too little.
        worst = max(cells, key=lambda cell: (cell.too_narrow, cell.too_wide), default=None)
        if worst is not None and (worst.too_narrow or worst.too_wide):
            found.append(worst)
    return found


def _nearest(number: int, sizes: Sequence[int]) -> int:
    return min(sizes, key=lambda size: abs(math.log(max(1, number) / size)))


def scenarios_of(frame: pd.DataFrame, ends: Iterable[float]) -> tuple[str, ...]:
    """What of `SCENARIOS` grades are like, as far as they show it; ``even`` if nothing else.

    Args:
        frame: ``assessor, item, system, score`` of the systems that are compared, or of one.
        ends: grades beyond which there are none, and for diff grades 0: no impairment.
    """
    data = tidy(frame)
    if data.problem:
        return (EVEN,)
    found = []
    cube = data.cube()
    spreads = [_spread(cube[:, :, place]) for place in range(len(data.systems))]
    known = [spread for spread in spreads if spread is not None]
    if len(known) > 1 and max(known) > _RATIO * min(known):
        found.append(UNEQUAL)
    if np.isnan(cube).mean() >= _GAPS:
        found.append(MISSING)
    if np.isclose(data.score[:, None], list(ends)).any(axis=1).mean() >= _ENDS:
        found.append(CEILING)
    if len(data.systems) == 2:
        spread = power.spread_of(frame, *data.systems)
        if spread is not None and spread.item**2 > _OF_ITEMS * spread.rest**2:
            found.append(BY_ITEM)
    return tuple(found) or (EVEN,)


def scenarios_of_choices(frame: pd.DataFrame) -> tuple[str, ...]:
    """What of `SCENARIOS` the choices of pairs are like, as far as they show it; ``even`` if nothing else.

    Args:
        frame: of `choices.ABX_COLUMNS` or `choices.PREFERENCE_COLUMNS`.
    """
    found = set()
    whole = frame["assessor"].nunique() * frame["item"].nunique()
    for (first, _), its in frame.groupby(["first", "second"], sort=False):
        if "correct" in its:
            values = 2.0 * its["correct"].to_numpy(dtype=float) - 1
        else:
            chosen = its["chosen"]
            values = chosen.notna().to_numpy(float) * (2.0 * (chosen == first).to_numpy(float) - 1)
        if len(its.drop_duplicates(["assessor", "item"])) <= (1 - _GAPS) * whole:
            found.add(MISSING)
        if abs(values.mean()) >= 2 * _ALIKE - 1:
            found.add(CEILING)
        spread = power.split_spread(values, its["assessor"], its["item"])
        if spread is not None and spread.rest > 0:
            if spread.listener**2 > _OF_LISTENERS * spread.rest**2:
                found.add(UNEQUAL)
            if spread.item**2 > _CHOICES_OF_ITEMS * spread.rest**2:
                found.add(BY_ITEM)
    return tuple(scenario for scenario in SCENARIOS if scenario in found) or (EVEN,)


def _spread(grades: Floats) -> float | None:
    """Standard deviation of what listeners and items, (listeners, items), leave; with one item of grades."""
    there = ~np.isnan(grades)
    if there.sum() < 3:
        return None
    values = np.where(there, grades - grades[there].mean(), 0.0)
    if grades.shape[1] > 1:
        for axis in (0, 1):
            n = np.maximum(there.sum(axis=axis, keepdims=True), 1)
            values = np.where(there, values - values.sum(axis=axis, keepdims=True) / n, 0.0)
    return float(values[there].std())
