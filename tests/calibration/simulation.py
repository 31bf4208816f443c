"""Studies of two systems that do not differ, of many sizes and kinds, and what the analyses claim of them.

The grades of a listener, an item and a system are

    50 + listener + item + listener x system + system x item + rest,

normal, with standard deviations 8, 8, 4, 0 and 8 points, and changes of these by scenario.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.analysis.statistics import comparisons
from evaluation.analysis.statistics.differences import Population, compare
from evaluation.analysis.statistics.intervals import half_width

LISTENERS, ITEMS = (4, 8, 16, 30), (1, 3, 8)
SCENARIOS = ("even", "unequal spread", "missing", "near ceiling", "system x item")
#: Grades near the ceiling are cut off at 100.
CEILING = 97.0


@dataclass(frozen=True)
class Claim:
    """What one analysis claimed of one study: whether its interval covers, whether its test cries wolf."""

    name: str
    covers: bool | None
    alarms: bool | None


@dataclass(frozen=True)
class Cell:
    """A row of the table: shares over the studies in which the analysis gave an answer, in per cent."""

    name: str
    scenario: str
    listeners: int
    items: int
    studies: int
    coverage: float | None
    alarms: float | None


def draw_study(
    scenario: str, listeners: int, items: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, float]:
    """A tidy frame of systems ``a`` and ``b``, and the true difference over these very items, in points."""
    shape = (listeners, items, 2)
    base = CEILING if scenario == "near ceiling" else 50.0
    by_item = (
        5.0 * rng.standard_normal((1, items, 2)) if scenario == "system x item" else np.zeros((1, items, 2))
    )
    spread = np.array([4.0, 16.0]) if scenario == "unequal spread" else np.array([8.0, 8.0])
    common = 0.0 if scenario == "near ceiling" else 8.0
    scores = (
        base
        + common * rng.standard_normal((listeners, 1, 1))
        + common * rng.standard_normal((1, items, 1))
        + 4.0 * rng.standard_normal((listeners, 1, 2))
        + by_item
        + spread * rng.standard_normal(shape)
    )
    if scenario == "near ceiling":
        scores = np.minimum(scores, 100.0)
    kept = np.ones(shape, dtype=bool)
    if scenario == "missing":
        kept = rng.random(shape) > 0.3
    listener, item, system = np.nonzero(kept)
    frame = pd.DataFrame(
        {
            "assessor": listener,
            "item": item,
            "system": np.array(["a", "b"], dtype=object)[system],
            "score": scores[kept],
        }
    )
    return frame, float((by_item[0, :, 0] - by_item[0, :, 1]).mean())


def judge(frame: pd.DataFrame, truth: float, seed: int) -> Iterator[Claim]:
    """What each analysis claims of a study whose difference over its items is `truth`, and 0 over all."""
    pair: list[comparisons.Pair] = [("a", "b")]
    for population, true in ((Population.ITEMS_LIKE_THESE, 0.0), (Population.THESE_ITEMS, truth)):
        rows = compare(frame, pair, population=population).rows
        row = rows[0]
        if (
            row.population is population
            and row.low is not None
            and row.high is not None
            and row.p is not None
        ):
            alarms = row.p < 0.05 if true == 0.0 else None
            yield Claim(f"primary, {population.value}", row.low <= true <= row.high, alarms)
    for name, found in (
        ("sign-flip", comparisons.sign_flip(frame, pair, seed=seed)),
        ("Wilcoxon", comparisons.wilcoxon(frame, pair)),
    ):
        p = found.rows[0].p if found.rows else None
        if p is not None:
            yield Claim(name, None, p < 0.05)
    means = frame[frame["system"] == "a"].groupby("assessor")["score"].mean()
    other = frame[frame["system"] == "b"].groupby("assessor")["score"].mean()
    apart = (means - other).dropna().to_numpy()
    if apart.size > 1:
        half = half_width(apart)
        yield Claim("t interval of listener means", abs(float(apart.mean()) - truth) <= half, None)


def tabulate(studies: int, seed: int = 1) -> list[Cell]:
    """The whole grid, `studies` to a cell; the same for the same arguments."""
    cells = []
    for scenario in SCENARIOS:
        for listeners in LISTENERS:
            for items in ITEMS:
                rng = np.random.default_rng([seed, SCENARIOS.index(scenario), listeners, items])
                claims: dict[str, list[Claim]] = {}
                for number in range(studies):
                    frame, truth = draw_study(scenario, listeners, items, rng)
                    for claim in judge(frame, truth, number):
                        claims.setdefault(claim.name, []).append(claim)
                cells += [
                    Cell(
                        name,
                        scenario,
                        listeners,
                        items,
                        len(made),
                        _share([claim.covers for claim in made]),
                        _share([claim.alarms for claim in made]),
                    )
                    for name, made in claims.items()
                ]
    return cells


def _share(outcomes: list[bool | None]) -> float | None:
    known = [outcome for outcome in outcomes if outcome is not None]
    return 100.0 * sum(known) / len(known) if known else None
