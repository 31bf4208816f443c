"""A researcher's own systems: the list, a system with its outputs, and the preview of sent files."""

from __future__ import annotations

import math
from dataclasses import replace
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from codec.recordings import formats
from evaluation.access import find_for
from evaluation.analysis.figures import delays
from evaluation.columns.renditions import Checks
from evaluation.contexts import Context
from evaluation.models import Job, OutputBatch, Rendition, UploadedSystem
from evaluation.outputs import batches as outputs
from evaluation.outputs.batches import OutputProblem
from evaluation.refusals import Refusal
from evaluation.systems import Described, describe, uploaded_systems
from evaluation.texts import read_whole
from evaluation.web.guards import researcher_action, researcher_form
from evaluation.web.lists import ROWS, page_of, searched
from evaluation.web.presentation import job_state, rendition_row, row_state
from evaluation.web.refusals import redirect_refusals, show_refusals_on


@researcher_form
def systems(request: HttpRequest) -> HttpResponse:
    """The user's own systems. POST makes one."""
    if request.method == "POST":
        with show_refusals_on(lambda refusal: _list(request, refusal)):
            return redirect("system", outputs.save_system(request.user, *_read_form(request)).slug)
    return _list(request)


def _list(request: HttpRequest, refusal: Refusal | None = None) -> HttpResponse:
    text = searched(request)
    found = uploaded_systems(request.user)
    page = page_of(request, found.filter(title__icontains=text) if text else found)
    own = list(page)
    counts = dict(
        Rendition.objects.filter(system__in=[one.slug for one in own])
        .values_list("system")
        .annotate(Count("pk"))
        .order_by()
    )
    context = {
        "systems": [{"system": one, "outputs": counts.get(one.slug, 0)} for one in own],
        "page": page,
        "search": text,
        "sent": request.POST,
        "error": refusal or "",
        "section": "systems",
    }
    return render(request, "evaluation/own_systems.html", context, status=refusal.status if refusal else 200)


@researcher_form
def system(request: HttpRequest, slug: str) -> HttpResponse:
    """One system with its outputs. POST changes its title, note and bit rate."""
    own = _own_system(request, slug)
    if request.method == "POST":
        with show_refusals_on(lambda refusal: _show(request, _own_system(request, slug), error=refusal)):
            outputs.save_system(request.user, *_read_form(request), system=own)
        messages.success(request, _("Saved."))
        return redirect("system", slug)
    return _show(request, own)


def _show(
    request: HttpRequest,
    own: UploadedSystem,
    error: Refusal | None = None,
    refused: Refusal | None = None,
) -> HttpResponse:
    """Render the page; `error` is a refusal of the system's form, `refused` of the sent files."""
    made = Rendition.objects.filter(system=own.slug).select_related("clip").prefetch_related("scores")
    if text := searched(request):
        made = made.filter(clip__title__icontains=text)
    page = page_of(request, made.order_by("clip__title", "pk"))
    described = describe(own.slug)
    batches = OutputBatch.objects.filter(system=own).exclude(step=OutputBatch.Step.STORE, status="done")
    context = {
        "system": own,
        "outputs": Rendition.objects.filter(system=own.slug).count() if text else page.paginator.count,
        "page": page,
        "search": text,
        "rows": [_output_row(rendition, described) for rendition in page],
        "batches": batches[:ROWS],
        "error": error or "",
        "refused": refused or "",
        "sent": request.POST,
        "section": "systems",
        "accept": formats.ACCEPT,
        "max_files": outputs.MAX_FILES,
        "max_megabytes": settings.UPLOAD_MAX_BYTES / 1e6,
    }
    wrong = error or refused
    return render(request, "evaluation/own_system.html", context, status=wrong.status if wrong else 200)


def _output_row(rendition: Rendition, system: Described) -> Context:
    row = rendition_row(rendition, system)
    return {
        **row,
        "rendition": rendition,
        "job": replace(row_state(row), title=rendition.clip.title),
        "delay": _milliseconds(
            rendition.parameters.delay_seconds
            if "delay_seconds" in rendition.parameters.model_fields_set
            else None
        ),
    }


@researcher_action
def system_delete(request: HttpRequest, slug: str) -> HttpResponse:
    own = _own_system(request, slug)
    with redirect_refusals(request, "system", slug):
        outputs.remove_system(own)
    messages.success(request, _("%(own)s and its outputs have been deleted.") % {"own": own.title})
    return redirect("systems")


@researcher_action
def output_delete(request: HttpRequest, slug: str, pk: UUID) -> HttpResponse:
    rendition = get_object_or_404(Rendition, pk=pk, system=_own_system(request, slug).slug)
    with redirect_refusals(request, "system", slug):
        outputs.remove_output(rendition)
    return redirect(reverse("system", args=[slug], fragment="outputs"))


@researcher_action
def outputs_send(request: HttpRequest, slug: str) -> HttpResponse:
    """Receive files for a system and show the batch."""
    own = _own_system(request, slug)
    with show_refusals_on(lambda refusal: _show(request, own, refused=refusal)):
        batch = outputs.receive(
            own,
            request.FILES.getlist("file"),
            request.FILES.get("mapping"),
            make_systems="make_systems" in request.POST,
        )
    return redirect("outputs", batch.pk)


