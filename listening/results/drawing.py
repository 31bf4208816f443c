"""The figures of a results page, and the same as files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from django.urls import reverse

from evaluation.analysis import figures
from evaluation.metrics import metric_of
from listening.results.frames import LOUD
from listening.results.objective import sounds, stimulus_pairs
from listening.results.outcome import Results
from listening.results.scales import decimals_of

#: Figures by their names in addresses, besides those of metrics.
NAMES = ("grades", "items", "rates", "differences")


def draw(results: Results, name: str, data: Mapping[str, Any] | None = None) -> str | None:
    """A figure by its name as SVG; None if there is none of that name or nothing to draw.

    ``<metric>`` is grades against the metric per system, ``<metric>-stimuli`` per stimulus. `data` is
    of an analysis, for the differences.
    """
    if name == "grades":
        return grades(results)
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
    return _stamped(
        results, figures.grades(rows, title=_title(results, "grades per system"), scale=results.scale)
    )


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
    return _stamped(
        results, figures.items(systems, panels, title=_title(results, "grades per item"), scale=results.scale)
    )


def rates(results: Results, play: Mapping[str, str] | None = None) -> str | None:
    """Grades against bit rate."""
    points = [
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
    if not points:
        return None
    return _stamped(results, figures.rates(points, title=title, scale=_scale(results)))


def systems(results: Results, metric: str, play: Mapping[str, str] | None = None) -> str:
    """Grades against a metric, a point per system."""
    points = [
        figures.Point(
            row.title,
            (row.colour, row.marker),
            row.objective.scores[metric],
            row.mean,
            row.ci95,
            play=(play or {}).get(row.slug, ""),
        )
        for row in results.systems
        if row.mean is not None and metric in row.objective.scores
    ]
    title = _title(results, f"grades against {metric_of(metric).title}, per system")
    return _stamped(results, figures.scatter(points, _axis(metric), title=title, scale=_scale(results)))


def stimuli(results: Results, metric: str, heard: Mapping[tuple[int, str], str] | None = None) -> str | None:
    """Grades against a metric, a point per stimulus."""
    pairs = stimulus_pairs(results.cells, results.objective, metric)
    shown = {row.slug: row for row in results.systems}
    points = [
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
    if not points:
        return None
    return _stamped(
        results, figures.scatter(points, _axis(metric), title=title, labels=False, scale=_scale(results))
    )


def differences(results: Results, data: Mapping[str, Any]) -> str | None:
    """Neighbours in rank: by how much each is ahead of the next."""
    ranked = [(row.slug, row.title) for row in results.ranked]
    svg = neighbours(ranked, data.get("pairs", {}), _title(results, "neighbours in rank"), results.scale)
    return _stamped(results, svg) if svg else None


def neighbours(
    ranked: Sequence[tuple[str, str]], data: Mapping[str, Any], title: str, scale: figures.Scale
) -> str | None:
    """Differences of neighbours in `ranked`, slugs and titles; `data` is of `differences.compare` as JSON."""
    rows = {(row["a"], row["b"]): row for row in data.get("rows", [])}
    decimals = decimals_of(scale)
    drawn = []
    for (first, first_title), (second, second_title) in pairwise(ranked):
        row = rows.get((first, second))
        if row is not None and row["difference"] is not None:
            drawn.append(_difference(first_title, second_title, row, decimals))
    return figures.differences(drawn, title, data["margin"]) if drawn else None


def _difference(first: str, second: str, row: Mapping[str, Any], decimals: int) -> figures.Difference:
    def signed(value: float) -> str:
        return f"{value:+.{decimals}f}".replace("-", "−")

    bounds = f" [{signed(row['low'])}, {signed(row['high'])}]" if row["low"] is not None else ""
    verdict = "not tested" if row["problem"] else row["verdict"]
    return figures.Difference(
        first=first,
        second=second,
        mean=row["difference"],
        low=row["low"],
        high=row["high"],
        note=f"{signed(row['difference'])}{bounds}  {verdict}",
        decided=row["verdict"] != "undecided",
    )


def playing(results: Results) -> tuple[dict[str, str], dict[tuple[int, str], str]]:
    """Addresses of sounds: of each system, item after item, and of each stimulus."""
    found = {
        key: reverse("results_sound", args=[results.study.pk, pk])
        for key, pk in sounds(results.study).items()
    }
    by_system: dict[str, list[str]] = {}
    for (_, system), url in sorted(found.items()):
        by_system.setdefault(system, []).append(url)
    return {system: " ".join(urls) for system, urls in by_system.items()}, found


def _stamped(results: Results, svg: str) -> str:
    return figures.stamp(svg, LOUD.get(results.kind, ""))


def _scale(results: Results) -> figures.Scale:
    return replace(results.scale, name=results.measure)


def _axis(metric: str) -> str:
    known = metric_of(metric)
    return f"{known.title}, {known.unit}" if known.unit else known.title


def _title(results: Results, what: str) -> str:
    return f"{results.study.name}: {what}"
