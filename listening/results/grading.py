"""Contexts of the results pages of graded methods, except for the analysis of BS.1534-3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pandas as pd
from django.utils.safestring import SafeString, mark_safe

from evaluation.analysis import figures
from evaluation.analysis.statistics import differences
from evaluation.analysis.statistics import impairment as impairments
from evaluation.analysis.statistics import opinion as opinions
from evaluation.analysis.statistics.differences import Population
from evaluation.analysis.statistics.intervals import Interval, t_interval
from evaluation.analysis.statistics.ranking import best_first
from evaluation.analysis.words import count, figure, plain
from evaluation.contexts import Context
from evaluation.systems import looks_of
from listening.methods import METHODS, REFERENCE
from listening.models import Rating, Stimulus, Study
from listening.results.calibration import describe_misses
from listening.results.data import (
    DifferencesData,
    GaugeData,
    ImpairmentData,
    MissesData,
    NeededData,
    OrdinalData,
)
from listening.results.drawing import listener_lines, neighbours, power, residual_plots
from listening.results.frames import LOUD, REAL, count_unfinished, item_titles, rating_frame, ratings_of
from listening.results.names import sort_systems, titles_of
from listening.results.scales import Question, question_of, scale_of
from listening.results.verdicts import (
    Ranked,
    Terms,
    describe_block,
    describe_population,
    family_of,
    join_names,
    pair_rows,
    reconcile_all,
    tested_rows,
    warn_of_few_listeners,
    widest_population,
)
from listening.session.grading import ccr_sign


class Counts(TypedDict):
    """How much was graded; `uncounted` grades are in trials that are not finished."""

    n: int
    listeners: int
    items: int
    uncounted: int


class TestData(TypedDict):
    """The tests between systems as JSON, by the names that `heavy.compute` gives them."""

    pairs: DifferencesData
    reliability: object
    needed: NeededData | None
    gauge: list[GaugeData]
    ordinal: OrdinalData | None
    misses: MissesData
    impairments: NotRequired[list[ImpairmentData]]
    experts: NotRequired[list[ImpairmentData]]


class Between(TypedDict):
    """The part of a context on differences between systems."""

    answer: str
    data: TestData | None
    question: Question
    decimals: int
    compared: bool
    pairs: list[Context]
    family: int
    population: str
    reconciled: list[str]
    ordinal: list[Context]
    companion_misses: list[str]
    gauges: list[GaugeData] | None
    power: SafeString
    differences_svg: str
    differences: SafeString
    listeners_svg: str
    listener_lines: SafeString
    residuals_svg: str
    residuals: SafeString


def diff_frame(study: Study, kind: str = REAL) -> pd.DataFrame:
    """Grades of finished trials without training, each with the grade of its hidden reference.

    Columns are ``assessor, item, system, score, reference``.
    """
    grades = (
        ratings_of(study, kind)
        .filter(trial__finished__isnull=False)
        .values_list(
            "trial", "trial__session__assessor__code", "trial__item__position", "stimulus__system", "score"
        )
        .order_by("trial__session__number", "trial__position")
    )
    references: dict[int, float] = {}
    tested: dict[int, tuple[str, int, str, float]] = {}
    for trial, assessor, item, system, score in grades:
        if system == REFERENCE:
            references[trial] = score
        else:
            tested[trial] = (assessor, item, system, score)
    complete = [(*row, references[trial]) for trial, row in tested.items() if trial in references]
    frame = pd.DataFrame(complete, columns=list(impairments.COLUMNS))
    places = {slug: place for place, slug in enumerate(sort_systems(frame["system"].unique()))}
    ordered: pd.DataFrame = frame.sort_values(
        "system", key=lambda slugs: slugs.map(places), kind="stable", ignore_index=True
    )
    return ordered


def comparison_frame(study: Study, kind: str = REAL) -> pd.DataFrame:
    """Comparison grades of finished trials without training: ``assessor, item, system, score, sign``.

    Scores are as given; multiplied by the sign, they compare the system with the reference.
    """
    systems = dict(Stimulus.objects.filter(item__study=study).values_list("pk", "system"))
    rows = ratings_of(study, kind).filter(trial__finished__isnull=False)
    rows = rows.select_related("trial__session__assessor", "trial__item", "stimulus")
    made = [
        (
            row.trial.session.assessor.code,
            row.trial.item.position,
            row.stimulus.system,
            row.score,
            _sign(row, systems),
        )
        for row in rows.order_by("trial__session__number", "trial__position")
    ]
    frame = pd.DataFrame(made, columns=["assessor", "item", "system", "score", "sign"])
    places = {slug: place for place, slug in enumerate(sort_systems(frame["system"].unique()))}
    ordered: pd.DataFrame = frame.sort_values(
        "system", key=lambda slugs: slugs.map(places), kind="stable", ignore_index=True
    )
    return ordered


def _sign(row: Rating, systems: dict[int, str]) -> int:
    """The sign of a comparison; 1 if the order is unknown, as for imported grades."""
    roles = {entry.get("role") for entry in row.trial.order}
    return ccr_sign(row.trial, systems) if {"first", "second"} <= roles else 1


def _base(study: Study, kind: str, frame: pd.DataFrame) -> Counts:
    return {
        "n": len(frame),
        "listeners": int(frame["assessor"].nunique()),
        "items": int(frame["item"].nunique()),
        "uncounted": count_unfinished(study, kind),
    }


def _looks(slugs: list[str]) -> dict[str, dict[str, str]]:
    titles, looks = titles_of(slugs), looks_of(slugs)
    return {
        slug: {"slug": slug, "title": titles[slug], "colour": looks[slug][0], "marker": looks[slug][1]}
        for slug in slugs
    }


def _draw_grades(
    study: Study, tidy: pd.DataFrame, looks: dict[str, dict[str, str]], scale: figures.Scale, what: str
) -> str:
    rows = []
    for slug, its in tidy.groupby("system", sort=False):
        means = its.groupby("assessor", sort=False)["score"].mean()
        interval = t_interval(means, "listeners")
        rows.append(
            figures.GradeRow(
                title=looks[str(slug)]["title"],
                look=(looks[str(slug)]["colour"], looks[str(slug)]["marker"]),
                scores=its["score"].tolist(),
                listener_means=means.tolist(),
                mean=float(means.mean()),
                half_width=None if interval is None else interval.half_width,
            )
        )
    return figures.grades(rows, title=f"{study.name}: {what}", scale=scale)


def _compare_systems(
    study: Study,
    kind: str,
    tidy: pd.DataFrame,
    ranked: list[Ranked],
    looks: dict[str, dict[str, str]],
    terms: Terms,
    question: Question,
    data: TestData | None,
) -> Between:
    """The part of a context on differences between the systems in `ranked`, best first."""
    pairs = data["pairs"] if data else None
    titles = {slug: look["title"] for slug, look in looks.items()}
    names = [(row.slug, row.title) for row in ranked]
    svg = neighbours(names, pairs, f"{study.name}: neighbours in rank", terms.scale)
    svg = figures.stamp(svg or "", LOUD.get(kind, ""))
    shown = [(slug, look["title"], (look["colour"], look["marker"])) for slug, look in looks.items()]
    lines = listener_lines(tidy, shown, f"{study.name}: listeners", terms.scale)
    lines = figures.stamp(lines or "", LOUD.get(kind, ""))
    tested = tidy[tidy["system"].isin([row.slug for row in ranked])]
    left = figures.stamp(residual_plots(tested, f"{study.name}: residuals") or "", LOUD.get(kind, ""))
    by_slug = {row.slug: row for row in ranked}
    blocks = [
        [row for row in ranked if row.slug in {str(slug) for slug in block}]
        for block in differences.find_blocks(tidy[tidy["system"].isin(list(by_slug))])
    ]
    answer = [describe_block(block, terms, pairs) for block in blocks if block]
    if len(blocks) > 1:
        groups = "; ".join(", ".join(row.title for row in block) for block in blocks)
        answer.insert(
            0,
            f"{count(len(blocks), 'group')} of systems were never heard on the same recordings and cannot be "
            f"compared with each other: {groups}.",
        )
    return {
        "answer": " ".join(answer),
        "data": data,
        "question": question,
        "decimals": terms.decimals,
        "compared": len(ranked) > 1,
        "pairs": pair_rows(titles, pairs, terms.decimals),
        "family": family_of(pairs),
        "population": widest_population(
            (row["population"] for row in tested_rows(pairs)),
            question.population.value,
        ),
        "reconciled": reconcile_all(pairs),
        "ordinal": _odds_rows(data, titles),
        "companion_misses": describe_misses(data, "companions"),
        "gauges": data.get("gauge") if data else None,
        "power": mark_safe(power(data["needed"], f"{study.name}: power", LOUD.get(kind, "")) if data else ""),  # noqa: S308
        "differences_svg": svg,
        "differences": mark_safe(svg),  # noqa: S308 -- texts are escaped there
        "listeners_svg": lines,
        "listener_lines": mark_safe(lines),  # noqa: S308 -- texts are escaped there
        "residuals_svg": left,
        "residuals": mark_safe(left),  # noqa: S308 -- texts are escaped there
    }


def _odds_rows(data: TestData | None, titles: Mapping[str, str]) -> list[Context]:
    # An older analysis has none.
    found = data.get("ordinal") if data else None
    return [
        {**row, "first": titles.get(row["a"], row["a"]), "second": titles.get(row["b"], row["b"])}
        for row in (found["rows"] if found else [])
    ]


def rank(tidy: pd.DataFrame, titles: Mapping[str, str], scale: figures.Scale) -> tuple[list[Ranked], bool]:
    """Systems under test, best mean first, and whether means are adjusted for incomplete data.

    Args:
        titles: of these systems by slug.
    """
    cells = tidy[["assessor", "item", "system"]].drop_duplicates()
    complete = len(cells) == tidy["assessor"].nunique() * tidy["item"].nunique() * tidy["system"].nunique()
    adjusted = {} if complete else differences.adjust_means(tidy)
    rows = []
    for slug, title in titles.items():
        its = tidy[tidy["system"] == slug]
        means = its.groupby("assessor", sort=False)["score"].mean()
        interval = t_interval(means, "listeners")
        rows.append(
            Ranked(
                slug,
                title,
                float(adjusted.get(slug, means.mean())),
                means.size,
                int(its["item"].nunique()),
                scale.clip(interval.low) if interval else None,
                scale.clip(interval.high) if interval else None,
            )
        )
    return best_first(rows, lambda row: row.rank_by), not complete


def impairment(study: Study, kind: str = REAL, data: TestData | None = None) -> Context:
    """The context of ``_results_bs1116.html``; `data` is of `heavy.compute`."""
    frame = diff_frame(study, kind)
    counts = _base(study, kind, frame)
    if frame.empty:
        return {**counts, "answer": "Nobody has finished a trial yet.", "warnings": []}
    looks = _looks(list(frame["system"].unique()))
    scale = scale_of(study)
    question = question_of(study, scale)
    tidy = impairments.diff_grades(frame)
    experts = impairments.expertise(frame)
    kept = [row.assessor for row in experts if row.expert]
    # An older analysis has none.
    tested = data.get("impairments") if data else None
    found = list(map(_read_impairment, tested)) if tested is not None else impairments.describe(frame)
    of_experts = data.get("experts", []) if data else []
    by_experts = {row["system"]: _read_impairment(row) for row in of_experts}
    rows = [
        {
            "system": looks[row.system],
            "row": row,
            "mean": _estimate_of(row),
            "experts": by_experts.get(row.system),
            "mean_of_experts": _estimate_of(by_experts.get(row.system)),
            # The interval is of its system alone, the word is corrected for all of them.
            "seems_shown": row.shown is False and row.high is not None and row.high < 0,
            "above": row.shown is False and row.low is not None and row.low > 0,
        }
        for row in found
    ]
    ranked, adjusted = rank(tidy, {slug: look["title"] for slug, look in looks.items()}, scale)
    terms = Terms(scale, measure="mean diff grade", adjusted=adjusted)
    between = _compare_systems(study, kind, tidy, ranked, looks, terms, question, data)
    answer = "Whether an impairment is shown is not computed yet."
    if tested is not None:
        answer = _describe_impairments(found, looks)
    if len(ranked) > 1:
        answer += f" Between systems: {between['answer']}"
    drawn = _draw_grades(study, tidy, looks, scale, "diff grades")
    drawn = figures.stamp(drawn, LOUD.get(kind, ""))
    warnings = warn_of_few_listeners(counts["listeners"])
    if len(kept) < len(experts):
        warnings.append(
            f"{len(experts) - len(kept)} of {count(len(experts), 'listener')} did not reliably distinguish "
            "the hidden reference from the systems. BS.1116-3 excludes their data; here all listeners are "
            "included, and the figures without them are shown next to it."
        )
    return {
        **counts,
        **between,
        "population": widest_population(
            (row.population.value for row in found if row.p_adjusted is not None), question.population.value
        ),
        "answer": answer,
        "warnings": warnings + describe_misses(data, "primary"),
        "rows": rows,
        "computed": tested is not None,
        "tested_systems": sum(row.p_adjusted is not None for row in found),
        "method": METHODS[study.method],
        "expertise": experts,
        "kept": len(kept),
        "svg": drawn,
        "figure": mark_safe(drawn),  # noqa: S308 -- texts are escaped there
    }


def _read_impairment(row: ImpairmentData) -> impairments.Impairment:
    values = {**row, "population": Population(row["population"])}
    values["interval"] = Interval(**row["interval"]) if row["interval"] else None
    return impairments.Impairment(**values)  # type: ignore[arg-type]


def _estimate_of(row: impairments.Impairment | None) -> float | None:
    """The mean that the interval beside it is of; of a system without a test the mean of listener means."""
    if row is None:
        return None
    return row.mean if row.estimate is None else row.estimate


def _describe_impairments(found: list[impairments.Impairment], looks: dict[str, dict[str, str]]) -> str:
    """Sentences on which systems have a significant impairment, over all listeners."""
    shown = [
        f"{looks[row.system]['title']} ({figure(_estimate_of(row), 2)}, "
        f"{figure(row.low, 2)} to {figure(row.high, 2)})"
        for row in found
        if row.shown
    ]
    if shown:
        said = (
            f"An impairment was shown for {len(shown)} of {count(len(found), 'system')}: {join_names(shown)}."
        )
        said += f" {describe_population(row.population.value for row in found if row.shown)}".rstrip()
    else:
        said = f"An impairment was shown for none of {count(len(found), 'system')}."
    untested = [looks[row.system]["title"] for row in found if row.p_adjusted is None]
    if untested:
        said += f" No test was possible for {join_names(untested)}."
    undecided = len(found) - len(shown) - len(untested)
    if undecided:
        said += f" Undecided for {undecided}: this does not show that they are transparent."
    return said


def opinion(study: Study, kind: str = REAL, data: TestData | None = None) -> Context:
    """The context of ``_results_opinion.html``: each system's mean opinion score; `data` as above."""
    method = METHODS[study.method]
    raw = comparison_frame(study, kind) if method.compares else rating_frame(study, kind)
    tidy = opinions.orient_grades(raw) if method.compares else raw
    name = method.mean_name
    counts = _base(study, kind, tidy)
    context: Context = {**counts, "name": name, "method": method}
    if tidy.empty:
        return context | {"answer": "Nobody has finished a trial yet.", "warnings": []}
    looks = _looks(list(tidy["system"].unique()))
    scale = scale_of(study)
    question = question_of(study, scale)
    grades = [int(value) for value, _ in method.words]
    found = opinions.opinions(tidy, grades).systems
    tested = [row.system for row in found if row.system != REFERENCE]
    warnings = warn_of_few_listeners(counts["listeners"])
    if tested:
        ranked, adjusted = rank(tidy, {slug: looks[slug]["title"] for slug in tested}, scale)
        terms = Terms(scale, name, adjusted=adjusted)
        context |= _compare_systems(study, kind, tidy, ranked, looks, terms, question, data)
        warnings += describe_misses(data, "primary")
    else:
        context["answer"] = "No system under test has a grade yet."
    titles = item_titles(study)
    per_item = [
        {
            "item": titles.get(row.item, f"Item {row.item}"),
            "system": looks[str(row.system)],
            "row": row,
            "low": scale.clip(row.low),
            "high": scale.clip(row.high),
        }
        for row in opinions.per_item(tidy).sort_values("item", kind="stable").itertuples()
    ]
    drawn = _draw_grades(study, tidy, looks, scale, f"{name} per system")
    drawn = figures.stamp(drawn, LOUD.get(kind, ""))
    return context | {
        "warnings": warnings,
        "rows": [
            {
                "system": looks[row.system],
                "row": row,
                "over_votes": _ends(row.votes_interval, scale),
                "over_listeners": _ends(row.interval, scale),
                "votes": [row.votes[grade] for grade in grades],
            }
            for row in found
        ],
        "grades": [{"value": plain(value), "words": str(words)} for value, words in method.words],
        "per_item": per_item,
        "order": opinions.order_effect(raw) if method.compares else None,
        "svg": drawn,
        "figure": mark_safe(drawn),  # noqa: S308 -- texts are escaped there
    }


def _ends(interval: Interval | None, scale: figures.Scale) -> str:
    """An interval within the scale, as printed in tables."""
    if interval is None:
        return "–"
    return f"{figure(scale.clip(interval.low), 2)} to {figure(scale.clip(interval.high), 2)}"
