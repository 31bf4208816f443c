"""The figures of a results page, which are also available as files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pandas as pd
from django.urls import reverse

from evaluation.analysis import figures
from evaluation.analysis.statistics import residuals as statistics
from evaluation.analysis.statistics.frames import Ratings
from evaluation.analysis.words import figure, points
from evaluation.metrics import metric_of
from listening.results.data import DifferenceData, DifferencesData, NeededData
from listening.results.frames import LOUD
from listening.results.objective import sounds, stimulus_pairs
from listening.results.outcome import Results
from listening.results.scales import decimals_of

#: Names of figures in URLs, besides those of metrics.
NAMES = ("grades", "listeners", "items", "rates", "differences", "residuals")

#: Fewer residuals than this show nothing.
_FEW = 8


def draw(results: Results, name: str, data: Mapping[str, Any] | None = None) -> str | None:
    """A figure as SVG by its name; None if the name is unknown or there is nothing to draw.

    ``<metric>`` shows grades against the metric per system, ``<metric>-stimuli`` per stimulus. `data` is
    the data of an analysis, for the differences.
    """
    if name == "grades":
        return grades(results)
    if name == "listeners":
        return listeners(results)
    if name == "residuals":
        return residuals(results)
    if name == "items":
        return items(results)
    if name == "rates":
        return rates(results)
    if name == "differences":
        return differences(results, data or {})
    metric, _, level = name.rpartition("-") if name.endswith("-stimuli") else (name, "", "")
    if metric not in {each.slug for each in results.metrics}:
        return None
    return stimuli(results, metric) if level else systems(results, metric)


def grades(results: Results) -> str:
    """Grades per system."""
    by_system = dict(list(results.frame.groupby("system", sort=False)))
    rows = []
    for row in results.systems:
        part = by_system.get(row.slug)
        rows.append(
            figures.GradeRow(
                title=row.title,
                look=(row.colour, row.marker),
                scores=[] if part is None else part["score"].tolist(),
                listener_means=[]
                if part is None
                else part.groupby("assessor", sort=False)["score"].mean().tolist(),
                mean=row.mean,
                half_width=row.ci95,
            )
        )
    return _stamp(
        results, figures.grades(rows, title=_title(results, "grades per system"), scale=results.scale)
    )


def listeners(results: Results) -> str | None:
    """Every listener's mean of each graded system."""
    shown = [
        (row.slug, row.title, (row.colour, row.marker)) for row in results.systems if row.mean is not None
    ]
    drawn = listener_lines(results.frame, shown, _title(results, "listeners"), results.scale)
    return _stamp(results, drawn) if drawn else None


def listener_lines(
    frame: pd.DataFrame, systems: Sequence[tuple[str, str, figures.Look]], title: str, scale: figures.Scale
) -> str | None:
    """Every listener's mean of each system: slug, title and look; None without systems.

    Args:
        frame: ``assessor, item, system, score``.
    """
    if not systems:
        return None
    means = frame.pivot_table(index="assessor", columns="system", values="score", sort=False)
    shown = means.reindex(columns=[slug for slug, _, _ in systems]).to_numpy().tolist()
    lines = [
        figures.ListenerLine(str(name), [None if math.isnan(mean) else mean for mean in own])
        for name, own in zip(means.index, shown, strict=True)
    ]
    own_means = [
        float(means[slug].mean()) if slug in means and means[slug].notna().any() else None
        for slug, _, _ in systems
    ]
    named = [(name, look) for _, name, look in systems]
    return figures.listener_lines(named, lines, own_means, title, scale)


def residuals(results: Results) -> str | None:
    """Residuals of the systems under test, after listener and system x item; None where nothing is left."""
    tested = [row.slug for row in results.ranked_systems]
    drawn = residual_plots(results.grades.only(tested), _title(results, "residuals"))
    return _stamp(results, drawn) if drawn else None


def residual_plots(frame: Ratings, title: str) -> str | None:
    """Residuals of ``assessor, item, system, score``; None where few or none are left."""
    fitted, left = statistics.residuals(frame)
    if left.size < _FEW or abs(left).max() < 1e-6:
        return None
    return figures.residuals(fitted, left, title)


def items(results: Results) -> str | None:
    """A panel for each graded item."""
    if results.cells.empty:
        return None
    systems = {
        row.slug: (row.title, (row.colour, row.marker)) for row in results.systems if row.mean is not None
    }
    panels = []
    for item, part in results.cells.groupby("item", sort=True):
        cells = {
            row.system: figures.Cell(
                row.mean, None if math.isnan(row.half_width) else float(row.half_width), int(row.n)
            )
            for row in part.itertuples()
        }
        panels.append((results.item_titles.get(item, f"Item {item}"), cells))
    return _stamp(
        results, figures.items(systems, panels, title=_title(results, "grades per item"), scale=results.scale)
    )


