"""How many listeners a study takes: before there is any grade, from a pilot, and for the next study.

The power is that of the primary analysis (`evaluation.analysis.statistics.power`). Its spreads come from
grades of the study, of a pilot or of simulated listeners, or are those of a published test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

from django.utils.safestring import SafeString, mark_safe

from evaluation.analysis import figures
from evaluation.analysis.statistics import choices, power
from evaluation.analysis.statistics.differences import Population
from evaluation.analysis.statistics.power import Spread
from evaluation.analysis.words import points
from evaluation.contexts import Context
from listening.methods import METHODS
from listening.models import Study
from listening.results.frames import PILOT, SIMULATED, has_answers
from listening.results.methods import analysis_of, score_frame
from listening.results.scales import Question, question_of, scale_of
from listening.study.design import items_per_session

if TYPE_CHECKING:
    import pandas as pd

#: Of a paired difference, as shares of the scale's range: standard deviations between listeners, between
#: items, and the rest, over all pairs of systems under test (root mean square). Of the MUSHRA test of Stahl,
#: Windtner and Sontacchi (2024): 19 listeners who passed screening, 16 items, 7 systems. A test of 17
#: listeners on a scale of 1 to 5 (difftransfer) has 0.10, 0.18 and 0.23.
PUBLISHED = Spread(0.09, 0.14, 0.22)
_PUBLISHED = (
    "the published MUSHRA test of Stahl, Windtner and Sontacchi (2024), as shares of the scale’s range "
    "(listeners 9 %, items 14 %, rest 22 %)"
)
#: Shares of the variance of a vote that are taken to lie between listeners and between items.
VOTES = 0.1
_VOTES = "an assumption: a tenth of the variance of votes between listeners, a tenth between items"
#: Minimum number of items for a plan based on their spread.
_LEAST_ITEMS = 3
#: True shares of votes, or of right answers, that are planned for.
SHARES = (0.6, 0.7, 0.8)
NUMBERS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 50, 60)


@dataclass(frozen=True)
class NeededRow:
    """A true difference in points, or a share of votes: the chance to show it, and who it takes for 80 %.

    Attributes:
        listeners: None if no number would do.
        numbers, powers: of listeners, and their chance.
    """

    difference: float
    listeners: int | None
    numbers: tuple[int, ...]
    powers: tuple[float, ...]


@dataclass(frozen=True)
class Needed:
    """A plan: the spread of a paired difference on which it rests, and what was asked."""

    rows: list[NeededRow]
    items: int
    spread: Spread
    population: Population
    pairs: int


def plan(
    differences: Sequence[float], spread: Spread, items: int, population: Population, pairs: int
) -> Needed:
    """Plan for true `differences` of `pairs` pairs of systems, each listener hearing `items` items."""
    family = max(1, pairs)
    needed = partial(power.listeners_needed, spread=spread, items=items, population=population, pairs=family)
    chance = partial(power.power, spread=spread, items=items, population=population, pairs=family)
    rows = [
        NeededRow(apart, needed(apart), NUMBERS, tuple(chance(apart, listeners=each) for each in NUMBERS))
        for apart in differences
    ]
    return Needed(rows, items, spread, population, pairs)


def plan_listeners(frame: pd.DataFrame, tested: list[str], question: Question) -> Needed | None:
    """A plan for differences of one, two and four margins in a study like that of `frame`.

    With the spread of the pair that spreads most; None where no pair has a spread.
    """
    pairs = list(combinations(tested, 2))
    items = int(frame["item"].nunique())
    if question.population is Population.ITEMS_LIKE_THESE and items < _LEAST_ITEMS:
        return None  # of so few items their spread cannot be told
    found = [spread for a, b in pairs if (spread := power.spread_of(frame, a, b)) is not None]
    if not found:
        return None
    widest = max(found, key=lambda each: each.listener**2 + each.item**2 + each.rest**2)
    return plan(_margins(question), widest, items, question.population, len(pairs))


def _margins(question: Question) -> list[float]:
    return [times * question.margin for times in (1, 2, 4)]


def context_of(study: Study) -> Context | None:
    """A plan before there are grades, for the page where a study is set up; None for a method without one.

    Keys: ``figure``; ``rows`` of label and number; ``unit`` of the number; ``source`` of the spread;
    ``items``, ``pairs`` and ``population`` as in `Needed`, where they matter.
    """
    analysis = analysis_of(study)
    title = f"{study.name}: power"
    if analysis == "discrimination":
        return _plan_answers(title)
    items, systems = max(1, items_per_session(study)), len(study.systems)
    population = Population(study.analysis.population)
    if items < 2:
        population = Population.THESE_ITEMS
    pairs = max(1, systems * (systems - 1) // 2)
    if analysis == "preference":
        rows, source = [], _VOTES
        for share in SHARES:
            apart, spread = power.vote_spread(share, VOTES, VOTES)
            rows += plan([apart], spread, items, population, pairs).rows
        labels = [f"{100 * share:.0f} % of votes" for share in SHARES]
    elif analysis:
        found, source = _spread_of(study)
        question = question_of(study, scale_of(study))
        rows = plan(_margins(question), found, items, population, pairs).rows
        labels = [points(row.difference) for row in rows]
    else:
        return None
    curves = [
        figures.PowerCurve(label, row.numbers, row.powers, row.listeners)
        for label, row in zip(labels, rows, strict=True)
    ]
    return {
        "figure": _draw(curves, title, "listeners"),
        "rows": [(label, row.listeners) for label, row in zip(labels, rows, strict=True)],
        "unit": "Listeners",
        "source": source,
        "items": items,
        "pairs": pairs,
        "population": population.value,
    }


def _draw(curves: Sequence[figures.PowerCurve], title: str, axis: str) -> SafeString:
    return mark_safe(figures.power_curves(curves, title, axis))  # noqa: S308 -- texts are escaped there


def _spread_of(study: Study) -> tuple[Spread, str]:
    """The spread of a paired difference in points, and where it comes from."""
    scale = scale_of(study)
    for kind, whose in ((PILOT, "the pilot"), (SIMULATED, "the simulated listeners")):
        if not has_answers(study, kind):
            continue
        frame = score_frame(study, kind)
        tested = [str(slug) for slug in frame["system"].unique() if slug not in METHODS[study.method].always]
        found = plan_listeners(frame, tested, question_of(study, scale))
        if found is not None:
            return found.spread, f"{whose}: the pair of systems that spreads most"
    span = scale.high - scale.low if not METHODS[study.method].hides_reference else 4.0
    return Spread(*(span * part for part in vars(PUBLISHED).values())), _PUBLISHED


def _plan_answers(title: str) -> Context:
    shares = (*SHARES, 0.9)
    numbers = tuple(range(5, 61))
    curves = [
        figures.PowerCurve(
            f"{100 * share:.0f} % right",
            numbers,
            [choices.abx_power(number, share) for number in numbers],
            choices.abx_trials(share),
        )
        for share in shares
    ]
    return {
        "figure": _draw(curves, title, "trials of a listener and pair"),
        "rows": [(curve.label, curve.needed) for curve in curves],
        "unit": "Trials",
        "source": "",
    }
