"""What the quick part of results holds: a row for each system, the lead of the best one, and the whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from evaluation.analysis.figures import MUSHRA, Scale
from evaluation.analysis.statistics import describe
from evaluation.analysis.statistics.screening import Screened, Screening
from evaluation.metrics import Metric
from listening.methods import METHODS
from listening.models import Study
from listening.results.objective import Agreement, Objective
from listening.results.scales import decimals_of
from listening.study.compliance import has_reference_and_anchors


@dataclass(frozen=True)
class SystemResult:
    """A row of the results table and of the paper's Table 3. What there is no figure of is None: "–".

    Attributes:
        n, listeners: grades, and listeners who gave them.
        mean: of listener means; `ci95` half the width of its 95 % t interval.
        ci95_ratings: the same as if grades were independent: too narrow, for comparison only.
        all_mean, all_listeners: of all listeners, whoever is screened out.
        multimodality: b of M25; `groups`: whether it may be read as a sign of several modes.
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
    all_listeners: int = 0
    multimodality: float | None = None
    groups: bool = False
    outliers: int = 0

    @property
    def iqr(self) -> float | None:
        return None if self.q1 is None or self.q3 is None else self.q3 - self.q1

    @property
    def low(self) -> float | None:
        """Of the 95 % interval of `mean`, within the scale."""
        return None if self.mean is None or self.ci95 is None else self.scale.clip(self.mean - self.ci95)

    @property
    def high(self) -> float | None:
        return None if self.mean is None or self.ci95 is None else self.scale.clip(self.mean + self.ci95)

    @property
    def spread(self) -> str:
        """The interval after the mean, as tables print it."""
        return "" if self.mean is None else self.scale.spread(self.mean, self.ci95, decimals_of(self.scale))


@dataclass
class Results:
    """All that is quick to say of a study's grades.

    Attributes:
        frame: the grades that count, after screening; `everything` those before.
        cells: ``item, system, n, mean, median, q1, q3, half_width, outliers`` of each graded item x system.
        metrics: those that some system has a score of.
        blocks: systems that were heard on common recordings; only within one can they be ranked.
        adjusted: means as if every listener had graded every item of the block (`adjust_means`).
        uncounted: grades in trials that have not been finished; they do not count.
    """

    study: Study
    kind: str
    profile: str
    frame: pd.DataFrame
    everything: pd.DataFrame
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
        return int(self.frame["assessor"].nunique())

    @property
    def items(self) -> int:
        return int(self.frame["item"].nunique())

    @property
    def screened(self) -> list[Screened]:
        return self.screening.entries

    @property
    def excluded(self) -> list[Screened]:
        return self.screening.excluded

    @cached_property
    def measure(self) -> str:
        """What a mean grade may be called: without hidden reference and both anchors it is no MUSHRA (M1)."""
        return "MUSHRA" if has_reference_and_anchors(self.study) else "Grade"

    @property
    def always(self) -> tuple[str, ...]:
        return always_of(self.study)

    @property
    def ranked(self) -> list[SystemResult]:
        """Graded systems under test: block after block, in each the best adjusted mean first."""
        return [row for block in self.ranked_blocks for row in block]

    @property
    def ranked_blocks(self) -> list[list[SystemResult]]:
        """Graded systems under test that can be ranked among each other, the largest block first."""
        rows = {row.slug: row for row in self.systems if row.slug not in self.always and row.mean is not None}
        found = [
            sorted((rows[slug] for slug in block if slug in rows), key=self._by_mean) for block in self.blocks
        ]
        return sorted(filter(None, found), key=len, reverse=True)

    def _by_mean(self, row: SystemResult) -> float:
        return -self.adjusted[row.slug]

    @property
    def is_complete(self) -> bool:
        """Whether every listener graded every item with every system, so that adjusting changes nothing."""
        cells = self.frame[["assessor", "item", "system"]].drop_duplicates()
        return bool(len(cells) == self.listeners * self.items * self.frame["system"].nunique())


def always_of(study: Study) -> tuple[str, ...]:
    """Hidden reference and anchors: systems of the study's method that are not under test."""
    method = METHODS.get(study.method)
    return method.always if method else ()
