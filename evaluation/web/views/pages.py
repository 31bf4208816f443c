"""Pages of clips: the list with the upload form, and the comparison of a clip's systems."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from codec import registry
from codec.recordings import formats
from evaluation.access import Role, find_for, rows_for, viewer, visible_clips, with_roles
from evaluation.clips.choosing import (
    CHOICES,
    FAVOURITES,
    FITTING,
    check_systems,
    choose_systems,
    favourites_of,
    keep_favourites,
)
from evaluation.clips.describing import describe_clip
from evaluation.clips.ingest import (
    ClipRejected,
    cancel_renditions,
    ingest,
    left_out_systems,
    queue_renditions,
)
from evaluation.clips.kinds import set_speech
from evaluation.clips.removal import remove_clip
from evaluation.contexts import Context
from evaluation.http import STOP_POLLING
from evaluation.models import Clip, Job
from evaluation.web.guards import researcher_action
from evaluation.web.lists import RowsPage, page_of, searched
from evaluation.web.player_data import player_data, table_rows
from evaluation.web.presentation import describe_progress, mean_rates, prefetch_results
from evaluation.web.refusals import redirect_refusals
from evaluation.web.views.metrics import metrics_context
from evaluation.work.expecting import seconds_left

NO_FILE = _("No file arrived. Choose a recording.")


@login_required
@require_http_methods(["GET", "POST"])
def clips(request: HttpRequest) -> HttpResponseBase:
    """The user's clips and those shared with them, newest first. POST uploads one or several (``file``)."""
    if request.method == "POST":
        return _upload_all(request) if request.accepts("text/html") else _upload_one(request)
    fragment = "HX-Request" in request.headers
    if fragment and "changes" in request.GET:
        return _changed_rows(request)
    page, found = _page_of_clips(request)
    context = {
        **({} if fragment else _choices(request)),
        "page": page,
        "clips": found,
        "search": searched(request),
        "busy": any(clip.busy for clip in found),
        "query": request.GET.urlencode(),
        "section": "clips",
        "accept": formats.ACCEPT,
        "formats": gettext(formats.NAMED),
        "max_bytes": settings.UPLOAD_MAX_BYTES,
        "max_megabytes": settings.UPLOAD_MAX_BYTES / 1e6,
        "max_seconds": settings.UPLOAD_MAX_SECONDS,
    }
    return render(
        request,
        "evaluation/_clip_rows.html" if fragment else "evaluation/clips.html",
        context,
    )


def _page_of_clips(request: HttpRequest) -> tuple[RowsPage, list[Any]]:
    """A page of the user's clips, by the parameters ``page`` and ``search``, with their progress."""
    own = rows_for(viewer(request), Clip, listed=True)
    if text := searched(request):
        own = own.filter(title__icontains=text)
    page = page_of(request, own.only("pk"))
    return page, describe_progress(
        with_roles(Clip.objects.filter(pk__in=[clip.pk for clip in page]), viewer(request))
    )


def _changed_rows(request: HttpRequest) -> HttpResponse:
    """The rows that look other than those that the page has: the states of these are in ``seen``.

    The page names only clips that were under way, so that its request and the answer are short.
    """
    seen = set(request.GET.getlist("seen"))
    _, found = _page_of_clips(request)
    known = {state.partition("-")[0] for state in seen}
    changed = [clip for clip in found if clip.state not in seen and clip.state.partition("-")[0] in known]
    response = HttpResponse(status=204)
    if changed:
        response = render(request, "evaluation/_clip_changes.html", {"clips": changed})
    if any(clip.busy and clip.state.partition("-")[0] not in known for clip in found):
        response["HX-Trigger"] = "refresh"  # of the whole list, which has rows that the page has not
    elif not any(clip.busy for clip in found):
        response.status_code = STOP_POLLING
    return response


def _choices(request: HttpRequest) -> Context:
    """What a researcher may choose beside the upload; the boxes begin with the favourites."""
    kept = favourites_of(viewer(request))
    return {
        "choices": [(slug, text) for slug, text in CHOICES.items() if kept or slug != FAVOURITES],
        "chosen": FITTING,
        "boxes": [(system, system.slug in kept) for system in registry.SYSTEMS.values()],
    }


