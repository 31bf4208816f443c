"""What the results pages of graded methods show, but those of BS.1534-3's analysis."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pandas as pd
from django.utils.safestring import mark_safe

from evaluation.analysis import figures
from evaluation.analysis.statistics import differences, reliability
from evaluation.analysis.statistics import impairment as impairments
from evaluation.analysis.statistics import opinion as opinions
from evaluation.analysis.statistics.intervals import Interval, t_interval
from evaluation.analysis.words import count, figure
from evaluation.systems import looks_of
from listening.methods import METHODS, REFERENCE
from listening.models import Rating, Stimulus, Study
from listening.results.drawing import neighbours
from listening.results.frames import LOUD, REAL, item_titles, rating_frame, ratings_of, uncounted_of
from listening.results.heavy import needed, plain
from listening.results.names import in_order, titles_of
from listening.results.scales import Question, question_of, scale_of
from listening.results.verdicts import (
    POPULATIONS,
    Ranked,
    Terms,
    cautions,
    describe_block,
    names,
    pair_rows,
)
from listening.session.grading import ccr_sign


def diff_frame(study: Study, kind: str = REAL) -> pd.DataFrame:
    """Grades of finished trials without training, each system's beside that of its hidden reference.

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
    trials: dict[int, dict[str, Any]] = {}
    for trial, assessor, item, system, score in grades:
        row = trials.setdefault(trial, {"assessor": assessor, "item": item})
        if system == REFERENCE:
            row["reference"] = score
        else:
            row |= {"system": system, "score": score}
    complete = [row for row in trials.values() if {"reference", "score"} <= set(row)]
    frame = pd.DataFrame(complete, columns=list(impairments.COLUMNS))
    places = {slug: place for place, slug in enumerate(in_order(frame["system"].unique()))}
    ordered: pd.DataFrame = frame.sort_values(
        "system", key=lambda slugs: slugs.map(places), kind="stable", ignore_index=True
    )
    return ordered


def comparison_frame(study: Study, kind: str = REAL) -> pd.DataFrame:
    """Comparisons of finished trials without training as ``assessor, item, system, score, sign``.

    Scores are as given; times the sign they say how the system compares with the reference.
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
    places = {slug: place for place, slug in enumerate(in_order(frame["system"].unique()))}
    ordered: pd.DataFrame = frame.sort_values(
        "system", key=lambda slugs: slugs.map(places), kind="stable", ignore_index=True
    )
    return ordered


def _sign(row: Rating, systems: dict[int, str]) -> int:
    """1 where the order is not known: an imported grade is the system's as it stands."""
    roles = {entry.get("role") for entry in row.trial.order}
    return ccr_sign(row.trial, systems) if {"first", "second"} <= roles else 1


def _base(study: Study, kind: str, frame: pd.DataFrame) -> dict[str, Any]:
    return {
        "n": len(frame),
        "listeners": int(frame["assessor"].nunique()),
        "items": int(frame["item"].nunique()),
        "uncounted": uncounted_of(study, kind),
    }


def _few(listeners: int) -> list[str]:
    if listeners == 1:
        return ["One listener: there is no interval over listeners; it takes two, and a test many more."]
    if listeners == 2:
        return ["Two listeners: the intervals have one degree of freedom and say next to nothing."]
    return []


def _looks(slugs: list[str]) -> dict[str, dict[str, str]]:
    titles, looks = titles_of(slugs), looks_of(slugs)
    return {
        slug: {"slug": slug, "title": titles[slug], "colour": looks[slug][0], "marker": looks[slug][1]}
        for slug in slugs
    }


