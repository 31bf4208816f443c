"""The context of the results page: rows with explanations, figures, sections."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from evaluation.analysis.words import count, every, figure, plain
from evaluation.contexts import Context
from evaluation.metrics import METRICS
from listening.models import Analysis
from listening.results import drawing, profiles, words
from listening.results.calibration import describe_misses
from listening.results.frames import LOUD
from listening.results.outcome import Results, SystemResult
from listening.results.scales import decimals_of, question_of
from listening.results.verdicts import family_of, pair_rows, reconcile_all, tested_rows, widest_population

#: Maximum number of outliers in the page's table.
MOST_OUTLIERS = 40


def context_of(results: Results, analysis: Analysis | None) -> Context:
    """The page's context from `results` and, if available, the slow part."""
    data: Mapping[str, Any] = analysis.data if analysis is not None else {}
    by_system, heard = drawing.sound_urls(results)
    graded = results.listeners > 0
    titles = {row.slug: row.title for row in results.systems}
    decimals = decimals_of(results.scale)
    return {
        "decimals": decimals,
        "question": question_of(results.study, results.scale),
        "scale": results.scale,
        "results": results,
        "answer": words.answer(results, data),
        "reach": [*words.describe_reach(data), *describe_misses(data, "companions")],
        "misses": describe_misses(data, "primary"),
        "rows": [_row(results, row) for row in results.systems],
        "score_columns": [
            {"metric": metric, "covers": results.coverages[metric.slug].column} for metric in results.metrics
        ],
        "grades": _mark_safe(drawing.grades(results)) if graded else "",
        "listener_lines": _mark_safe(drawing.listeners(results)),
        "residuals": _mark_safe(drawing.residuals(results)),
        "items": _mark_safe(drawing.items(results)),
        "cells": _cells(results),
        "rates": _mark_safe(drawing.rates(results, by_system)) if graded else "",
        "scatters": _scatters(results, by_system, heard, data) if graded else [],
        "caveats": caveats_of(results),
        "outliers": _outliers(results),
        "more_outliers": max(0, len(results.outliers) - MOST_OUTLIERS),
        "listeners": _listeners(results, data),
        "gauges": data.get("gauge"),
        "profiles": profiles.profiles_of(results.study),
        "profile": results.screening.profile,
        "thresholds": profiles.form_of(results.study),
        "playable": bool(heard),
        "differences": _mark_safe(drawing.differences(results, data)),
        "power": _mark_safe(
            drawing.power(data.get("needed"), f"{results.study.name}: power", LOUD.get(results.kind, ""))
        ),
        "contents": _contents(results),
        "pairs": pair_rows(titles, data.get("pairs"), decimals),
        "family": family_of(data.get("pairs")),
        "population": widest_population(
            (row["population"] for row in tested_rows(data.get("pairs"))),
            results.study.analysis.population,
        ),
        "reconciled": reconcile_all(data.get("pairs")),
        "against": pair_rows(titles, data.get("against"), decimals),
        "effects": _effects(data),
        "mixed": _mixed(results, data),
        "attachment3": _rank_tests(results, data),
        "bootstrap": [
            {"system": row, **data["bootstrap"][row.slug]}
            for row in results.systems
            if row.low is not None and data.get("bootstrap", {}).get(row.slug)
        ],
        "data": data,
    }


def _contents(results: Results) -> list[tuple[str, str]]:
    """Places of the page and their titles."""
    listeners = [("screening", "Listeners")] if results.screened else []
    if not results.listeners:
        return listeners
    caveats = [("caveats", "Caveats")] if caveats_of(results) else []
    return [
        ("answer", "Answer"),
        ("table3", "Summary"),
        ("pairs", "Differences"),
        ("items", "Items"),
        ("objective", "Measurements"),
        *caveats,
        *listeners,
        ("paper", "For the paper"),
    ]


def _mark_safe(svg: str | None) -> SafeString:
    """Mark a figure as safe HTML: `evaluation.analysis.figures` escapes every text in it."""
    return mark_safe(svg or "")  # noqa: S308


def _row(results: Results, row: SystemResult) -> Context:
    return {
        "system": row,
        "implied": row.slug in results.always,
        "scores": [
            {
                "value": row.objective.scores.get(metric.slug),
                "decimals": metric.decimals,
                "covers": results.coverages[metric.slug].cells.get(row.slug, ""),
                "how": _explain_score(row, metric.slug),
            }
            for metric in results.metrics
        ],
        "how": explain_figures(row, imported=bool(results.study.imported)),
        "moved": row.all_mean is not None and row.mean is not None and row.all_listeners != row.listeners,
    }


