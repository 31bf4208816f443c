"""The results views of the methods: their templates and contexts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

from evaluation.contexts import Context
from listening.methods import METHODS
from listening.models import Study
from listening.results import profiles

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class View:
    """How a method's results are shown.

    Attributes:
        template: a partial; it gets the result of `context`, ``study``, ``kind`` and ``base_query``.
        context: dotted name of ``function(study: Study, kind: str, data: Mapping | None) -> dict``, imported
            on first use. It may return ``answer`` (one sentence, shown large at the top) and ``warnings``
            (sentences). `data` is of `heavy.compute`, None until a worker has computed it.
        contents: places of the template that a reader may look for: id, title, and the key of the context
            without which the place is not there.
    """

    template: str
    context: str
    contents: tuple[tuple[str, str, str], ...] = ()

    def contents_of(self, context: Context) -> list[tuple[str, str]]:
        """The places that are there, and their titles."""
        return [(place, title) for place, title, key in self.contents if context.get(key)]


_ANSWER = ("answer", "Answer", "figure")
_DIFFERENCES = (("pairs", "Differences", "pairs"), ("spread", "Listeners and residuals", "listener_lines"))
_LOGISTIC = ("logistic", "Logistic model", "odds")

#: By `Method.analysis`. Methods that are not listed have no view; `PAGE` has its own page.
VIEWS: dict[str, View] = {
    "discrimination": View(
        "listening/methods/_results_abx.html",
        "listening.results.choosing.abx",
        (
            _ANSWER,
            ("pairs", "Pairs", "pairs"),
            _LOGISTIC,
            ("listeners", "Listeners", "assessors"),
            ("plan", "Trials", "plan"),
        ),
    ),
    "preference": View(
        "listening/methods/_results_ab.html",
        "listening.results.choosing.preference",
        (_ANSWER, ("scale", "Order of preference", "scale"), ("pairs", "Pairs", "pairs"), _LOGISTIC),
    ),
    "impairment": View(
        "listening/methods/_results_bs1116.html",
        "listening.results.grading.impairment",
        (
            _ANSWER,
            ("systems", "Diff grades", "rows"),
            *_DIFFERENCES,
            ("experts", "Experts", "kept"),
            ("expertise", "Listeners", "expertise"),
        ),
    ),
    "opinion": View(
        "listening/methods/_results_opinion.html",
        "listening.results.grading.opinion",
        (_ANSWER, ("systems", "Systems", "rows"), *_DIFFERENCES, ("per-item", "Items", "per_item")),
    ),
}
#: The analysis of BS.1534-3: tests and models that a worker computes, screening, tables and figures.
PAGE = "bs1534"


def analysis_of(study: Study) -> str:
    """The name of the study's analysis; empty for none."""
    return METHODS[study.method].analysis if study.method in METHODS else ""


def has_page(study: Study) -> bool:
    """Whether the study's results are those of `PAGE`."""
    return analysis_of(study) == PAGE


def applied_profile(study: Study, profile: str) -> str:
    """The profile by which listeners are screened: other methods than `PAGE` have none."""
    return profile if has_page(study) else profiles.NONE


def view_of(study: Study) -> View | None:
    return VIEWS.get(analysis_of(study))


def is_slow(study: Study) -> bool:
    """Whether a worker computes a part of the study's results."""
    return has_page(study) or view_of(study) is not None


def context_of(study: Study, kind: str, data: Mapping[str, Any] | None = None) -> Context:
    """The context of the partial of the study's method; empty if the method has no view."""
    view = view_of(study)
    return dict(import_string(view.context)(study, kind, data)) if view else {}


def score_frame(study: Study, kind: str) -> pd.DataFrame:
    """The grades as ``assessor, item, system, score``, and further columns.

    Where the reference is hidden beside each system, that is the diff grade; where two recordings are
    compared, how the system compares with the reference, whichever was heard first.
    """
    from listening.results.frames import rating_frame
    from listening.results.grading import comparison_frame, diff_frame

    method = METHODS[study.method]
    if method.hides_reference:
        frame = diff_frame(study, kind)
        return frame.assign(score=frame["score"] - frame["reference"])
    if method.compares:
        frame = comparison_frame(study, kind)
        return frame.assign(score=frame["score"] * frame["sign"])
    return rating_frame(study, kind)
