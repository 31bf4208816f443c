"""Where a study's intervals and tests are known to miss what they claim: the page says so in those cases.

The shares are those of `evaluation.analysis.statistics.calibration`, found in simulated studies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd
from pydantic import TypeAdapter

from evaluation.analysis.statistics import calibration
from evaluation.analysis.statistics.corrections import LEVEL
from evaluation.analysis.statistics.differences import Differences, Population
from evaluation.analysis.words import count, figure, p_words
from listening.results.verdicts import join_names

#: What was simulated for each analysis of methods (`Method.analysis`).
SIMULATED = {
    "bs1534": "grades",
    "opinion": "categories",
    "impairment": "diff grades",
    "preference": "votes",
    "discrimination": "answers",
}
_COMPANIONS = (
    "sign-flip", "Wilcoxon", "Attachment 3", "Friedman", "ANOVA, system", "ANOVA, system x item",
    "mixed model", "paired t",
)  # fmt: skip
#: Cells as an analysis keeps them in JSON.
_CELLS = TypeAdapter(list[calibration.Cell])

_LIKE, _THESE = "for items like these", "for these items only"
NAMES = {
    "difference, like": f"differences {_LIKE}",
    "difference, these": f"differences {_THESE}",
    "difference, Holm over three": "verdicts over several pairs",
    "equivalence, like": f"equivalence {_LIKE}",
    "equivalence, these": f"equivalence {_THESE}",
    "mean": "means of listener means",
    "mean, BCa": "means by BCa bootstrap",
    "impairment, like": f"impairments {_LIKE}",
    "impairment, these": f"impairments {_THESE}",
    "impairment, listeners who passed": "impairments by listeners who passed",
    "preference, like": f"preferences {_LIKE}",
    "preference, these": f"preferences {_THESE}",
    "Bradley-Terry, votes": "abilities over votes",
    "Bradley-Terry, listeners": "abilities over listeners",
    "right answers": "shares of right answers",
    "sign-flip": "the sign-flip test",
    "Wilcoxon": "Wilcoxon's test",
    "paired t": "paired t tests",
    "Attachment 3": "Attachment 3",
    "Friedman": "Friedman's test",
    "ANOVA, system": "the analysis of variance, systems",
    "ANOVA, system x item": "the analysis of variance, system × item",
    "mixed model": "the mixed model",
    "proportional odds": "the proportional odds model",
    "logistic model": "the logistic model",
}
_SCENARIOS = {
    calibration.UNEQUAL: "where spreads are unequal",
    calibration.MISSING: "where a third of the grades is missing",
    calibration.CEILING: "where grades are near the end of the scale",
    calibration.BY_ITEM: "where systems differ by item",
    calibration.EVEN: "where grades show none of these",
}
#: The same of choices.
_SCENARIOS_OF_CHOICES = {
    calibration.UNEQUAL: "where listeners differ",
    calibration.MISSING: "where a third of the choices is missing",
    calibration.CEILING: "where nearly all choices are alike",
    calibration.BY_ITEM: "where items differ",
    calibration.EVEN: "where choices show none of these",
}
_CHOICES = ("votes", "answers", "odds")
#: What "none of these" means, said before the cases.
_TRAITS = "unequal spreads, gaps, grades near the end of the scale, and systems that differ by item"
_TRAITS_OF_CHOICES = "listeners or items that differ, gaps, and choices that are nearly all alike"


def misses_of_pairs(
    frame: pd.DataFrame, found: Differences, method: str, ends: Sequence[float]
) -> list[calibration.Cell]:
    """The primary analysis of these pairs: where a study like theirs misses.

    Args:
        frame: ``assessor, item, system, score``; `ends` as in `calibration.scenarios_of`.
        method: of `SIMULATED`.
    """
    tested = [row for row in found.rows if not row.problem]
    cells: list[calibration.Cell] = []
    for row in tested:
        names = [f"difference, {row.population.value}", f"equivalence, {row.population.value}"]
        if row.population is Population.ITEMS_LIKE_THESE and len(tested) > 1:
            names.append("difference, Holm over three")
        like = calibration.scenarios_of(frame[frame["system"].isin([row.a, row.b])], ends)
        cells += calibration.find_misses(method, names, row.assessors, row.items, like)
    return list(dict.fromkeys(cells))


def misses_of_means(
    frame: pd.DataFrame, systems: Iterable[str], method: str, ends: Sequence[float], *analyses: str
) -> list[calibration.Cell]:
    """The same of each system's mean of listener means, by the analyses named."""
    cells: list[calibration.Cell] = []
    for slug in systems:
        own = frame[frame["system"] == slug]
        listeners, items = int(own["assessor"].nunique()), int(own["item"].nunique())
        if listeners > 1:
            like = calibration.scenarios_of(own, ends)
            cells += calibration.find_misses(method, analyses, listeners, items, like)
    return list(dict.fromkeys(cells))


def misses_of_companions(
    frame: pd.DataFrame, ends: Sequence[float], given: Collection[str] = _COMPANIONS
) -> list[calibration.Cell]:
    """The same of the tests beside the primary analysis, of the systems in `frame`, as far as `given`."""
    if frame.empty:
        return []
    like = calibration.scenarios_of(frame, ends)
    listeners, items = int(frame["assessor"].nunique()), int(frame["item"].nunique())
    return calibration.find_misses(
        "companions", [name for name in _COMPANIONS if name in given], listeners, items, like
    )


