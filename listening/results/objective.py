"""What was measured of the renditions that listeners heard, beside what they said of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.models import Rendition
from listening.exports import METRICS, scores_of
from listening.models import Stimulus, Study

METRIC_TITLES = {"pesq_nb": "PESQ-NB", "pesq_wb": "PESQ-WB", "stoi": "STOI"}


@dataclass(frozen=True)
class Objective:
    """What was measured of a system over the study's items; None where there is no figure."""

    kbps: float | None = None
    pesq_nb: float | None = None
    pesq_wb: float | None = None
    stoi: float | None = None


@dataclass(frozen=True)
class Agreement:
    """Rank and linear correlation of a metric with the grades, over systems without the hidden reference."""

    metric: str
    title: str
    systems: int
    spearman: float | None
    pearson: float | None


def objective_means(study: Study) -> dict[str, Objective]:
    """Measured bit rate and mean objective scores per system over the renditions of the graded items."""
    stimuli = Stimulus.objects.filter(item__study=study, item__training=False).exclude(rendition=None)
    renditions: dict[str, dict[Any, Rendition]] = {}
    for stimulus in stimuli.select_related("rendition"):
        renditions.setdefault(stimulus.system, {})[stimulus.rendition_id] = stimulus.rendition  # type: ignore[assignment]
    scores = scores_of({key for rows in renditions.values() for key in rows})

    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None and math.isfinite(value)]
        return sum(known) / len(known) if known else None

    return {
        slug: Objective(
            mean([row.kbps for row in rows.values()]),
            *(mean([scores.get((key, metric)) for key in rows]) for metric in METRICS),
        )
        for slug, rows in renditions.items()
    }
