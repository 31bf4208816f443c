"""Which part of the results page a method fills, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string

from listening.models import Study


@dataclass(frozen=True)
class View:
    """How a method's results are shown.

    Attributes:
        template: a partial; it gets what `context` returns, besides ``study``, ``kind`` and ``base_query``.
        context: dotted name of ``function(study: Study, kind: str) -> dict``, imported on first use.
            It may return ``answer`` (one sentence, shown large at the top) and ``warnings`` (sentences).
    """

    template: str
    context: str


#: By slug of `listening.methods`. MUSHRA has the page of its own; what is not listed says so plainly.
VIEWS: dict[str, View] = {
    "abx": View("listening/methods/_results_abx.html", "listening.results.choosing.abx"),
    "ab": View("listening/methods/_results_ab.html", "listening.results.choosing.preference"),
    "bs1116": View("listening/methods/_results_bs1116.html", "listening.results.grading.impairment"),
    "acr": View("listening/methods/_results_opinion.html", "listening.results.grading.opinion"),
    "dcr": View("listening/methods/_results_opinion.html", "listening.results.grading.opinion"),
    "ccr": View("listening/methods/_results_opinion.html", "listening.results.grading.opinion"),
}


def view_of(study: Study) -> View | None:
    return VIEWS.get(study.method)


def context_of(study: Study, kind: str) -> dict[str, Any]:
    """What the partial of the study's method is filled with; empty if the method has none."""
    view = view_of(study)
    return dict(import_string(view.context)(study, kind)) if view else {}
