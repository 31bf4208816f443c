"""Views that show grades: not those of a sealed study."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from evaluation.web.guards import researcher_page
from evaluation.web.refusals import redirect_refusals
from listening.results.seal import check_unsealed
from listening.web.access import reader_of_grades, study_for


def grades_page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A researcher's page that shows grades of a study of theirs, which `view` gets in place of its id.

    As long as the study is sealed, the page of its results says so instead.
    """

    @wraps(view)
    def show(request: HttpRequest, study_id: UUID, **parts: str) -> HttpResponseBase:
        personal = request.GET.get("personal") == "yes"
        study = study_for(request, study_id, reader_of_grades(personal=personal))
        with redirect_refusals(request, "results", study.pk):
            check_unsealed(study)
        return view(request, study, **parts)

    return researcher_page(show)
