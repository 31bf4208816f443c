"""Rating -> result: what a study's grades say, with the unit, n and method of every figure.

The raw ratings are never touched: screening is a view over them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from evaluation import figures, statistics, systems
from evaluation.models import Rendition
from listening.exports import METRICS, scores_of
from listening.models import Rating, Stimulus, Study
from listening.services import ALWAYS
from listening.templatetags.figures import figure

#: Of a metric whose rank correlation with the grades is lower, the page warns.
DISAGREEMENT = 0.5
METRIC_TITLES = {"pesq_nb": "PESQ-NB", "pesq_wb": "PESQ-WB", "stoi": "STOI"}


def title_of(slug: str) -> str:
    if slug == "original":
        return "Hidden reference"
    return systems.title_of(slug)


def rating_frame(study: Study) -> pd.DataFrame:
    """Grades of finished trials without training, as ``assessor, item, system, score``, in registry order."""
    rows = Rating.objects.filter(
        trial__session__study=study, trial__item__training=False, trial__finished__isnull=False
    ).values_list(
        "trial__session__assessor__code",
        "trial__item__position",
        "stimulus__system",
        "score",
        "trial__session__number",
    )
    ordered = sorted(rows, key=lambda row: (figures.order(row[2]), row[4], row[1]))
    return pd.DataFrame([row[:4] for row in ordered], columns=list(statistics.COLUMNS))


@dataclass(frozen=True)
class Objective:
    """What was measured of a system over the study's items; None where there is no figure."""

    kbps: float | None
    pesq_nb: float | None
    pesq_wb: float | None
    stoi: float | None


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


@dataclass(frozen=True)
class SystemResult:
    """A row of the results table and of the paper's Table 3. NaN is None here: pages say "–"."""

    slug: str
    title: str
    colour: str
    marker: str
    n: int
    listeners: int
    mean: float | None
    ci95: float | None
    median: float | None
    q1: float | None
    q3: float | None
    objective: Objective

    @property
    def iqr(self) -> float | None:
        return None if self.q1 is None or self.q3 is None else self.q3 - self.q1

    @property
    def low(self) -> float | None:
        return None if self.mean is None or self.ci95 is None else max(0.0, self.mean - self.ci95)

    @property
    def high(self) -> float | None:
        return None if self.mean is None or self.ci95 is None else min(100.0, self.mean + self.ci95)


@dataclass(frozen=True)
class Agreement:
    """Rank and linear correlation of a metric with the grades, over systems without the hidden reference."""

    metric: str
    title: str
    systems: int
    spearman: float | None
    pearson: float | None


@dataclass
class Results:
    """All that the results page shows.

    Attributes:
        frame: the grades that count, after screening if it is on.
        uncounted: grades in trials that have not been finished; they do not count.
    """

    study: Study
    screening: bool
    frame: pd.DataFrame
    screened: list[statistics.Screened]
    systems: list[SystemResult]
    agreements: list[Agreement]
    answer: str
    listeners: int
    items: int
    uncounted: int
    warnings: list[str] = field(default_factory=list)

    @property
    def excluded(self) -> list[statistics.Screened]:
        return [entry for entry in self.screened if entry.excluded]


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def compute(study: Study, *, screening: bool = True) -> Results:
    """The results of a study as it stands, with or without the listeners that screening drops."""
    everything = rating_frame(study)
    screened = statistics.screen_hidden_reference(everything)
    frame = statistics.apply_screening(everything, screened) if screening else everything
    summary = statistics.summarise(frame)
    objective = objective_means(study)
    systems = []
    for slug in sorted({*ALWAYS, *study.systems}, key=figures.order):
        row = summary.loc[slug] if slug in summary.index else None
        systems.append(
            SystemResult(
                slug=slug,
                title=title_of(slug),
                colour=figures.colour(slug),
                marker=figures.marker(slug),
                n=0 if row is None else int(row["n"]),
                listeners=0 if row is None else int(row["n_assessors"]),
                mean=None if row is None else _number(row["assessor_mean"]),
                ci95=None if row is None else _number(row["ci95"]),
                median=None if row is None else _number(row["median"]),
                q1=None if row is None else _number(row["q1"]),
                q3=None if row is None else _number(row["q3"]),
                objective=objective.get(slug, Objective(None, None, None, None)),
            )
        )
    listeners = int(frame["assessor"].nunique())
    uncounted = Rating.objects.filter(
        trial__session__study=study, trial__item__training=False, trial__finished=None
    ).count()
    results = Results(
        study=study,
        screening=screening,
        frame=frame,
        screened=screened,
        systems=systems,
        agreements=[_agreement(metric, systems) for metric in METRICS],
        answer="",
        listeners=listeners,
        items=int(frame["item"].nunique()),
        uncounted=uncounted,
    )
    results.answer = _answer(results)
    results.warnings = _warnings(results)
    return results