def _drawn(
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


def _compare(tidy: pd.DataFrame, tested: list[str], question: Question) -> dict[str, Any]:
    """The primary analysis of every two of `tested`, as JSON."""
    pairs = list(combinations(tested, 2))
    found = differences.compare(tidy, pairs, population=question.population, margin=question.margin)
    return question.clip(plain(found))


def _between(
    study: Study,
    kind: str,
    tidy: pd.DataFrame,
    ranked: list[Ranked],
    looks: dict[str, dict[str, str]],
    terms: Terms,
    question: Question,
) -> dict[str, Any]:
    """The part of a context that is about differences between the systems in `ranked`, best first."""
    data = _compare(tidy, [row.slug for row in ranked], question)
    titles = {slug: look["title"] for slug, look in looks.items()}
    svg = neighbours(
        [(row.slug, row.title) for row in ranked], data, f"{study.name}: neighbours in rank", terms.scale
    )
    svg = figures.stamp(svg or "", LOUD.get(kind, ""))
    by_slug = {row.slug: row for row in ranked}
    blocks = [
        [row for row in ranked if row.slug in {str(slug) for slug in block}]
        for block in differences.find_blocks(tidy[tidy["system"].isin(list(by_slug))])
    ]
    answer = [describe_block(block, terms, data) for block in blocks if block]
    if len(blocks) > 1:
        groups = "; ".join(", ".join(row.title for row in block) for block in blocks)
        answer.insert(
            0,
            f"{count(len(blocks), 'group')} of systems were never heard on the same recordings and cannot be "
            f"compared with each other: {groups}.",
        )
    return {
        "answer": " ".join(answer),
        "data": {
            "pairs": data,
            "reliability": plain(reliability.assess(tidy[tidy["system"].isin(list(by_slug))])),
            "needed": plain(needed(tidy, list(by_slug), question)),
        },
        "question": question,
        "decimals": terms.decimals,
        "pairs": pair_rows(titles, data, terms.decimals),
        "differences_svg": svg,
        "differences": mark_safe(svg),  # noqa: S308 -- texts are escaped there
    }


def _rank(
    tidy: pd.DataFrame, slugs: list[str], looks: dict[str, dict[str, str]], scale: figures.Scale
) -> tuple[list[Ranked], bool]:
    """Systems under test, the best mean first, and whether means are adjusted for who heard what."""
    cells = tidy[["assessor", "item", "system"]].drop_duplicates()
    complete = len(cells) == tidy["assessor"].nunique() * tidy["item"].nunique() * tidy["system"].nunique()
    adjusted = {} if complete else differences.adjust_means(tidy)
    rows = []
    for slug in slugs:
        its = tidy[tidy["system"] == slug]
        means = its.groupby("assessor", sort=False)["score"].mean()
        interval = t_interval(means, "listeners")
        rows.append(
            Ranked(
                slug,
                looks[slug]["title"],
                float(adjusted.get(slug, means.mean())),
                means.size,
                int(its["item"].nunique()),
                scale.clip(interval.low) if interval else None,
                scale.clip(interval.high) if interval else None,
            )
        )
    return sorted(rows, key=lambda row: -row.rank_by), not complete


def impairment(study: Study, kind: str = REAL) -> dict[str, Any]:
    """The context of ``_results_bs1116.html``."""
    frame = diff_frame(study, kind)
    context = _base(study, kind, frame)
    if frame.empty:
        return context | {"answer": "Nobody has finished a trial yet.", "warnings": []}
    looks = _looks(list(frame["system"].unique()))
    scale = scale_of(study)
    question = question_of(study, scale)
    tidy = impairments.diff_grades(frame)
    experts = impairments.expertise(frame)
    kept = [row.assessor for row in experts if row.expert]
    of_experts = frame[frame["assessor"].isin(kept)]
    by_experts = {row.system: row for row in impairments.impairments(of_experts, question.population)}
    found = impairments.impairments(frame, question.population)
    rows = [{"system": looks[row.system], "row": row, "experts": by_experts.get(row.system)} for row in found]
    ranked, adjusted = _rank(tidy, list(looks), looks, scale)
    terms = Terms(scale, measure="mean diff grade", adjusted=adjusted)
    between = _between(study, kind, tidy, ranked, looks, terms, question)
    answer = _impaired(found, looks)
    if len(ranked) > 1:
        answer += f" Between systems: {between['answer']}"
    drawn = _drawn(study, tidy, looks, scale, "diff grades")
    drawn = figures.stamp(drawn, LOUD.get(kind, ""))
    warnings = _few(context["listeners"])
    if len(kept) < len(experts):
        warnings.append(
            f"{len(experts) - len(kept)} of {count(len(experts), 'listener')} did not show that they tell "
            "the hidden reference from the systems. BS.1116-3 leaves their data out; here all count, and the "
            "figures of the others alone stand beside it."
        )
    return (
        context
        | between
        | {
            "answer": answer,
            "warnings": warnings + cautions(between["data"]["pairs"]),
            "rows": rows,
            "expertise": experts,
            "kept": len(kept),
            "svg": drawn,
            "figure": mark_safe(drawn),  # noqa: S308 -- texts are escaped there
        }
    )


def _impaired(found: list[impairments.Impairment], looks: dict[str, dict[str, str]]) -> str:
    """Of which systems an impairment was shown, over all listeners."""
    shown = [
        f"{looks[row.system]['title']} ({figure(row.mean, 2)}, {figure(row.low, 2)} to {figure(row.high, 2)})"
        for row in found
        if row.shown
    ]
    if shown:
        said = f"An impairment was shown for {len(shown)} of {count(len(found), 'system')}: {names(shown)}."
    else:
        said = f"An impairment was shown for none of {count(len(found), 'system')}."
    untested = [looks[row.system]["title"] for row in found if row.p_adjusted is None]
    if untested:
        said += f" No test was possible for {names(untested)}."
    undecided = len(found) - len(shown) - len(untested)
    if undecided:
        said += f" Undecided for {undecided}: that does not show that they are transparent."
    populations = {row.population.value for row in found if row.p_adjusted is not None}
    if len(populations) == 1:
        said += f" This holds {POPULATIONS[populations.pop()]}."
    return said


def opinion(study: Study, kind: str = REAL) -> dict[str, Any]:
    """The context of ``_results_opinion.html``: a mean opinion of each system."""
    method = METHODS[study.method]
    raw = comparison_frame(study, kind) if method.compares else rating_frame(study, kind)
    tidy = opinions.turned(raw) if method.compares else raw
    name = method.mean_name
    context = _base(study, kind, tidy) | {"name": name, "method": method}
    if tidy.empty:
        return context | {"answer": "Nobody has finished a trial yet.", "warnings": []}
    looks = _looks(list(tidy["system"].unique()))
    scale = scale_of(study)
    question = question_of(study, scale)
    grades = [int(value) for value, _ in method.words]
    found = opinions.opinions(tidy, grades).systems
    tested = [row.system for row in found if row.system != REFERENCE]
    between: dict[str, Any] = {"answer": "No system under test has a grade yet."}
    warnings = _few(context["listeners"])
    if tested:
        ranked, adjusted = _rank(tidy, tested, looks, scale)
        between = _between(study, kind, tidy, ranked, looks, Terms(scale, name, adjusted=adjusted), question)
        warnings += cautions(between["data"]["pairs"])
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
    drawn = _drawn(study, tidy, looks, scale, f"{name} per system")
    drawn = figures.stamp(drawn, LOUD.get(kind, ""))
    return (
        context
        | between
        | {
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
            "grades": [
                {"value": f"{value:g}".replace("-", "−"), "words": str(words)}
                for value, words in method.words
            ],
            "per_item": per_item,
            "order": opinions.order_effect(raw) if method.compares else None,
            "svg": drawn,
            "figure": mark_safe(drawn),  # noqa: S308 -- texts are escaped there
        }
    )


def _ends(interval: Interval | None, scale: figures.Scale) -> str:
    """An interval within the scale, as tables print it."""
    if interval is None:
        return "–"
    return f"{figure(scale.clip(interval.low), 2)} to {figure(scale.clip(interval.high), 2)}"
