"""A study's results in brief: what a page for others than its researcher shows of them.

The figures are those of the results page: a mean with its interval for each system; where listeners choose, a
share with its interval for each pair.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from evaluation.analysis import figures
from listening.methods import METHODS
from listening.models import Analysis, Study
from listening.results import analyses, choosing, profiles
from listening.results.frames import REAL
from listening.results.methods import context_of, has_page, is_slow, view_of
from listening.results.scales import scale_of
from listening.results.summary import compute
from listening.study.compliance import method_title

#: What listeners gave: grades, right or wrong answers, or votes for one of two.
Given = Literal["grades", "answers", "votes"]


@dataclass(frozen=True)
class MeanRow:
    """A system's mean of listener means, and half of its 95 % t interval over them; None for one listener."""

    slug: str
    title: str
    colour: str
    marker: str
    mean: float
    half_width: float | None
    n: int
    listeners: int


@dataclass(frozen=True)
class Brief:
    """The results of a study in brief.

    Attributes:
        measure: what `means` are called: MUSHRA, MOS, diff grade.
        excluded: number of listeners left out by the usual screening.
        means: empty where listeners choose.
        shares: of pairs, as figures draw them; empty where listeners grade.
    """

    method: str
    measure: str
    given: Given
    scale: figures.Scale
    listeners: int
    items: int
    excluded: int = 0
    means: list[MeanRow] = field(default_factory=list)
    shares: list[figures.ShareRow] = field(default_factory=list)


def can_be_brief(study: Study) -> bool:
    """Whether the results of the study's method are known here."""
    return has_page(study) or view_of(study) is not None


def is_waiting(study: Study) -> bool:
    """Whether an interval of the brief is still to be computed by a worker, who is asked for it now."""
    row = _analysis(study)
    return row is not None and row.waiting


def _analysis(study: Study) -> Analysis | None:
    """The slow part of the results, where the brief has something of it: the intervals of preferences."""
    if not is_slow(study) or METHODS[study.method].analysis != "preference":
        return None
    return analyses.current_analysis(study, REAL, profiles.NONE)


def summarize(study: Study) -> Brief | None:
    """The results of the study's listeners after the usual screening; None if nobody has finished a trial."""
    if has_page(study):
        return _of_screened_grades(study)
    row = _analysis(study)
    context: Any = context_of(study, REAL, row.data if row is not None and row.data else None)
    if not context.get("n"):
        return None
    method = METHODS[study.method]
    if not method.takes_grades:
        given: Given = "votes" if method.analysis == "preference" else "answers"
        measure = choosing.PREFERENCES if given == "votes" else choosing.RIGHT_ANSWERS
    else:
        given, measure = "grades", scale_of(study).name
    return Brief(
        method=method_title(study),
        measure=measure,
        given=given,
        scale=scale_of(study),
        listeners=context["listeners"],
        items=context["items"],
        means=[_mean_row(each) for each in context["rows"]] if method.takes_grades else [],
        shares=context.get("shares", []),
    )


def _mean_row(each: Any) -> MeanRow:
    """A row of the contexts of `grading`."""
    look, row = each["system"], each["row"]
    return MeanRow(
        slug=look["slug"],
        title=look["title"],
        colour=look["colour"],
        marker=look["marker"],
        # The mean of an opinion is over votes; the interval is of the mean of listener means.
        mean=getattr(row, "assessor_mean", row.mean),
        half_width=None if row.interval is None else row.interval.half_width,
        n=row.n,
        listeners=row.assessors,
    )


def _of_screened_grades(study: Study) -> Brief | None:
    results = compute(study)
    graded = [row for row in results.systems if row.mean is not None]
    if not graded:
        return None
    return Brief(
        method=method_title(study),
        measure=results.measure,
        given="grades",
        scale=results.scale,
        listeners=results.listeners,
        items=results.items,
        excluded=len(results.excluded),
        means=[
            MeanRow(
                slug=row.slug,
                title=row.title,
                colour=row.colour,
                marker=row.marker,
                mean=float(row.mean or 0.0),
                half_width=None if row.ci95 is None else float(row.ci95),
                n=row.n,
                listeners=row.listeners,
            )
            for row in graded
        ],
    )