def _chosen_systems(request: HttpRequest) -> list[str] | None:
    sent = request.POST
    return choose_systems(request.user, sent.get("which", FITTING), sent.getlist("system"))


def _upload_one(request: HttpRequest) -> HttpResponse:
    """Store the one file that the page's script sends per request."""
    file = request.FILES.get("file")
    if file is None:
        raise ClipRejected(NO_FILE)
    clip, created = ingest(request.user, file, systems=_chosen_systems(request))
    answer = {"url": reverse("clip", args=[clip.pk]), "title": clip.title, "created": created}
    return JsonResponse(answer, status=201 if created else 200)


def _upload_all(request: HttpRequest) -> HttpResponse:
    """Store the files of a plain form, with a message each; a refused file does not affect the others."""
    files: list[UploadedFile[Any]] = request.FILES.getlist("file")
    if not files:
        messages.error(request, NO_FILE)
    with redirect_refusals(request, "clips"):
        systems = _chosen_systems(request)
    for file in files:
        try:
            clip, created = ingest(request.user, file, systems=systems)
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
    clip = find_for(request, prefetch_results(Clip.objects.select_related("owner")), pk=pk)
    rows = table_rows(
        clip, mean_rates(visible_clips(viewer(request)).filter(owner=clip.owner_id, speech=clip.speech))
    )
    under_way = any(row["status"] in Job.UNFINISHED for row in rows)
    left = seconds_left([clip.pk]).get(clip.pk) if under_way else None
    return {
        "clip": clip,
        "rows": rows,
        "player": player_data(rows, left),
        "section": "clips",
        "left_out": [registry.SYSTEMS[slug] for slug in left_out_systems(clip)],
        **metrics_context(clip, rows),
    }


@researcher_action
def clip_kind(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Treat a clip as speech, or as music, by the field ``speech``: ``yes`` or ``no``."""
    clip = find_for(request, Clip.objects.all(), pk=pk)
    set_speech(clip, request.POST.get("speech") == "yes")
    return redirect(reverse("clip", args=[pk], fragment="kind"))


@researcher_action
def clip_describe(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Rename, credit or, as its owner, publish a clip: what comes of ``title``, ``credit`` and ``public``."""
    sent = request.POST
    public = sent["public"] == "yes" if "public" in sent else None
    clip = find_for(request, Clip.objects.all(), Role.EDITOR if public is None else Role.OWNER, pk=pk)
    with redirect_refusals(request, "clip", pk):
        describe_clip(clip, title=sent.get("title"), credit=sent.get("credit"), public=public)
    return redirect(reverse("clip", args=[pk], fragment="about"))


@researcher_action
def clip_systems(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Put a clip through more systems: those in the fields ``system``."""
    clip = find_for(request, Clip.objects.all(), pk=pk)
    with redirect_refusals(request, "clip", pk):
        queue_renditions(clip, check_systems(request.POST.getlist("system"), "system"))
    return redirect(reverse("clip", args=[pk], fragment="systems"))


@researcher_action
def clip_cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take what waits of a clip out of the queue; the field ``back`` names the list."""
    clip = find_for(request, Clip.objects.all(), pk=pk)
    count = cancel_renditions(clip)
    text = ngettext("%(count)s system is cancelled.", "%(count)s systems are cancelled.", count)
    messages.success(request, text % {"count": count} if count else _("Nothing waited any more."))
    return redirect("clips") if request.POST.get("back") == "clips" else redirect("clip", pk)


@researcher_action
def favourites(request: HttpRequest) -> HttpResponse:
    """Keep the systems in the fields ``system`` as the user's favourites."""
    with redirect_refusals(request, "clips"):
        keep_favourites(request.user, request.POST.getlist("system"))
    messages.success(request, _("Your favourites are saved."))
    return redirect("clips")


@researcher_action
def clip_delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a clip, unless a study uses it."""
    clip = find_for(request, Clip.objects.all(), Role.OWNER, pk=pk)
    with redirect_refusals(request, "clip", pk):
        remove_clip(clip)
    messages.success(request, _("%(clip)s is deleted.") % {"clip": clip.title})
    return redirect("clips")
