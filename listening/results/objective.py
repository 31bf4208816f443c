"""Objective measurements of the renditions that listeners graded, and their agreement with the grades."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from evaluation import systems
from evaluation.analysis import statistics
from evaluation.analysis.statistics.agreement import DISAGREEMENT, correlate, is_below
from evaluation.analysis.words import count
from evaluation.metrics import METRICS, Metric, metric_of
from listening.models import Stimulus, Study
from listening.results.objective_frame import objective_frame
from listening.results.verdicts import join_names

METRIC_TITLES = {slug: metric.title for slug, metric in METRICS.items()}


@dataclass(frozen=True)
class Objective:
    """Measurements of a system over the study's items; None, or no entry, if there is none.

    Attributes:
        kbps: bit rate in kbit/s, measured unless `stated`.
        stated: whether the rate is stated by an uploaded system's researcher.
        renditions: number of renditions over which the measured rate is averaged.
        scores, counts: mean score over the items and number of items, by metric.
    """

    kbps: float | None = None
    stated: bool = False
    renditions: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Coverage:
    """On how many of the study's items a metric's means rest: “1 of 3 items”, empty where on all of them.

    Attributes:
        column: of every system that has a score, where the number is the same.
        cells: by system, where it is not.
    """

    column: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.column or self.cells)


@dataclass(frozen=True)
class Agreement:
    """Rank and linear correlation of a metric with the grades, over systems without the hidden reference.

    Attributes:
        disagrees: whether the rank correlation is significantly low, allowing for the metric's direction;
            never with few systems.
        left_out: titles of systems whose mean score is of fewer items than their mean grade.
    """

    metric: Metric
    systems: int
    spearman: float | None
    pearson: float | None
    disagrees: bool = False
    left_out: Sequence[str] = ()

    @property
    def gaps(self) -> str:
        """Why systems are missing per system; empty where none is."""
        if not self.left_out:
            return ""
        have = "has" if len(self.left_out) == 1 else "have"
        return (
            f"Left out per system: {join_names(self.left_out)}, which {have} grades in more items than "
            f"{self.metric.title} was measured on."
        )


def sort_metrics(slugs: Iterable[str]) -> list[str]:
    """Metrics in the order of tables: those of the registry first, others by name."""
    known = list(METRICS)
    return sorted(set(slugs), key=lambda slug: (known.index(slug) if slug in METRICS else len(known), slug))


def select_graded(scores: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The scores of the stimuli that have grades; of systems without any grade, all.

    A metric's mean over all items is not to be compared with a mean of grades over some of them.

    Args:
        scores: from `objective_frame`.
        cells: ``item, system`` of the grades.
    """
    graded, of_them = set(zip(cells["item"], cells["system"], strict=True)), set(cells["system"])
    keep = [
        system not in of_them or (item, system) in graded
        for item, system in zip(scores["item"], scores["system"], strict=True)
    ]
    return scores[pd.Series(keep, index=scores.index, dtype=bool)]


def objective_means(
    study: Study, slugs: Iterable[str], scores: pd.DataFrame | None = None
) -> dict[str, Objective]:
    """Bit rate per system over the renditions of all items that count, and the means of `scores`.

    `scores` are those of `objective_frame` if they are not given.
    """
    scores = objective_frame(study) if scores is None else scores
    rates: dict[str, dict[Any, float]] = {}
    stimuli = Stimulus.objects.filter(item__study=study, item__training=False, rendition__kbps__isnull=False)
    for system, rendition, kbps in stimuli.values_list("system", "rendition", "rendition__kbps"):
        if kbps is not None and math.isfinite(kbps):
            rates.setdefault(system, {})[rendition] = kbps
    means: dict[str, dict[str, float]] = {}
    counts: dict[str, dict[str, int]] = {}
    for (system, metric), group in scores.groupby(["system", "metric"], sort=False)["value"]:
        means.setdefault(system, {})[metric] = float(group.mean())
        counts.setdefault(system, {})[metric] = int(group.size)
    described = systems.describe_all(slugs)
    found = {}
    for slug in slugs:
        measured = list(rates.get(slug, {}).values())
        stated = not measured and described[slug].kind == "uploaded" and described[slug].kbps is not None
        found[slug] = Objective(
            kbps=sum(measured) / len(measured) if measured else described[slug].kbps if stated else None,
            stated=stated,
            renditions=len(measured),
            scores=means.get(slug, {}),
            counts=counts.get(slug, {}),
        )
    return found


def coverage(counts: Mapping[str, int], items: int) -> Coverage:
    """The coverage of a metric in a study of so many items; `counts` are of the systems that have a score."""
    numbers = set(counts.values())
    if len(numbers) == 1:
        return Coverage(column=_describe_part(numbers.pop(), items))
    said = {system: _describe_part(number, items) for system, number in counts.items()}
    return Coverage(cells={system: part for system, part in said.items() if part})


def _describe_part(number: int, items: int) -> str:
    return f"{number} of {count(items, 'item')}" if number < items else ""


def agreement(metric: str, pairs: Sequence[tuple[float, float]], left_out: Sequence[str] = ()) -> Agreement:
    """The agreement of ``(objective, subjective)`` means of systems."""
    objective, subjective = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    known = metric_of(metric)
    sign = 1 if known.higher_is_better else -1
    ranks = correlate("Spearman", [sign * value for value in objective], subjective)
    return Agreement(
        known,
        len(pairs),
        None if ranks.value is None else sign * ranks.value,
        _number(statistics.pearson(objective, subjective)),
        is_below(ranks, DISAGREEMENT),
        left_out,
    )


def stimulus_pairs(cells: pd.DataFrame, scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Grade and score of each stimulus: ``item, system, objective, subjective``, without the reference.

    Args:
        cells: ``item, system, mean`` of the grades.
        scores: from `objective_frame`.
    """
    chosen = scores.loc[scores["metric"] == metric, ["item", "system", "value"]]
    both = cells.loc[cells["system"] != "original"].merge(chosen, on=["item", "system"])
    return both.rename(columns={"mean": "subjective", "value": "objective"})


def sounds(study: Study) -> dict[tuple[int, str], int]:
    """Ids of stimuli with audio, by position of the item and system."""
    rows = Stimulus.objects.filter(item__study=study, item__training=False).exclude(audio="")
    return {
        (position, system): pk for position, system, pk in rows.values_list("item__position", "system", "pk")
    }


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
