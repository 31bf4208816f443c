"""What the results pages of graded methods show, but those of BS.1534-3's analysis."""

from __future__ import annotations

from typing import Any

import pandas as pd
from django.utils.safestring import mark_safe

from evaluation.analysis import figures
from evaluation.analysis.statistics import impairment as impairments
from evaluation.analysis.statistics import opinion as opinions
from evaluation.analysis.statistics.intervals import t_interval
from evaluation.analysis.words import count, figure
from evaluation.systems import looks_of
from listening.methods import METHODS, REFERENCE, AnyMethod
from listening.models import Rating, Stimulus, Study
from listening.results.frames import REAL, item_titles, rating_frame, ratings_of, uncounted_of
from listening.results.names import in_order, titles_of
from listening.session.grading import ccr_sign

DIFF_SCALE = figures.Scale(
    "diff grade", -4.0, 1.0, (-4, -3, -2, -1, 0, 1), ((-3.7, "very annoying"), (0, "imperceptible"))
)


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


def _scale_of(method: AnyMethod) -> figures.Scale:
    """The method's own scale, with the words of both ends unless it says which."""
    ends = [(value, str(word)) for value, word in (method.words[-1], method.words[0])]
    return figures.Scale(
        method.mean_name,
        method.lowest or 0.0,
        method.highest or 0.0,
        tuple(sorted(value for value, _ in method.words)),
        method.axis_words or tuple(ends),
    )


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


def impairment(study: Study, kind: str = REAL) -> dict[str, Any]:
    """The context of ``_results_bs1116.html``."""
    frame = diff_frame(study, kind)
    context = _base(study, kind, frame)
    if frame.empty:
        return context | {"answer": "Nobody has finished a trial yet.", "warnings": []}
    looks = _looks(list(frame["system"].unique()))
    experts = impairments.expertise(frame)
    kept = [row.assessor for row in experts if row.expert]
    by_experts = {row.system: row for row in impairments.impairments(frame[frame["assessor"].isin(kept)])}
    found = impairments.impairments(frame)
    rows = [{"system": looks[row.system], "row": row, "experts": by_experts.get(row.system)} for row in found]
    shown = sum(bool(row.shown) for row in found)
    answer = (
        f"An impairment was shown for {shown} of {count(len(rows), 'system')}: the 95 % interval of the "
        f"mean diff grade lies below 0 ({count(context['listeners'], 'listener')}, {len(kept)} of them "
        "experts by BS.1116-3's t-test)."
    )
    drawn = _drawn(study, impairments.diff_grades(frame), looks, DIFF_SCALE, "diff grades")
    warnings = _few(context["listeners"])
    if len(kept) < len(experts):
        warnings.append(
            f"{len(experts) - len(kept)} of {count(len(experts), 'listener')} did not show that they tell "
            "the hidden reference from the systems. BS.1116-3 leaves their data out; the table gives both."
        )
    return context | {
        "answer": answer,
        "warnings": warnings,
        "rows": rows,
        "expertise": experts,
        "kept": len(kept),
        "svg": drawn,
        "figure": mark_safe(drawn),  # noqa: S308 -- texts are escaped there
    }


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
    grades = [int(value) for value, _ in method.words]
    found = opinions.opinions(tidy, grades).systems
    tested = sorted(
        (row for row in found if row.system != REFERENCE), key=lambda row: row.assessor_mean, reverse=True
    )
    answer = "No system under test has a grade yet."
    if tested:
        best = tested[0]
        interval = (
            f"; 95 % interval over listeners {figure(best.interval.low, 2)} "
            f"to {figure(best.interval.high, 2)}"
            if best.interval
            else ""
        )
        answer = (
            f"{looks[best.system]['title']} has the highest {name} of {count(len(tested), 'system')}: "
            f"{figure(best.assessor_mean, 2)} ({count(best.assessors, 'listener')}, "
            f"{count(best.items, 'item')}{interval})."
        )
    titles = item_titles(study)
    per_item = [
        {"item": titles.get(row.item, f"Item {row.item}"), "system": looks[str(row.system)], "row": row}
        for row in opinions.per_item(tidy).sort_values("item", kind="stable").itertuples()
    ]
    drawn = _drawn(study, tidy, looks, _scale_of(method), f"{name} per system")
    return context | {
        "answer": answer,
        "warnings": _few(context["listeners"]),
        "rows": [
            {"system": looks[row.system], "row": row, "votes": [row.votes[grade] for grade in grades]}
            for row in found
        ],
        "grades": [
            {"value": f"{value:g}".replace("-", "−"), "words": str(words)} for value, words in method.words
        ],
        "per_item": per_item,
        "order": opinions.order_effect(raw) if method.compares else None,
        "svg": drawn,
        "figure": mark_safe(drawn),  # noqa: S308 -- texts are escaped there
    }