def explain_figures(row: SystemResult, *, imported: bool = False) -> dict[str, str]:
    """Unit, n and method of every figure of a row, one sentence each."""
    of_trials = "" if imported else ", of finished trials, training left out"
    grades = f"{count(row.n, 'grade')} of {count(row.listeners, 'listener')}"
    said = {
        "n": f"{grades}{of_trials}.",
        "median": f"Median of {grades}, in points{_ends(row)}.",
        "iqr": f"Between the Tukey hinges of {grades}, in points: as BS.1534-3 draws its box plots.",
        "mean": f"Mean of {count(row.listeners, 'listener')}' own means, in points{_ends(row)}.",
        "all": f"The same over {every(row.all_listeners, 'listener')}, before screening.",
    }
    if row.ci95 is not None:
        said["interval"] = (
            f"Student's t interval of the mean over n = {row.listeners} listeners, 95 %. "
            f"Taking {row.n} grades as independent would make it "
            f"± {figure(row.ci95_ratings, decimals_of(row.scale))}, which is too narrow, because the "
            "grades of one listener are correlated."
        )
        said["mean"] += f" ± is half of its 95 % t interval over n = {row.listeners} listeners."
    else:
        said["interval"] = "An interval of listener means needs at least two listeners."
    if row.objective.stated:
        said["rate"] = "In kbit/s, as stated by the system's researcher; not measured here."
    elif row.objective.kbps is not None:
        said["rate"] = (
            f"In kbit/s, measured: bits that a decoder needs by seconds of audio, "
            f"{_mean_of(row.objective.renditions, 'rendition', 'renditions')}, container not counted."
        )
    return said


def _ends(row: SystemResult) -> str:
    return f" from {plain(row.scale.low)} to {plain(row.scale.high)}"


def _explain_score(row: SystemResult, slug: str) -> str:
    n = row.objective.counts.get(slug)
    if not n:
        return ""
    metric = METRICS.get(slug)
    unit = f"In {metric.unit}. " if metric and metric.unit else ""
    note = f" {metric.note}" if metric else ""
    said = _mean_of(n, "stimulus", "stimuli")
    return f"{unit}{said[0].upper()}{said[1:]}.{note}"


def _mean_of(n: int, one: str, several: str) -> str:
    return f"of one {one}" if n == 1 else f"mean over n = {n} {several}"


def _cells(results: Results) -> list[Context]:
    """Rows of the table of items, with a cell for each graded system."""
    found = {(row.item, row.system): row for row in results.cells.itertuples()}
    slugs = [row.slug for row in results.systems if row.mean is not None]
    rows: list[Context] = []
    for item in sorted({key[0] for key in found}):
        cells = [_cell(results, found.get((item, slug))) for slug in slugs]
        rows.append({"title": results.item_titles.get(item, f"Item {item}"), "cells": cells})
    return rows


def _cell(results: Results, row: Any) -> Context | None:
    if row is None:
        return None
    half = None if math.isnan(row.half_width) else float(row.half_width)
    spread = results.scale.spread(row.mean, half, decimals_of(results.scale))
    return {**row._asdict(), "spread": spread}


def _scatters(
    results: Results,
    by_system: Mapping[str, str],
    heard: Mapping[tuple[int, str], str],
    data: Mapping[str, Any],
) -> list[Context]:
    computed: dict[tuple[str, str], Any] = {
        (row["metric"], row["level"]): row for row in data.get("agreement", [])
    }
    found = []
    for row in results.agreements:
        slug = row.metric.slug
        found.append(
            {
                "agreement": row,
                "metric": row.metric,
                "systems": _mark_safe(drawing.systems(results, slug, by_system)),
                "stimuli": _mark_safe(drawing.stimuli(results, slug, heard)),
                "computed": [
                    computed[slug, level] for level in ("system", "stimulus") if (slug, level) in computed
                ],
            }
        )
    return found


