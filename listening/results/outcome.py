"""Data classes of the fast part of results: a row for each system, and all rows together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from evaluation.analysis.figures import MUSHRA, Scale
from evaluation.analysis.statistics import describe
from evaluation.analysis.statistics.frames import Tidy
from evaluation.analysis.statistics.ranking import best_first
from evaluation.analysis.statistics.screening import Screened, Screening
from evaluation.metrics import Metric
from listening.methods import METHODS
from listening.models import Study
from listening.results.objective import Agreement, Coverage, Objective, coverage
from listening.results.scales import decimals_of
from listening.study.compliance import has_reference_and_anchors


@dataclass(frozen=True)
class SystemResult:
    """A row of the results table and of the summary table. Missing values are None, shown as "–".

    Attributes:
        n, listeners: number of grades, and of listeners who gave them.
        mean: mean of listener means; `ci95` is the half-width of its 95 % t interval.
        ci95_ratings: the half-width if grades were independent: too narrow, for comparison only.
        all_mean, all_ci95, all_listeners: the same for all listeners, before screening.
        multimodality: b of M25; `groups` is whether it may indicate several modes.
        graded_items: number of items in which the system has grades.
        outliers: grades outside 1.5 IQR of the hinges of their item.
    """

    slug: str
    title: str
    colour: str
    marker: str
    objective: Objective
    scale: Scale = MUSHRA
    n: int = 0
    listeners: int = 0
    mean: float | None = None
    ci95: float | None = None
    ci95_ratings: float | None = None
    sd: float | None = None
    median: float | None = None
    q1: float | None = None
    q3: float | None = None
    all_mean: float | None = None
    all_ci95: float | None = None
    all_listeners: int = 0
    multimodality: float | None = None
    groups: bool = False
    graded_items: int = 0
    outliers: int = 0

    def has_scores_of_graded_items(self, metric: str) -> bool:
        """Whether the mean score is over all items of the mean grade: else the two cannot be compared.

        A graded system's scores are those of graded items (`select_graded`), so their number is enough.
        """
        return metric in self.objective.scores and self.objective.counts[metric] == self.graded_items

    @property
    def iqr(self) -> float | None:
        return None if self.q1 is None or self.q3 is None else self.q3 - self.q1

    @property
    def low(self) -> float | None:
        """Lower end of the 95 % interval of `mean`, within the scale."""
        return None if self.mean is None or self.ci95 is None else self.scale.clip(self.mean - self.ci95)

    @property
    def high(self) -> float | None:
        """Upper end of the 95 % interval of `mean`, within the scale."""
        return None if self.mean is None or self.ci95 is None else self.scale.clip(self.mean + self.ci95)

    @property
    def spread(self) -> str:
        """The interval, as printed after the mean in tables."""
        return self._spread(self.mean, self.ci95)

    @property
    def all_spread(self) -> str:
        """The interval of `all_mean`, as `spread`."""
        return self._spread(self.all_mean, self.all_ci95)

    def _spread(self, mean: float | None, ci95: float | None) -> str:
        return "" if mean is None else self.scale.spread(mean, ci95, decimals_of(self.scale))


@dataclass
class Results:
    """The fast statistics of a study's grades.

    Attributes:
        frame: the grades after screening; `everything` are those before.
        grades: `frame` as arrays.
        cells: ``item, system, n, mean, median, q1, q3, half_width, outliers`` per item and system.
        metrics: metrics of which at least one system has a score.
        blocks: systems that were heard on common recordings, which can be ranked within a block only.
        adjusted: means as if every listener had graded every item of the block (`adjust_means`).
        uncounted: number of grades in unfinished trials, which are not used.
    """

    study: Study
    kind: str
    profile: str
    frame: pd.DataFrame
    everything: pd.DataFrame
    grades: Tidy
    screening: Screening
    systems: list[SystemResult]
    cells: pd.DataFrame
    objective: pd.DataFrame
    metrics: list[Metric]
    agreements: list[Agreement]
    outliers: list[describe.Outlier]
    hints: list[describe.Hint]
    blocks: list[list[str]]
    adjusted: dict[str, float]
    item_titles: dict[int, str]
    uncounted: int
    scale: Scale = MUSHRA
    answer: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def listeners(self) -> int:
        return len(self.grades.assessors)

    @property
    def items(self) -> int:
        return len(self.grades.items)

    @cached_property
    def coverages(self) -> dict[str, Coverage]:
        """On how many of the study's items each metric's means rest."""
        counts = {
            metric.slug: {
                row.slug: row.objective.counts[metric.slug]
                for row in self.systems
                if metric.slug in row.objective.scores
            }
            for metric in self.metrics
        }
        return {slug: coverage(of_systems, len(self.item_titles)) for slug, of_systems in counts.items()}

    @property
    def means_over(self) -> str:
        """What the objective scores are, for a caption."""
        if not any(self.coverages.values()):
            return "means over the items"
        return (
            "means over the items, or over as many as the table says, and not to be compared with means over "
            "other items"
        )

    @property
    def screened(self) -> list[Screened]:
        return self.screening.entries

    @property
    def excluded(self) -> list[Screened]:
        return self.screening.excluded

    @cached_property
    def measure(self) -> str:
        """The name of a mean grade: without hidden reference and both anchors it is not MUSHRA (M1)."""
        return "MUSHRA" if has_reference_and_anchors(self.study) else "Grade"

    @property
    def always(self) -> tuple[str, ...]:
        return always_of(self.study)

    @property
    def ranked_systems(self) -> list[SystemResult]:
        """Graded systems under test by block, and within a block by adjusted mean, best first."""
        return [row for block in self.ranked_blocks for row in block]

    @property
    def ranked_blocks(self) -> list[list[SystemResult]]:
        """Graded systems under test, in groups that can be ranked; the largest group first."""
        rows = {row.slug: row for row in self.systems if row.slug not in self.always and row.mean is not None}
        found = [
            best_first((rows[slug] for slug in block if slug in rows), lambda row: self.adjusted[row.slug])
            for block in self.blocks
        ]
        return sorted(filter(None, found), key=len, reverse=True)

    @property
    def is_complete(self) -> bool:
        """Whether every listener graded every item with every system, so that adjustment has no effect."""
        grades = self.grades
        cells = len(grades.assessors) * len(grades.items) * len(grades.systems)
        return grades.n - grades.duplicated == cells


def always_of(study: Study) -> tuple[str, ...]:
    """Hidden reference and anchors: systems of the study's method that are not under test."""
    method = METHODS.get(study.method)
    return method.always if method else ()
