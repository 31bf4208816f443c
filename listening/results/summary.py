"""The quick part of results: means, intervals, boxes, who is screened out, and the answer in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from evaluation import figures, statistics
from listening.exports import METRICS
from listening.methods import METHODS
from listening.models import Study
from listening.results import profiles
from listening.results.frames import REAL, rating_frame, uncounted_of
from listening.results.names import in_order, titles_of
from listening.results.objective import METRIC_TITLES, Agreement, Objective, objective_means
from listening.services import ALWAYS
from listening.templatetags.figures import figure

#: Of a metric whose rank correlation with the grades is lower, the page warns.
DISAGREEMENT = 0.5


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


@dataclass
class Results:
    """All that the results page shows.

    Attributes:
        frame: the grades that count, after screening if it is on.
        uncounted: grades in trials that have not been finished; they do not count.
    """

    study: Study
    kind: str
    profile: str
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


def systems_of(study: Study, frame: pd.DataFrame) -> list[str]:
    """Systems that tables list: those of the study, what its method adds, and whatever was graded."""
    always = METHODS[study.method].always if study.method in METHODS and not study.imported else ()
    return in_order([*always, *study.systems, *frame["system"].unique()])


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def compute(study: Study, *, kind: str = REAL, profile: str = profiles.BS1534) -> Results:
    """The results of a study as it stands, seen through a screening profile."""
    everything = rating_frame(study, kind)
    screened = profiles.screen(study, everything, profile)
    frame = everything if profile == profiles.NONE else statistics.apply_screening(everything, screened)
    summary = statistics.summarise(frame)
    objective = objective_means(study)
    systems = []
    slugs = systems_of(study, everything)
    titles, looks = titles_of(slugs), figures.looks(slugs)
    for slug in slugs:
        row = summary.loc[slug] if slug in summary.index else None
        systems.append(
            SystemResult(
                slug=slug,
                title=titles[slug],
                colour=looks[slug][0],
                marker=looks[slug][1],
                n=0 if row is None else int(row["n"]),
                listeners=0 if row is None else int(row["n_assessors"]),
                mean=None if row is None else _number(row["assessor_mean"]),
                ci95=None if row is None else _number(row["ci95"]),
                median=None if row is None else _number(row["median"]),
                q1=None if row is None else _number(row["q1"]),
                q3=None if row is None else _number(row["q3"]),
                objective=objective.get(slug, Objective()),
            )
        )
    listeners = int(frame["assessor"].nunique())
    uncounted = uncounted_of(study, kind)
    results = Results(
        study=study,
        kind=kind,
        profile=profile,
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
            return f"{who} screened out; choose “Nobody screened out” to see the grades."
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
