"""Pages of clips: the list with the upload form, and the comparison of a clip's systems."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from evaluation.clips.access import viewer, visible_clips
from evaluation.clips.ingest import ClipRejected, ingest
from evaluation.clips.removal import remove_clip
from evaluation.contexts import Context
from evaluation.metrics import DEFAULT
from evaluation.models import Clip, Job
from evaluation.web.guards import researcher_action
from evaluation.web.player_data import player_data, table_rows
from evaluation.web.presentation import DONE, FAILED, QUEUED, RUNNING, prefetch_results
from evaluation.web.refusals import redirect_refusals
from evaluation.web.views.metrics import metrics_context

NO_FILE = _("No file arrived. Choose a recording.")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def clips(request: HttpRequest) -> HttpResponseBase:
    """The user's clips, newest first. POST uploads one or several files in the field ``file``."""
    if request.method == "POST":
        return _upload_all(request) if request.accepts("text/html") else _upload_one(request)
    found = _count_progress(Clip.objects.filter(owner=viewer(request)))
    context = {
        "clips": found,
        "busy": any(clip.status in (QUEUED, RUNNING) for clip in found),
        "section": "clips",
        "max_bytes": settings.UPLOAD_MAX_BYTES,
        "max_megabytes": settings.UPLOAD_MAX_BYTES / 1e6,
        "max_seconds": settings.UPLOAD_MAX_SECONDS,
    }
    return render(
        request,
        "evaluation/_clip_rows.html" if "HX-Request" in request.headers else "evaluation/clips.html",
        context,
    )


def _count_progress(clips: QuerySet[Clip]) -> list[Any]:
    """`clips`, newest first, with `status`, `total`, `done`, `failed`, `unavailable`, in one query for all.

    The meanings are those in `evaluation.web.presentation`.
    """
    busy = (Job.Status.QUEUED, Job.Status.RUNNING)
    unmade = Q(renditions__status=Job.Status.FAILED)
    by_default = Q(renditions__scores__metric__in=DEFAULT)
    measuring = by_default & Q(renditions__scores__status__in=busy)
    annotated = clips.annotate(
        total=Count("renditions", distinct=True),
        started=Count("renditions", filter=~Q(renditions__status=Job.Status.QUEUED), distinct=True),
        busy=Count("renditions", filter=Q(renditions__status__in=busy) | measuring, distinct=True),
        unavailable=Count("renditions", filter=unmade & Q(renditions__unavailable=True), distinct=True),
        unmade=Count("renditions", filter=unmade & Q(renditions__unavailable=False), distinct=True),
        unmeasured=Count(
            "renditions", filter=by_default & Q(renditions__scores__status=Job.Status.FAILED), distinct=True
        ),
    )
    # Django drops the model's default ordering in aggregate queries.
    found: list[Any] = list(annotated.order_by("-created", "id"))
    for clip in found:
        settled = clip.total - clip.busy - clip.unavailable
        clip.failed = min(clip.unmade + clip.unmeasured, settled)
        clip.done = settled - clip.failed
        if clip.busy:
            clip.status = RUNNING if clip.started else QUEUED
        else:
            clip.status = DONE if clip.done else FAILED
    return found


def _upload_one(request: HttpRequest) -> HttpResponse:
    """Store the one file that the page's script sends per request."""
    file = request.FILES.get("file")
    if file is None:
        raise ClipRejected(NO_FILE)
    clip, created = ingest(request.user, file)
    answer = {"url": reverse("clip", args=[clip.pk]), "title": clip.title, "created": created}
    return JsonResponse(answer, status=201 if created else 200)


def _upload_all(request: HttpRequest) -> HttpResponse:
    """Store the files of a plain form, with a message each; a refused file does not affect the others."""
    files: list[UploadedFile[Any]] = request.FILES.getlist("file")
    if not files:
        messages.error(request, NO_FILE)
    for file in files:
        try:
            clip, created = ingest(request.user, file)
        except ClipRejected as error:
            messages.error(request, _("%(file)s: %(error)s") % {"file": file.name, "error": error})
        else:
            text = _("%(clip)s has been uploaded.") if created else _("%(clip)s was already uploaded.")
            messages.success(request, text % {"clip": clip.title})
    return redirect("clips")


@require_safe
def clip(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One clip with all its renditions, their spectrograms and scores, side by side."""
    return render(request, "evaluation/clip.html", _clip_context(request, pk))


@require_safe
def clip_rows(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Only the table's rows and the player's data, with which the page follows work in progress."""
    response = render(request, "evaluation/_systems.html", _clip_context(request, pk))
    response["Cache-Control"] = "no-store"
    return response


def _clip_context(request: HttpRequest, pk: UUID) -> Context:
    clip = get_object_or_404(prefetch_results(visible_clips(viewer(request))), pk=pk)
    rows = table_rows(clip)
    return {
        "clip": clip,
        "rows": rows,
        "player": player_data(rows),
        "section": "clips",
        **metrics_context(request, clip, rows),
    }


@researcher_action
def clip_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a clip of the user's, unless a study uses it."""
    clip = get_object_or_404(Clip, pk=pk, owner=viewer(request))
    with redirect_refusals(request, "clip", pk):
        remove_clip(clip)
    messages.success(request, _("%(clip)s is deleted.") % {"clip": clip.title})
    return redirect("clips")
