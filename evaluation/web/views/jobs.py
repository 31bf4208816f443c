"""The state of background work of any kind as a page fragment, and the retry button."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from evaluation.web.guards import researcher_action
from evaluation.web.presentation import job_state
from evaluation.work import jobs


@login_required
@never_cache
@require_safe
def job(request: HttpRequest, kind: str, pk: str) -> HttpResponse:
    """``_job.html`` for htmx; triggers the event ``job-settled`` when the work is done or has failed."""
    row = _row(request, kind, pk)
    response = render(request, "evaluation/_job.html", {"job": job_state(row)})
    if not row.waiting:
        response["HX-Trigger"] = "job-settled"
    return response


@researcher_action
def job_retry(request: HttpRequest, kind: str, pk: str) -> HttpResponse:
    """Queue failed work again and show the page that waits for it."""
    row = _row(request, kind, pk)
    if not jobs.retry(row):
        messages.info(request, gettext("This has not failed; there is nothing to retry."))
    return redirect(row)


def _row(request: HttpRequest, kind: str, pk: str | UUID) -> Any:
    """The row if it belongs to the user. Raises `Http404`."""
    model = jobs.kind_of(kind)
    if model is None:
        raise Http404
    try:
        return model._default_manager.get(**{"pk": pk, model.OWNER: request.user})
    except (ObjectDoesNotExist, ValueError, ValidationError):
        raise Http404 from None
