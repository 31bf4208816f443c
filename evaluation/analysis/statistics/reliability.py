"""How far listeners agree with each other: intraclass correlations and Cronbach's alpha.

Stimuli (item and system) are what is graded, listeners grade them all: a complete table without gaps.
Sources: Shrout and Fleiss (1979), McGraw and Wong (1996), Cronbach (1951). Listeners of another panel are
meant, so the listener is random: ICC(2,1) is of one listener's grades, ICC(2,k) of the mean of k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import fdtri

from evaluation.analysis.statistics.frames import Floats, tidy
from evaluation.analysis.statistics.intervals import Interval


@dataclass(frozen=True)
class Reliability:
    """Agreement of `listeners` over `stimuli`; None with a `problem`.

    Attributes:
        single, mean: ICC(2,1) and ICC(2,k), absolute agreement, each with its 95 % interval.
        alpha: Cronbach's alpha with listeners as items: consistency, whatever each one's level.
        left_out: listeners who did not grade every stimulus.
    """

    listeners: int = 0
    stimuli: int = 0
    single: float | None = None
    single_interval: Interval | None = None
    mean: float | None = None
    mean_interval: Interval | None = None
    alpha: float | None = None
    left_out: int = 0
    problem: str = ""


def assess(frame: pd.DataFrame, confidence: float = 0.95) -> Reliability:
    """Of a frame ``assessor, item, system, score``; listeners with gaps are left out and counted."""
    data = tidy(frame)
    if data.problem:
        return Reliability(problem=data.problem)
    cube = data.cube()
    graded = ~np.isnan(cube).all(axis=0)
    table = cube[:, graded].T  # (stimuli, listeners)
    complete = ~np.isnan(table).any(axis=0)
    table = table[:, complete]
    stimuli, listeners = table.shape
    found = Reliability(listeners, stimuli, left_out=int((~complete).sum()))
    if listeners < 2 or stimuli < 2:
        return _with_problem(found, "It takes two listeners who graded every stimulus, and two stimuli.")
    rows, columns, error = _mean_squares(table)
    if rows + columns + error <= 1e-12:
        return _with_problem(found, "All grades are the same: there is nothing to agree about.")
    if error <= 1e-12:
        return _with_problem(found, "Listeners differ by their level alone: the rest has no spread.")
    if rows <= error:
        return _with_problem(found, "Stimuli differ no more than the rest: no agreement was shown.")
    n, k = stimuli, listeners
    single = (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)
    low, high = _bounds(rows, columns, error, n, k, single, confidence)
    method = f"{100 * confidence:g} % interval of McGraw and Wong"
    return Reliability(
        listeners=k,
        stimuli=n,
        single=single,
        single_interval=Interval(low, high, method),
        mean=(rows - error) / (rows + (columns - error) / n),
        # Below 0 the mean of k listeners has no reliability to speak of.
        mean_interval=Interval(_step_up(max(0.0, low), k), _step_up(high, k), method),
        alpha=1 - error / rows if rows > 0 else None,
        left_out=found.left_out,
    )


def _step_up(single: float, k: int) -> float:
    """Reliability of the mean of `k` listeners from that of one (Spearman and Brown)."""
    return single * k / (1 + single * (k - 1))


def _with_problem(found: Reliability, problem: str) -> Reliability:
    return Reliability(found.listeners, found.stimuli, left_out=found.left_out, problem=problem)


def _mean_squares(table: Floats) -> tuple[float, float, float]:
    """Of stimuli, listeners and the rest, in the two-way analysis of variance without replication."""
    n, k = table.shape
    centre = table.mean()
    of_rows, of_columns = table.mean(axis=1), table.mean(axis=0)
    rest = table - of_rows[:, None] - of_columns[None, :] + centre
    return (
        float(k * ((of_rows - centre) ** 2).sum() / (n - 1)),
        float(n * ((of_columns - centre) ** 2).sum() / (k - 1)),
        float((rest**2).sum() / ((n - 1) * (k - 1))),
    )


def _bounds(
    rows: float, columns: float, error: float, n: int, k: int, single: float, confidence: float
) -> tuple[float, float]:
    """Of ICC(2,1): McGraw and Wong (1996), table 7, with their approximate degrees of freedom."""
    ratio = columns / error
    a, b = k * single * ratio, n * (1 + (k - 1) * single) - k * single
    v = (n - 1) * (k - 1) * (a + b) ** 2 / ((n - 1) * a**2 + b**2)
    tail = 1 - (1 - confidence) / 2
    upper, lower = float(fdtri(n - 1, v, tail)), float(fdtri(v, n - 1, tail))
    part = k * columns + (k * n - k - n) * error
    return (
        n * (rows - upper * error) / (upper * part + n * rows),
        n * (lower * rows - error) / (part + n * lower * rows),
    )