def rates(results: Results, play: Mapping[str, str] | None = None) -> str | None:
    """Grades against bit rate."""
    drawn = [
        figures.Point(
            row.title,
            (row.colour, row.marker),
            row.objective.kbps,
            row.mean,
            row.ci95,
            play=(play or {}).get(row.slug, ""),
        )
        for row in results.systems
        if row.mean is not None and row.objective.kbps is not None
    ]
    title = _title(results, "grades against bit rate")
    if not drawn:
        return None
    return _stamp(results, figures.rates(drawn, title=title, scale=_scale(results)))


def systems(results: Results, metric: str, play: Mapping[str, str] | None = None) -> str:
    """Grades against a metric, a point per system whose score and grade are of the same items."""
    drawn = [
        figures.Point(
            row.title,
            (row.colour, row.marker),
            row.objective.scores[metric],
            row.mean,
            row.ci95,
            play=(play or {}).get(row.slug, ""),
        )
        for row in results.systems
        if row.mean is not None and row.has_scores_of_graded_items(metric)
    ]
    title = _title(results, f"grades against {metric_of(metric).title}, per system")
    return _against(results, metric, drawn, title)


def stimuli(results: Results, metric: str, heard: Mapping[tuple[int, str], str] | None = None) -> str | None:
    """Grades against a metric, a point per stimulus."""
    pairs = stimulus_pairs(results.cells, results.objective, metric)
    shown = {row.slug: row for row in results.systems}
    drawn = [
        figures.Point(
            shown[row.system].title,
            (shown[row.system].colour, shown[row.system].marker),
            float(row.objective),
            float(row.subjective),
            None,
            play=(heard or {}).get((row.item, row.system), ""),
            about=results.item_titles.get(row.item, f"item {row.item}"),
        )
        for row in pairs.itertuples()
    ]
    title = _title(results, f"grades against {metric_of(metric).title}, per stimulus")
    if not drawn:
        return None
    return _against(results, metric, drawn, title, labels=False)


def differences(results: Results, data: Mapping[str, Any]) -> str | None:
    """Neighbours in rank: the difference of each to the next."""
    ranked = [(row.slug, row.title) for row in results.ranked_systems]
    svg = neighbours(ranked, data.get("pairs"), _title(results, "neighbours in rank"), results.scale)
    return _stamp(results, svg) if svg else None


def neighbours(
    ranked: Sequence[tuple[str, str]], data: DifferencesData | None, title: str, scale: figures.Scale
) -> str | None:
    """Differences of neighbours in `ranked`, slugs and titles; `data` is of `differences.compare` as JSON."""
    if not data:
        return None
    rows = {(row["a"], row["b"]): row for row in data["rows"]}
    decimals = decimals_of(scale)
    drawn = []
    for (first, first_title), (second, second_title) in pairwise(ranked):
        row = rows.get((first, second))
        if row is not None and (mean := row["difference"]) is not None:
            drawn.append(_difference(first_title, second_title, mean, row, decimals))
    return figures.differences(drawn, title, data["margin"]) if drawn else None


def _difference(
    first: str, second: str, mean: float, row: DifferenceData, decimals: int
) -> figures.Difference:
    def format_signed(value: float) -> str:
        return figure(value, decimals, signed=True)

    low, high = row["low"], row["high"]
    bounds = f" [{format_signed(low)}, {format_signed(high)}]" if low is not None and high is not None else ""
    verdict = "not tested" if row["problem"] else row["verdict"]
    return figures.Difference(
        first=first,
        second=second,
        mean=mean,
        low=low,
        high=high,
        note=f"{format_signed(mean)}{bounds}  {verdict}",
        decided=row["verdict"] != "undecided",
    )


def power(needed: NeededData | None, title: str, loud: str) -> str:
    """Curves of a plan, stamped with `loud`; empty without one."""
    if not needed or "numbers" not in needed["rows"][0]:  # an older analysis has no curves
        return ""
    curves = [
        figures.PowerCurve(points(row["difference"]), row["numbers"], row["powers"], row["listeners"])
        for row in needed["rows"]
    ]
    return figures.stamp(figures.power_curves(curves, title, "listeners"), loud)


def sound_urls(results: Results) -> tuple[dict[str, str], dict[tuple[int, str], str]]:
    """URLs of sounds: for each system, ordered by item, and for each stimulus."""
    found = {
        key: reverse("results_sound", args=[results.study.pk, pk])
        for key, pk in sounds(results.study).items()
    }
    by_system: dict[str, list[str]] = {}
    for (_, system), url in sorted(found.items()):
        by_system.setdefault(system, []).append(url)
    return {system: " ".join(urls) for system, urls in by_system.items()}, found


def _stamp(results: Results, svg: str) -> str:
    return figures.stamp(svg, LOUD.get(results.kind, ""))


def _scale(results: Results) -> figures.Scale:
    return replace(results.scale, name=results.measure)


def _against(
    results: Results, metric: str, points: Sequence[figures.Point], title: str, *, labels: bool = True
) -> str:
    known = metric_of(metric)
    axis = f"{known.title}, {known.unit}" if known.unit else known.title
    drawn = figures.scatter(
        points, axis, title, labels=labels, scale=_scale(results), bounds=(known.low, known.high)
    )
    return _stamp(results, drawn)


def _title(results: Results, what: str) -> str:
    return f"{results.study.name}: {what}"
