"""The state of background work of any kind as a page fragment, and the retry button."""

from __future__ import annotations

from typing import Any
from urllib.parse import urldefrag
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from evaluation.access import find_for, found_role, thing_for
from evaluation.http import STOP_POLLING
from evaluation.web.guards import researcher_action
from evaluation.web.presentation import job_state
from evaluation.work import jobs


@login_required
@never_cache
@require_safe
def job(request: HttpRequest, kind: str, pk: str) -> HttpResponse:
    """``_job.html`` for htmx; triggers the event ``job-settled`` when the work is done or has failed, or was
    deleted while its page followed it."""
    try:
        row, role = _row(request, kind, pk)
    except Http404:
        if "HX-Request" not in request.headers:
            raise
        return HttpResponse(status=STOP_POLLING, headers={"HX-Trigger": "job-settled"})
    response = render(request, "evaluation/_job.html", {"job": job_state(row, role)})
    if not row.waiting:
        response["HX-Trigger"] = "job-settled"
    return response


@researcher_action
def job_retry(request: HttpRequest, kind: str, pk: str) -> HttpResponse:
    """Queue failed work again and show the page that waits for it."""
    row, _role = _row(request, kind, pk)
    if not jobs.retry(row):
        messages.info(request, gettext("This has not failed; there is nothing to retry."))
        return redirect(urldefrag(row.get_absolute_url()).url)  # messages stand at the top of the page
    return redirect(row)


def _row(request: HttpRequest, kind: str, pk: str | UUID) -> tuple[Any, int]:
    """The row and the user's role, if they may see its work or, to retry, change that. Raises as `find`."""
    model = jobs.kind_of(kind)
    if model is None or not model.OWNER:
        raise Http404
    try:
        row = model._default_manager.get(pk=pk)
    except (ObjectDoesNotExist, ValueError, ValidationError):
        raise Http404 from None
    thing = thing_for(row)
    return row, found_role(find_for(request, type(thing)._default_manager.all(), pk=thing.pk))