def _agreement(metric: str, systems: Sequence[SystemResult]) -> Agreement:
    pairs = [
        (value, row.mean)
        for row in systems
        if row.slug != "original"
        and row.mean is not None
        and (value := getattr(row.objective, metric)) is not None
    ]
    objective, subjective = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return Agreement(
        metric,
        METRIC_TITLES[metric],
        len(pairs),
        _number(statistics.spearman(objective, subjective)),
        _number(statistics.pearson(objective, subjective)),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _answer(results: Results) -> str:
    """The outcome in one sentence or two, with n and interval."""
    if results.listeners == 0:
        if results.screened:
            who = (
                "The only listener is"
                if len(results.screened) == 1
                else f"All {len(results.screened)} listeners are"
            )
            return f"{who} screened out; choose “All listeners” to see the grades."
        if results.uncounted:
            return "Nobody has finished a trial yet; grades count once their trial is finished."
        return "Nobody has graded anything yet."
    tested = [row for row in results.systems if row.slug not in ALWAYS and row.mean is not None]
    tested.sort(key=lambda row: row.mean or 0.0, reverse=True)
    if not tested:
        return "No system under test has a grade yet."
    best = tested[0]
    interval = (
        f", 95 % interval of listener means {best.low:.0f} to {best.high:.0f}" if best.low is not None else ""
    )
    who = f"{_count(results.listeners, 'listener')}, {_count(results.items, 'item')}"
    mean = f"{best.mean:.1f} of 100 ({who}{interval})"
    if len(tested) == 1:
        return f"{best.title} was graded {mean}."
    ties = [row.title for row in tested if row.mean == best.mean]
    if len(ties) > 1:
        return f"{' and '.join(ties)} were graded alike and highest: {mean}."
    second = tested[1]
    near = second.high is not None and best.low is not None and second.high >= best.low
    return (
        f"{best.title} was graded highest of {len(tested)} systems: {mean}. "
        f"{second.title} follows with {second.mean:.1f}{'; their intervals overlap' if near else ''}."
    )


def _warnings(results: Results) -> list[str]:
    """What keeps the figures from meaning what a reader may take them for."""
    notes = []
    if results.listeners == 1:
        notes.append(
            "One listener: there is no interval of listener means; it takes two, and a test some 20."
        )
    elif results.listeners == 2:
        notes.append("Two listeners: the intervals have one degree of freedom and say next to nothing.")
    if results.listeners and results.items == 1:
        notes.append(
            "One item: the figures hold for this recording, not the systems; BS.1534-3 asks for 5 or more."
        )
    items = results.frame.groupby("assessor")["item"].nunique()
    partial = int((items < results.study.items.filter(training=False).count()).sum())
    if partial:
        notes.append(
            f"{_count(partial, 'listener')} graded only some of the items so far; "
            "a mean of listener means gives each listener the same weight."
        )
    notes += [
        f"{row.title} and the listeners order the systems differently: rank correlation "
        f"{figure(row.spearman, 2)} over {row.systems} systems and anchors. It can't stand in for the grades."
        for row in results.agreements
        if row.spearman is not None and row.metric != "stoi" and row.spearman < DISAGREEMENT
    ]
    if results.uncounted:
        notes.append(
            f"{_count(results.uncounted, 'grade')} in trials that are not finished "
            f"{'is' if results.uncounted == 1 else 'are'} in the export and not in these figures."
        )
    return notes
