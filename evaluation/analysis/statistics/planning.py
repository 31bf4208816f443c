"""How many assessors a wanted interval takes, and what interval a number of assessors gives.

The figure planned for is the half width of the t interval of a mean of assessor means, or of a mean
paired difference of two systems.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import chdtri, fdtri, stdtrit

from evaluation.analysis.statistics.frames import Floats, Ints, Tidy, tidy

#: No plan goes beyond this many assessors.
MOST = 10_000


@dataclass(frozen=True)
class Need:
    """How many assessors it takes.

    Attributes:
        half_width: wanted, in points of the scale.
        assessors: that give this half width if their spread is `sd`; None with a `problem`.
        sd: standard deviation of assessor means (or of their differences) that the plan rests on.
        assurance: probability that the interval comes out as narrow; None: expected spread only, which is
            missed about every other time.
    """

    half_width: float
    confidence: float
    assessors: int | None = None
    sd: float | None = None
    assurance: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class SystemNeed:
    """The plan of one system, from a pilot.

    `sd` is of assessor means over the planned number of items; `sd_within` of an assessor's grades
    over items, None where each graded one.
    """

    system: object
    n_assessors: int
    sd: float | None
    sd_within: float | None
    need: Need


@dataclass(frozen=True)
class Plan:
    """Plans of every system; `assessors` is the largest, of `widest`.

    The assurance is of each system by itself, not of all at once.

    Attributes:
        items: that each assessor grades in the study that is planned.
        caution: how far a small pilot can be trusted.
    """

    systems: list[SystemNeed]
    items: int
    assessors: int | None = None
    widest: object = None
    caution: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""


def expected_half_width(sd: float, assessors: int, confidence: float = 0.95) -> float | None:
    """Half width of the t interval of a mean with this spread; None with fewer than two assessors."""
    if assessors < 2 or not (math.isfinite(sd) and sd >= 0):
        return None
    return float(stdtrit(assessors - 1, (1 + confidence) / 2) * sd / math.sqrt(assessors))


def assessors_needed(
    sd: float,
    half_width: float,
    *,
    confidence: float = 0.95,
    assurance: float | None = None,
    pilot_df: float | None = None,
) -> Need:
    """Fewest assessors whose t interval has at most this half width.

    Args:
        sd: of assessor means over the items that each will grade.
        assurance: probability, e.g. 0.8, that the interval of the study to come is no wider: its spread
            may by chance exceed `sd` (chi-squared). None plans with `sd` as it is.
        pilot_df: degrees of freedom of `sd` where a pilot estimated it: then the ratio of the two variances
            is F-distributed, and the assurance holds over pilots and studies together. None: `sd` is known.
    """
    need = Need(half_width, confidence, None, sd, assurance)
    if not math.isfinite(sd) or sd < 0:
        return Need(half_width, confidence, assurance=assurance, problem="The spread is not known.")
    if not math.isfinite(half_width) or half_width <= 0:
        return _with(need, problem="The wanted half width must be more than 0.")
    if not 0 < confidence < 1 or (assurance is not None and not 0 < assurance < 1):
        return _with(need, problem="Confidence and assurance are probabilities between 0 and 1.")
    numbers = np.arange(2, MOST + 1)
    widths = stdtrit(numbers - 1, (1 + confidence) / 2) * sd / np.sqrt(numbers)
    if assurance is not None:
        excess = (
            chdtri(numbers - 1, 1 - assurance) / (numbers - 1)
            if pilot_df is None
            else fdtri(numbers - 1, pilot_df, assurance)
        )
        widths = widths * np.sqrt(excess)
    enough = np.flatnonzero(widths <= half_width)
    if enough.size == 0:
        return _with(need, problem=f"More than {MOST} assessors.")
    return _with(need, assessors=int(numbers[enough[0]]))


def _with(need: Need, *, assessors: int | None = None, problem: str = "") -> Need:
    return Need(need.half_width, need.confidence, assessors, need.sd, need.assurance, problem)


def plan(
    frame: pd.DataFrame,
    half_width: float,
    *,
    items: int | None = None,
    confidence: float = 0.95,
    assurance: float | None = 0.8,
    exclude: Sequence[object] = (),
) -> Plan:
    """Plan a study from the ratings of a pilot or of simulated listeners.

    Each system's spread of assessor means is split into that between assessors and that within them
    over items, so that `items` may differ from the pilot's (None: the pilot's mean number of items).
    `exclude` names systems that need no such interval: hidden reference and anchors.
    """
    data = tidy(frame)
    if data.problem:
        return Plan([], items or 0, notes=data.notes, problem=data.problem)
    cells = len(np.unique(data.assessor * len(data.items) + data.item))
    number = items if items is not None else max(1, round(cells / len(data.assessors)))
    if number < 1:
        return Plan([], number, notes=data.notes, problem="A study needs at least one item.")
    rows = [
        _plan_system(data, index, number, half_width, confidence, assurance)
        for index, name in enumerate(data.systems)
        if name not in exclude
    ]
    if not rows:
        return Plan([], number, notes=data.notes, problem="Nobody graded a system that needs an interval.")
    known = [row for row in rows if row.need.assessors is not None]
    if len(known) < len(rows):
        reasons = {row.need.problem for row in rows if row.need.assessors is None}
        return Plan(rows, number, notes=data.notes, problem=" ".join(sorted(reasons)))
    widest = max(known, key=lambda row: (row.need.assessors or 0, row.sd or 0.0))
    pilot = min(row.n_assessors for row in rows)
    caution = ""
    if pilot < 10:
        factor = math.sqrt((pilot - 1) / chdtri(pilot - 1, 0.9))
        caution = (
            f"The spread comes from {pilot} assessors: the true one may well be {factor:.1f} times as large "
            "(upper 90 % limit)"
            + (", which the number allows for." if assurance is not None else ", which the number ignores.")
        )
    return Plan(rows, number, widest.need.assessors, widest.system, caution, data.notes)


def _plan_system(
    data: Tidy, index: int, items: int, half_width: float, confidence: float, assurance: float | None
) -> SystemNeed:
    chosen = data.system == index
    between, within, assessors = _components(data.assessor[chosen], data.item[chosen], data.score[chosen])
    if between is None:
        need = Need(half_width, confidence, assurance=assurance, problem="A pilot needs two assessors.")
        return SystemNeed(data.systems[index], assessors, None, within, need)
    sd = math.sqrt(between**2 + (within or 0.0) ** 2 / items)
    need = assessors_needed(
        sd, half_width, confidence=confidence, assurance=assurance, pilot_df=max(1, assessors - 1)
    )
    return SystemNeed(data.systems[index], assessors, sd, within, need)


def _components(assessor: Ints, item: Ints, score: Floats) -> tuple[float | None, float | None, int]:
    """Standard deviations between assessors and within them, and the number of assessors (ANOVA estimators).

    Where all graded the same items, what items have in common is no spread of assessor means and is
    taken out. With one rating each there is no spread within, and that between carries both.
    """
    _, position = np.unique(assessor, return_inverse=True)
    _, place = np.unique(item, return_inverse=True)
    n = np.bincount(position)
    groups, total, items = n.size, int(score.size), int(place.max()) + 1
    freedom = total - groups
    cells = np.unique(position * items + place).size
    if cells == total == groups * items:
        means = np.bincount(place, weights=score) / np.bincount(place)
        score = score - means[place] + score.mean()
        freedom -= items - 1
    means = np.bincount(position, weights=score) / n
    inside = float(((score - means[position]) ** 2).sum())
    within = math.sqrt(inside / freedom) if freedom > 0 else None
    if groups < 2:
        return None, within, groups
    if within is None:
        return float(means.std(ddof=1)), None, groups
    outside = float((n * (means - score.mean()) ** 2).sum()) / (groups - 1)
    size = (total - float((n**2).sum()) / total) / (groups - 1)
    return math.sqrt(max(0.0, (outside - within**2) / size)), within, groups
