"""Pages of a researcher's studies: the list, making one, and what a study is and how far."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID

import segno
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from evaluation.models import Clip, Rendition
from evaluation.systems import Described, systems_for
from listening import selectors, services
from listening.models import Study
from listening.results import title_of

#: The rows of the paper's Table 3 besides the original: what a new study starts with.
PAPER_SYSTEMS = ("opus-9k", "celp-8k", "amrwb-6.6k", "unified-gan-2k", "bpgan-2k")


@login_required
@never_cache
@require_GET
def studies(request: HttpRequest) -> HttpResponse:
    context = {"studies": selectors.studies_of(request.user), "section": "studies"}
    return render(request, "listening/studies.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def study_new(request: HttpRequest) -> HttpResponse:
    error = ""
    if request.method == "POST":
        try:
            study = _create(request)
        except services.StudyError as refused:
            error = str(refused)
        else:
            return redirect("study", study.pk)
    context = _form_context(request) | {"error": error, "section": "studies"}
    return render(request, "listening/study_new.html", context, status=400 if error else 200)


def _ids(values: list[str]) -> list[UUID]:
    """The UUIDs among `values`; what is none can't be anybody's clip."""
    found = []
    for value in values:
        try:
            found.append(UUID(value))
        except ValueError:
            raise Http404("There is no such clip.") from None
    return found


def _create(request: HttpRequest) -> Study:
    ids = _ids(request.POST.getlist("clip"))
    training = _ids([value for value in [request.POST.get("training", "")] if value])
    found = selectors.clips_by_id(request.user, [*ids, *training])
    return services.create_study(
        request.user,
        request.POST.get("name", ""),
        [found[clip_id] for clip_id in ids],
        request.POST.getlist("system"),
        texts={key: request.POST.get(key, "") for key in services.TEXTS},
        training_clip=found[training[0]] if training else None,
        listed="listed" in request.POST,
    )


def _form_context(request: HttpRequest) -> dict[str, Any]:
    """The form as it was sent, or as it starts: the clips of the link, the paper's systems."""
    sent = request.method == "POST"
    chosen_clips = set((request.POST if sent else request.GET).getlist("clip"))
    chosen_systems = set(request.POST.getlist("system") if sent else PAPER_SYSTEMS)
    clips = list(selectors.clips_for_study(request.user))
    known = systems_for(request.user)
    done: dict[UUID, set[str]] = {}
    for clip_id, system in Rendition.objects.filter(clip__in=clips, status=Rendition.Status.DONE).values_list(
        "clip", "system"
    ):
        done.setdefault(clip_id, set()).add(system)
    return {
        "name": request.POST.get("name", ""),
        "clips": [_clip_row(clip, known, done[clip.pk], str(clip.pk) in chosen_clips) for clip in clips],
        "training": request.POST.get("training", ""),
        "systems": [
            {"slug": each.slug, "title": each.title, "note": each.note, "chosen": each.slug in chosen_systems}
            for each in known
            if each.slug not in services.ALWAYS
        ],
        "max_systems": services.MAX_SIGNALS - len(services.ALWAYS),
        "texts": [(key, request.POST.get(key, "")) for key in services.TEXTS],
        "listed": "listed" in request.POST,
        "long_seconds": services.LONG_ITEM_SECONDS,
    }


def _clip_row(clip: Clip, known: list[Described], done: set[str], chosen: bool) -> dict[str, Any]:
    missing = [each.title for each in known if each.slug not in done]
    return {
        "clip": clip,
        "chosen": chosen,
        "long": clip.seconds > services.LONG_ITEM_SECONDS,
        "missing": missing,
    }


@login_required
@never_cache
@require_GET
def study(request: HttpRequest, study_id: UUID) -> HttpResponse:
    study = selectors.study_of(request.user, study_id)
    return render(request, "listening/study.html", _study_context(study) | {"section": "studies"})


@login_required
@never_cache
@require_GET
def progress(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """What changes on the study page, for htmx."""
    study = selectors.study_of(request.user, study_id)
    return render(request, "listening/study_progress.html", _study_context(study))


def _study_context(study: Study) -> dict[str, Any]:
    items = list(study.items.select_related("clip").order_by("position"))
    stimuli = selectors.stimuli_count(study)
    graded = [item for item in items if not item.training]
    training = [item for item in items if item.training]
    signals = services.signals_of(study)
    return {
        "study": study,
        "items": graded,
        "training": training[0] if training else None,
        "training_comes_again": bool(training) and training[0].clip_id in {item.clip_id for item in graded},
        "long_items": [item for item in graded if item.end - item.start > services.LONG_ITEM_SECONDS],
        "systems": [title_of(slug) for slug in study.systems],
        "signals": signals,
        "minutes": selectors.minutes_of(items, signals),
        "stimuli": stimuli,
        "listener_url": selectors.listener_url(study),
        "qr": _qr(selectors.listener_url(study)),
        "sessions": selectors.session_rows(study),
    }


def _qr(url: str) -> SafeString:
    """The listener link as an SVG image."""
    buffer = io.BytesIO()
    segno.make(url, error="m").save(
        buffer, kind="svg", scale=4, border=2, xmldecl=False, svgns=False, nl=False,
        dark="#000", light="#fff", title="Listener link as a QR code", svgclass=None, lineclass=None,
    )  # fmt: skip
    return mark_safe(buffer.getvalue().decode())  # noqa: S308 -- made here, of our own address


@login_required
@require_POST
def retry(request: HttpRequest, study_id: UUID) -> HttpResponse:
    services.retry_preparing(selectors.study_of(request.user, study_id))
    return redirect("study", study_id)


@login_required
@require_POST
def close(request: HttpRequest, study_id: UUID) -> HttpResponse:
    services.close_study(selectors.study_of(request.user, study_id))
    return redirect("study", study_id)


@login_required
@require_POST
def reopen(request: HttpRequest, study_id: UUID) -> HttpResponse:
    services.reopen_study(selectors.study_of(request.user, study_id))
    return redirect("study", study_id)


@login_required
@require_POST
def listed(request: HttpRequest, study_id: UUID) -> HttpResponse:
    services.set_listed(selectors.study_of(request.user, study_id), request.POST.get("listed") == "yes")
    return redirect("study", study_id)


@login_required
@require_POST
def delete(request: HttpRequest, study_id: UUID) -> HttpResponse:
    study = selectors.study_of(request.user, study_id)
    services.delete_study(study)
    messages.success(request, f"“{study.name}” and its grades have been deleted.")
    return redirect("studies")
