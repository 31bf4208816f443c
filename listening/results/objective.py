"""What was measured of the renditions that listeners heard, beside what they said of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from evaluation import systems
from evaluation.analysis import statistics
from evaluation.analysis.statistics.agreement import DISAGREEMENT, correlate, is_below
from evaluation.metrics import METRICS, Metric, metric_of
from listening.models import Stimulus, Study
from listening.results.objective_frame import objective_frame

METRIC_TITLES = {slug: metric.title for slug, metric in METRICS.items()}


@dataclass(frozen=True)
class Objective:
    """What is known of a system over the study's items; None, or no entry, where there is no figure.

    Attributes:
        kbps: bit rate in kbit/s, measured unless `stated`.
        stated: the rate is what an uploaded system's researcher says.
        renditions: over how many the measured rate is a mean.
        scores, counts: mean over the items and their number, by metric.
    """

    kbps: float | None = None
    stated: bool = False
    renditions: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Agreement:
    """Rank and linear correlation of a metric with the grades, over systems without the hidden reference.

    `disagrees`: the rank correlation is shown to be low, whichever way the metric runs; few systems show
    nothing.
    """

    metric: Metric
    systems: int
    spearman: float | None
    pearson: float | None
    disagrees: bool = False


def in_metric_order(slugs: Iterable[str]) -> list[str]:
    """Metrics in the order of tables: those of the registry first, others by name."""
    known = list(METRICS)
    return sorted(set(slugs), key=lambda slug: (known.index(slug) if slug in METRICS else len(known), slug))


def objective_means(
    study: Study, slugs: Iterable[str], scores: pd.DataFrame | None = None
) -> dict[str, Objective]:
    """Bit rate and mean objective scores per system over the renditions of the graded items."""
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


def agreement(metric: str, pairs: Sequence[tuple[float, float]]) -> Agreement:
    """Of ``(objective, subjective)`` means of systems."""
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
    )


def stimulus_pairs(cells: pd.DataFrame, scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Grade and score of each stimulus: ``item, system, objective, subjective``, reference left out.

    Args:
        cells: ``item, system, mean`` of the grades.
        scores: of `objective_frame`.
    """
    chosen = scores.loc[scores["metric"] == metric, ["item", "system", "value"]]
    both = cells.loc[cells["system"] != "original"].merge(chosen, on=["item", "system"])
    return both.rename(columns={"mean": "subjective", "value": "objective"})


def sounds(study: Study) -> dict[tuple[int, str], int]:
    """Stimuli that can be heard, by position of their item and system."""
    rows = Stimulus.objects.filter(item__study=study, item__training=False).exclude(audio="")
    return {
        (position, system): pk for position, system, pk in rows.values_list("item__position", "system", "pk")
    }


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