def misses_of_ordered(frame: pd.DataFrame, ends: Sequence[float]) -> list[calibration.Cell]:
    """The same of the proportional odds model of categories."""
    like = calibration.scenarios_of(frame, ends)
    listeners, items = int(frame["assessor"].nunique()), int(frame["item"].nunique())
    return calibration.find_misses("ordered", ["proportional odds"], listeners, items, like)


def misses_of_choices(frame: pd.DataFrame, method: str, *analyses: str) -> list[calibration.Cell]:
    """The same of choices, as `calibration.scenarios_of_choices` takes them."""
    listeners, items = int(frame["assessor"].nunique()), int(frame["item"].nunique())
    if listeners < 2:
        return []
    like = calibration.scenarios_of_choices(frame)
    return calibration.find_misses(method, analyses, listeners, items, like)


def describe_misses(data: Mapping[str, Any] | None, which: Literal["primary", "companions"]) -> list[str]:
    """`describe_cells` of a stored analysis (`heavy.compute`): of its main tests, or of those beside them.

    Nothing where there is no analysis yet, or one of an older version, which did not look for any.
    """
    misses = data.get("misses") if data else None
    if not data or not misses:
        return []
    said = describe_cells(_CELLS.validate_python(misses.get(which, [])), _interaction_of(data))
    return [said] if said else []


def _interaction_of(data: Mapping[str, Any]) -> float | None:
    """p of the analysis of variance's system × item of the systems under test; None where it did not test it.

    Hidden reference and anchors differ by design, and a p with them says nothing of the systems under test.
    """
    if data.get("omnibus", {}).get("include_reference"):
        return None
    effects = data.get("anova", {}).get("effects", [])
    return next((row["p"] for row in effects if row["name"] == "system x item"), None)


def describe_cells(cells: Sequence[calibration.Cell], interaction: float | None = None) -> str:
    """One statement: which figures claim too much or too little, in which case; empty without cells.

    The same analysis can miss to either side, for different pairs of one study: each side says when it holds.

    Args:
        interaction: p of the study's own test of whether systems differ by item; None without one.
    """
    sentences = []
    cases = {cell.scenario for cell in cells}
    if len(cases) > 1 and calibration.EVEN in cases:
        traits = _TRAITS_OF_CHOICES if cells[0].method in _CHOICES else _TRAITS
        sentences.append(f"Cases are told apart by {traits}.")
    for listeners, items in dict.fromkeys((cell.listeners, cell.items) for cell in cells):
        fewest = " (the fewest simulated)" if listeners == min(calibration.LISTENERS) else ""
        size = f"{count(listeners, 'listener')}{fewest} and {count(items, 'item')}"
        said = []
        for scenario in _SCENARIOS:
            for start, sure in (("too sure", True), ("too cautious", False)):
                found = [
                    cell
                    for cell in cells
                    if (cell.listeners, cell.items, cell.scenario) == (listeners, items, scenario)
                    and (cell.too_narrow > 0) is sure
                ]
                if found:
                    names = _SCENARIOS_OF_CHOICES if found[0].method in _CHOICES else _SCENARIOS
                    where = "" if cases == {calibration.EVEN} else f"{names[scenario]}, "
                    missing = join_names([_describe(cell) for cell in found])
                    said.append(f"{where}{start}: {missing}. {_advise(found, sure)}")
        first, *others = said
        sentences.append(f"In simulated studies of the nearest size, {size}, {first}")
        sentences += [f"{each[0].upper()}{each[1:]}" for each in others]
    if len(cases) > 1:
        sentences.append("A case applies to the pairs and systems whose own grades or choices are like it.")
    if calibration.BY_ITEM in cases:
        sentences.append(_weigh(interaction))
    return " ".join(sentences)


def _weigh(interaction: float | None) -> str:
    """Whether the study's own test speaks for the case of systems that differ by item."""
    if interaction is None:
        return "Whether the items make a difference is not tested here: allow for either."
    if interaction < LEVEL:
        return (
            f"The analysis of variance shows that systems differ by item here ({p_words(interaction)}), "
            "which speaks for that case."
        )
    return (
        f"The analysis of variance leaves undecided whether systems differ by item here "
        f"({p_words(interaction)}), which is no evidence that they do not: allow for either."
    )


def _advise(cells: Sequence[calibration.Cell], sure: bool) -> str:
    """How to read what misses in these cells: intervals, tests, or both."""
    (least, most), (quiet, loud) = calibration.COVERAGE, calibration.ALARMS
    shares = [cell.coverage for cell in cells if cell.coverage is not None]
    intervals = any(share < least if sure else share > most for share in shares)
    tests = [
        cell.analysis
        for cell in cells
        if cell.alarms is not None and (cell.alarms > loud if sure else cell.alarms < quiet)
    ]
    if sure:
        parts = ["these intervals as too narrow"] * intervals + ["these p as too small"] * bool(tests)
        return f"Read {', and '.join(parts)}."
    if not tests:
        return "These intervals are wider than need be."
    alike = [name.startswith("equivalence") for name in tests]
    missed = ["True differences"] * (not all(alike)) + ["true equivalence"] * any(alike)
    said = " and ".join(missed)
    return f"{said[0].upper()}{said[1:]} {'is' if all(alike) else 'are'} missed more often than need be."


def _describe(cell: calibration.Cell) -> str:
    parts = []
    if cell.coverage is not None:
        parts.append(f"95 % intervals held the true figure in {figure(cell.coverage, 1)} %")
    if cell.alarms is not None:
        parts.append(f"5 % tests found what was not there in {figure(cell.alarms, 1)} %")
    return f"{NAMES[cell.analysis]} ({' and '.join(parts)})"