def caveats_of(results: Results) -> list[str]:
    """Caveats about the figures: validity (M24), modes (M25), outliers (M23)."""
    said = [hint.text for hint in results.hints]
    said += list(results.screening.notes)
    said += [
        f"Grades of {row.title} may fall into groups (multimodality coefficient "
        f"{figure(row.multimodality, 2)}, above 0.56): look at the dots before you trust the mean."
        for row in results.systems
        if row.groups and row.slug != "original"
    ]
    if results.outliers:
        share = 100 * len(results.outliers) / len(results.frame)
        lie = "lies" if len(results.outliers) == 1 else "lie"
        said.append(
            f"{count(len(results.outliers), 'grade')} ({share:.1f} %) {lie} outside 1.5 interquartile ranges "
            "of their item and system. They stay in every figure; leave one out only if it is a proven error."
        )
    return said


def _outliers(results: Results) -> list[Context]:
    titles = {row.slug: row.title for row in results.systems}
    return [
        {
            "listener": row.assessor,
            "item": results.item_titles.get(row.item, f"Item {row.item}"),  # type: ignore[call-overload]
            "system": titles.get(str(row.system), row.system),
            "score": row.score,
            "low": results.scale.clip(row.low),
            "high": results.scale.clip(row.high),
        }
        for row in results.outliers[:MOST_OUTLIERS]
    ]


def _listeners(results: Results, data: Mapping[str, Any]) -> list[Context]:
    grouped = results.everything.groupby("assessor", sort=False)
    items, means = grouped["item"].nunique(), grouped["score"].mean()
    labels = dict(results.study.sessions.exclude(label="").values_list("assessor__code", "label"))
    gauges = {row["assessor"]: row for row in data.get("gauge") or []}
    return [
        {
            "entry": entry,
            "label": labels.get(str(entry.assessor), ""),
            "items": int(items[entry.assessor]),
            "mean": float(means[entry.assessor]),
            "gauge": gauges.get(str(entry.assessor)),
        }
        for entry in results.screened
    ]


def _rank_tests(results: Results, data: Mapping[str, Any]) -> list[Context]:
    """Attachment 3, sign-flip, Wilcoxon's and paired t tests of the same pairs, side by side."""
    titles = {row.slug: row.title for row in results.systems}
    wilcoxon, flipped, contrasts = (
        {(row["a"], row["b"]): row["p_adjusted"] for row in data.get(name, {}).get("rows", [])}
        for name in ("wilcoxon", "sign_flip", "contrasts")
    )
    return [
        {
            "first": titles.get(row["a"], row["a"]),
            "second": titles.get(row["b"], row["b"]),
            "difference": row["difference"],
            "p": row["p"],
            "p_at_least": row["p_at_least"],
            "p_two_sided": row["p_two_sided"],
            "wilcoxon": wilcoxon.get((row["a"], row["b"])),
            "sign_flip": flipped.get((row["a"], row["b"])),
            "contrast": contrasts.get((row["a"], row["b"])),
        }
        for row in data.get("attachment3", {}).get("rows", [])
    ]


def _mixed(results: Results, data: Mapping[str, Any]) -> Context | None:
    """The mixed model's adjusted means in the order of the tables, and its description."""
    found = data.get("mixed")
    if not found:
        return None
    means = {row["system"]: row for row in found["means"]}
    rows = [{"title": row.title, **means[row.slug]} for row in results.systems if row.slug in means]
    titles = {row.slug: row.title for row in results.systems}
    pairs = [
        {**row, "first": titles.get(row["a"], row["a"]), "second": titles.get(row["b"], row["b"])}
        for row in found["comparisons"]
        if not row["problem"]
    ]
    return {**found, "means": rows, "pairs": pairs}


def _effects(data: Mapping[str, Any]) -> list[Context]:
    """The rows of the analysis of variance, each with F and degrees of freedom of the reported p value."""
    rows = []
    for row in data.get("anova", {}).get("effects", []):
        shown = {"f": row["f"], "df": row["df"], "df_error": row["df_error"]}
        epsilon = {"huynh-feldt": "huynh_feldt", "greenhouse-geisser": "greenhouse_geisser"}.get(
            row["chosen"]
        )
        if row["chosen"] == "multivariate" and row["multivariate"]:
            shown = {name: row["multivariate"][name] for name in ("f", "df", "df_error")}
        elif epsilon and row[epsilon] is not None:
            shown["df"], shown["df_error"] = row["df"] * row[epsilon], row["df_error"] * row[epsilon]
        rows.append({**row, "title": row["name"].replace(" x ", " × "), "shown": shown})
    return rows
