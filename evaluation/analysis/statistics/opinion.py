"""Mean opinion scores of ACR, DCR and CCR (P.800, P.808): per condition, over votes and over assessors.

Frames are tidy, ``assessor, item, system, score``. CCR's scores are turned first, so that they say how the
system compares with the reference whichever was heard first (`turned`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.analysis.statistics.frames import tidy
from evaluation.analysis.statistics.intervals import Interval, t_interval


@dataclass(frozen=True)
class Opinion:
    """The votes of one condition.

    Attributes:
        mean: of all votes: the MOS, DMOS or CMOS.
        sd: standard deviation of the votes; None with one vote.
        votes_interval: 95 % t interval that takes votes for independent, as P.800's tables do.
        assessor_mean: mean of the assessors' means.
        interval: its 95 % t interval over assessors: the one to report, since one assessor's votes are alike.
        votes: how many votes each category got, by grade.
    """

    system: str
    n: int
    assessors: int
    items: int
    mean: float
    sd: float | None
    votes_interval: Interval | None
    assessor_mean: float
    interval: Interval | None
    votes: dict[int, int]


@dataclass(frozen=True)
class Opinions:
    """Conditions in order of appearance, and what was left out on the way."""

    systems: list[Opinion]
    notes: tuple[str, ...] = ()
    problem: str = ""


def opinions(frame: pd.DataFrame, categories: Sequence[int] = (1, 2, 3, 4, 5)) -> Opinions:
    """The opinion of each system over all items, from a tidy frame."""
    data = tidy(frame)
    if data.problem:
        return Opinions([], data.notes, data.problem)
    means = data.means()
    rows = []
    for place, system in enumerate(data.systems):
        mine = data.system == place
        votes = data.score[mine]
        of_assessors = means[np.isfinite(means[:, place]), place]
        rows.append(
            Opinion(
                str(system),
                votes.size,
                of_assessors.size,
                int(np.unique(data.item[mine]).size),
                float(votes.mean()),
                float(votes.std(ddof=1)) if votes.size > 1 else None,
                t_interval(votes, "votes"),
                float(of_assessors.mean()),
                t_interval(of_assessors, "assessor means"),
                {grade: int((votes == grade).sum()) for grade in categories},
            )
        )
    return Opinions(rows, data.notes)


def per_item(frame: pd.DataFrame) -> pd.DataFrame:
    """Votes, mean and half width of the 95 % interval over votes of each item and system, as P.808 asks.

    Columns ``item, system, n, mean, low, high``; `low` and `high` are NaN with one vote.
    """
    rows = []
    for (item, system), its in frame.groupby(["item", "system"], sort=False):
        interval = t_interval(its["score"], "votes")
        bounds = (np.nan, np.nan) if interval is None else (interval.low, interval.high)
        rows.append((item, system, len(its), float(its["score"].mean()), *bounds))
    return pd.DataFrame(rows, columns=["item", "system", "n", "mean", "low", "high"])


def orient_grades(frame: pd.DataFrame) -> pd.DataFrame:
    """CCR's grades as a tidy frame: multiplied by ``sign``, -1 where the system was heard first."""
    made: pd.DataFrame = frame[["assessor", "item", "system"]].assign(
        score=frame["score"].to_numpy(dtype=float) * frame["sign"].to_numpy(dtype=float)
    )
    return made


@dataclass(frozen=True)
class OrderEffect:
    """What being heard second is worth, whichever it is, on CCR's scale.

    Attributes:
        mean: over assessors of each one's mean over systems; a system's is the mean of the raw grade over
            both orders, that of the reference the raw grade of the pair that is the reference twice.
        interval: its 95 % t interval over assessors.
    """

    mean: float
    interval: Interval | None
    assessors: int


def order_effect(frame: pd.DataFrame, reference: str = "original") -> OrderEffect | None:
    """Of a CCR frame with ``sign``; None if nobody heard a system in both orders or the reference twice."""
    effects = []
    for _, its in frame.groupby("assessor", sort=False):
        parts = []
        for system, of_system in its.groupby("system", sort=False):
            after = of_system.loc[of_system["sign"] > 0, "score"]
            before = of_system.loc[of_system["sign"] < 0, "score"]
            if system == reference:
                parts.append(float(of_system["score"].mean()))
            elif len(after) and len(before):
                parts.append((float(after.mean()) + float(before.mean())) / 2)
        if parts:
            effects.append(float(np.mean(parts)))
    if not effects:
        return None
    return OrderEffect(float(np.mean(effects)), t_interval(effects, "assessors"), len(effects))
