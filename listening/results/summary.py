"""The fast part of results: means, intervals, box plots, screening. Computed within a request."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from evaluation.analysis.figures import MUSHRA, Scale
from evaluation.analysis.statistics import describe
from evaluation.analysis.statistics.differences import adjust_means, find_blocks
from evaluation.analysis.statistics.frames import Tidy, tidy
from evaluation.metrics import metric_of
from evaluation.systems import looks_of
from listening.models import Study
from listening.results import profiles, words
from listening.results.frames import REAL, count_unfinished, item_titles, rating_frame
from listening.results.names import sort_systems, titles_of
from listening.results.objective import (
    agreement,
    objective_means,
    select_graded,
    sort_metrics,
)
from listening.results.objective_frame import objective_frame
from listening.results.outcome import Results, SystemResult, always_of
from listening.results.scales import scale_of


def systems_of(study: Study, graded: Iterable[object]) -> list[str]:
    """Systems in the tables: those of the study, those that its method adds, and any other graded system."""
    always = () if study.imported else always_of(study)
    return sort_systems([*always, *study.systems, *map(str, graded)])


def compute(study: Study, *, kind: str = REAL, profile: str = profiles.BS1534) -> Results:
    """The present results of a study, after a screening profile."""
    everything = rating_frame(study, kind)
    before = tidy(everything)
    screening = profiles.apply(study, before, profile)
    frame = screening.view(everything) if screening.excluded else everything
    grades = tidy(frame) if screening.excluded else before
    objective, cells = objective_frame(study), _cells(grades)
    scale = scale_of(study, None if everything.empty else float(everything["score"].max()))
    outliers = describe.outliers(grades)
    graded_items = cells["system"].value_counts().to_dict()
    systems = _systems(study, grades, before, select_graded(objective, cells), scale, outliers, graded_items)
    metrics = sort_metrics(slug for row in systems for slug in row.objective.scores)
    tested = {name for name in grades.systems if name not in always_of(study)}
    results = Results(
        study=study,
        kind=kind,
        profile=profile,
        frame=frame,
        everything=everything,
        grades=grades,
        screening=screening,
        systems=systems,
        cells=cells,
        objective=objective,
        metrics=[metric_of(slug) for slug in metrics],
        agreements=[
            agreement(metric, system_pairs(systems, metric), gaps_of(systems, metric)) for metric in metrics
        ],
        outliers=outliers,
        hints=describe.validity_hints(grades) if scale.high == MUSHRA.high else [],
        blocks=[[str(slug) for slug in block] for block in find_blocks(grades.only(tested))],
        adjusted={str(slug): mean for slug, mean in adjust_means(grades).items()},
        item_titles=item_titles(study),
        uncounted=count_unfinished(study, kind),
        scale=scale,
    )
    results.answer = words.answer(results)
    results.warnings = words.warnings(results)
    return results


def system_pairs(systems: list[SystemResult], metric: str) -> list[tuple[float, float]]:
    """Mean score and mean grade of each system that has both over the same items, less the reference."""
    return [
        (row.objective.scores[metric], row.mean)
        for row in systems
        if row.slug != "original" and row.mean is not None and row.has_scores_of_graded_items(metric)
    ]


def gaps_of(systems: list[SystemResult], metric: str) -> list[str]:
    """Titles of the systems that `system_pairs` leaves out because score and grade are of different items."""
    return [
        row.title
        for row in systems
        if row.slug != "original"
        and row.mean is not None
        and metric in row.objective.scores
        and not row.has_scores_of_graded_items(metric)
    ]


def _systems(
    study: Study,
    grades: Tidy,
    everything: Tidy,
    scores: pd.DataFrame,
    scale: Scale,
    flagged: list[describe.Outlier],
    graded_items: Mapping[str, int],
) -> list[SystemResult]:
    slugs = systems_of(study, everything.systems)
    titles, looks = titles_of(slugs), looks_of(slugs)
    objective = objective_means(study, slugs, scores)
    described = {row.system: row for row in describe.systems(grades, resamples=0).conditions}
    before = (
        described
        if grades is everything
        else {row.system: row for row in describe.systems(everything, resamples=0).conditions}
    )
    outliers: dict[Any, int] = {}
    for outlier in flagged:
        outliers[outlier.system] = outliers.get(outlier.system, 0) + 1
    return [
        SystemResult(
            slug=slug,
            title=titles[slug],
            colour=looks[slug][0],
            marker=looks[slug][1],
            objective=objective[slug],
            scale=scale,
            graded_items=graded_items.get(slug, 0),
            **_figures_before(before[slug]) if slug in before else {},
            outliers=outliers.get(slug, 0),
            groups=describe.suggests_groups(grades.only([slug]).score, scale.low, scale.high),
            **_figures(described[slug]) if slug in described else {},
        )
        for slug in slugs
    ]


def _figures(row: describe.Condition) -> Mapping[str, Any]:
    return {
        "n": row.n,
        "listeners": row.n_assessors,
        "mean": row.assessor_mean,
        "ci95": row.over_assessors.half_width if row.over_assessors else None,
        "ci95_ratings": row.over_ratings.half_width if row.over_ratings else None,
        "sd": row.sd,
        "median": row.median,
        "q1": row.q1,
        "q3": row.q3,
        "multimodality": row.multimodality,
    }


def _figures_before(row: describe.Condition) -> Mapping[str, Any]:
    own = _figures(row)
    return {f"all_{name}": own[name] for name in ("mean", "ci95", "listeners")}


def _cells(grades: Tidy) -> pd.DataFrame:
    rows = [
        {
            "item": row.item,
            "system": row.system,
            "n": row.n,
            "mean": row.mean,
            "median": row.median,
            "q1": row.q1,
            "q3": row.q3,
            "half_width": row.over_assessors.half_width if row.over_assessors else math.nan,
            "outliers": row.outliers,
        }
        for row in describe.cells(grades).conditions
    ]
    columns = ["item", "system", "n", "mean", "median", "q1", "q3", "half_width", "outliers"]
    return pd.DataFrame(rows, columns=columns)