@login_required
@never_cache
@require_safe
def outputs_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The files of a batch with their matches and checks; only the table for htmx."""
    batch = _batch(request, pk)
    page = page_of(request, batch.files.select_related("clip", "system").order_by("name", "pk"))
    files = list(page)
    ticks = _Ticks(request, batch)
    checked = batch.step == OutputBatch.Step.CHECK and batch.status == Job.Status.DONE
    there = set(
        Rendition.objects.filter(
            clip__in=[file.clip_id for file in files if file.clip_id],
            system__in=[file.system.slug for file in files if file.system],
        ).values_list("clip_id", "system")
    )
    usable = batch.files.filter(problem="").exclude(checks={})
    rows = [
        {
            "file": file,
            "checks": file.checks,
            "usable": bool(file.checks and not file.problem),
            "ticked": file.pk not in ticks.left,
            "shifted": file.pk in ticks.shifted,
            "replaces": file.system is not None and (file.clip_id, file.system.slug) in there,
            "delay_ms": _milliseconds(file.checks.delay_seconds),
            "delays": _draw_delays(file.checks),
        }
        for file in files
    ]
    context = {
        "batch": batch,
        "rows": rows,
        "job": job_state(batch),
        "checked": checked,
        "stored": batch.step == OutputBatch.Step.STORE and batch.status == Job.Status.DONE,
        "page": page,
        "usable": usable.count(),
        "delayed": sum(file.checks.shifts and not file.problem for file in files),
        "problems": batch.files.exclude(problem="").count(),
        "taken": batch.files.filter(taken=True, problem="").count(),
        "section": "systems",
    }
    whole = "HX-Request" not in request.headers
    return render(request, "evaluation/outputs.html" if whole else "evaluation/_outputs.html", context)


@researcher_action
def outputs_confirm(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Store the ticked files. A button with ``page`` shows another page, and keeps the ticks of this one."""
    batch = _batch(request, pk)
    ticks = _Ticks(request, batch)
    ticks.keep()
    if wanted := request.POST.get("page"):
        return redirect(f"{reverse('outputs', args=[pk])}?{urlencode({'page': wanted})}")
    with redirect_refusals(request, "outputs", pk):
        taken = batch.files.exclude(pk__in=ticks.left).values_list("pk", flat=True)
        outputs.confirm(batch, taken, ticks.shifted)
        ticks.forget()
    return redirect("outputs", pk)


class _Ticks:
    """What a researcher has decided about a batch's files, which may fill several pages.

    Attributes:
        left: ids of the files whose ticks were taken away.
        shifted: ids of those whose delays are to be corrected.
    """

    def __init__(self, request: HttpRequest, batch: OutputBatch) -> None:
        self._request, self._batch, self._name = request, batch, f"ticks of {batch.pk}"
        kept = request.session.get(self._name, {"left": [], "shifted": []})
        self.left, self.shifted = set(kept["left"]), set(kept["shifted"])

    def keep(self) -> None:
        """Keep the ticks that were sent, of the files that the page showed: all, if it does not say."""
        shown = set(_ids(self._request, "shown") or self._batch.files.values_list("pk", flat=True))
        self.left = self.left - shown | shown - set(_ids(self._request, "take"))
        self.shifted = self.shifted - shown | set(_ids(self._request, "shift"))
        self._request.session[self._name] = {"left": sorted(self.left), "shifted": sorted(self.shifted)}

    def forget(self) -> None:
        self._request.session.pop(self._name, None)


@researcher_action
def outputs_discard(request: HttpRequest, pk: UUID) -> HttpResponse:
    batch = _batch(request, pk)
    slug = batch.system.slug
    outputs.remove_batch(batch)
    return redirect("system", slug)


def _own_system(request: HttpRequest, slug: str) -> UploadedSystem:
    return find_for(request, UploadedSystem.objects.all(), slug=slug)


def _batch(request: HttpRequest, pk: UUID) -> OutputBatch:
    return find_for(request, OutputBatch.objects.select_related("system"), pk=pk)


def _ids(request: HttpRequest, name: str) -> list[int]:
    return [pk for value in request.POST.getlist(name) if (pk := read_whole(value)) is not None]


def _draw_delays(checks: Checks) -> SafeString:
    """The figure of a delay that changes; empty if one delay fits throughout."""
    if not checks.stretches:
        return mark_safe("")
    title = gettext("Delay against the clip from second to second")
    track = [(second, delay) for second, delay in checks.track if second is not None]
    return mark_safe(delays(track, title))  # noqa: S308 -- `evaluation.analysis.figures` escapes its texts


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 2) + 0.0


def _read_form(request: HttpRequest) -> tuple[str, str, float | None]:
    """Read title, note and bit rate from the form. Raises `OutputProblem`."""
    text = request.POST.get("kbps", "").strip().replace(",", ".")
    try:
        kbps = float(text) if text else None
    except ValueError:
        raise OutputProblem(_("%(value)r is not a bit rate in kbit/s."), value=text[:40]) from None
    if kbps is not None and not math.isfinite(kbps):
        raise OutputProblem(_("The bit rate must be a number of kbit/s, 0 or more."))
    return request.POST.get("title", ""), request.POST.get("note", ""), kbps
