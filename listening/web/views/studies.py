"""Pages of a researcher's studies: the list, and the page and actions of each study."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from uuid import UUID

import segno
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from evaluation.access import Role, found_role
from evaluation.contexts import Context
from evaluation.http import answer_unchanged
from evaluation.systems import titles_of
from evaluation.web.guards import researcher_action, researcher_page
from evaluation.web.lists import page_of, searched
from evaluation.web.presentation import job_state
from listening.models import Preparation, Study
from listening.session.sessions import start_preview
from listening.study import compliance, removal, selectors
from listening.study import studies as study_studies
from listening.study.contents import LONG_ITEM_SECONDS, method_of
from listening.study.design import items_per_session, plan_of
from listening.study.duration import minutes_of_study
from listening.study.preparing import retry_preparing
from listening.study.stimuli import warnings_of
from listening.study.studies import (
    archive_study,
    close_study,
    delete_study,
    duplicate_study,
    end_pilot,
    reopen_study,
    restore_study,
    set_listed,
    signals_of,
    update_study,
)
from listening.study.versions import versions_of
from listening.web import audit
from listening.web.access import study_for
from listening.web.audit import note_study


@researcher_page
def studies(request: HttpRequest) -> HttpResponse:
    """The list; with ``since``, answers 204 if that still names the studies that are being prepared."""
    search, archived = searched(request), request.GET.get("archived") == "yes"
    page = page_of(request, selectors.find_studies(request.user, search, archived=archived))
    preparing = [row.pk for row in page if row.status == Study.Status.PREPARING and not row.error]
    since = " ".join(map(str, preparing))
    if unchanged := answer_unchanged(request, since):
        return unchanged
    context = {
        "page": page,
        "studies": page.object_list,
        "since": since,
        "search": search,
        "archived": archived,
        "others": selectors.find_studies(request.user, archived=not archived).count(),
        "section": "studies",
    }
    return render(request, "listening/studies.html", context)


@researcher_page
def study(request: HttpRequest, study_id: UUID) -> HttpResponse:
    study = study_for(request, study_id, counted=True)
    return render(request, "listening/study.html", _study_context(request, study) | {"section": "studies"})


@researcher_page
def progress(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """The part of the study page that changes, for htmx."""
    study = study_for(request, study_id, counted=True)
    return render(request, "listening/study_progress.html", _study_context(request, study))


def head_context(study: Study) -> Context:
    """The context of the head of all pages of a study."""
    return {
        "head": {
            "method": compliance.method_title(study),
            "items": items_per_session(study),
            "all_items": study.items.filter(training=False).count(),
            "signals": signals_of(study),
            "minutes": minutes_of_study(study),
        },
        "stimuli": selectors.stimuli_count(study),
    }


def _study_context(request: HttpRequest, study: Study) -> Context:
    items = list(study.items.select_related("clip").order_by("position"))
    graded = [item for item in items if not item.training]
    training = [item for item in items if item.training]
    method = method_of(study.method)
    titles = titles_of([*method.always, *study.systems])
    titles["original"] = "hidden reference"
    preparation: Preparation | None = getattr(study, "preparation", None)
    sessions = page_of(request, selectors.sessions_shown(study, searched(request)))
    return head_context(study) | {
        "study": study,
        "method": method,
        "job": job_state(preparation, found_role(study)) if preparation is not None else None,
        "items": graded,
        "training": training,
        "training_comes_again": {item.clip_id for item in training} <= {item.clip_id for item in graded},
        "long_items": [item for item in graded if item.end - item.start > LONG_ITEM_SECONDS],
        "systems": [titles[slug] for slug in study.systems],
        "always": [titles[slug] for slug in method.always],
        "plan": plan_of(study, len(graded)),
        "listener_url": selectors.listener_url(study),
        "qr": _qr(selectors.listener_url(study)),
        "page": sessions,
        "sessions": selectors.session_rows(sessions),
        "search": searched(request),
        "stimulus_warnings": warnings_of(study),
        "deletions": study.deletions.order_by("number", "deleted"),
        "versions": versions_of(study),
    }


@lru_cache(maxsize=256)
def _qr(url: str) -> SafeString:
    """The listener link as an SVG image: the same each time that the page is opened."""
    buffer = io.BytesIO()
    segno.make(url, error="m").save(
        buffer, kind="svg", scale=4, border=2, xmldecl=False, svgns=False, nl=False,
        dark="#000", light="#fff", title="Listener link as a QR code", svgclass=None, lineclass=None,
    )  # fmt: skip
    return mark_safe(buffer.getvalue().decode())  # noqa: S308 -- made here, of our own address


def _button(change: Callable[[Study], object], least: Role = Role.EDITOR) -> Callable[..., HttpResponse]:
    """The view of a button of the study page: `change` the study and show it again."""

    @researcher_action
    def press(request: HttpRequest, study_id: UUID) -> HttpResponse:
        change(study_for(request, study_id, least))
        return redirect("study", study_id)

    return press


retry = _button(retry_preparing)
close = _button(close_study)
reopen = _button(reopen_study)
open_study = _button(study_studies.open_study)


@researcher_action
def pilot(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Start or end a pilot, whose sessions are kept apart."""
    study = study_for(request, study_id)
    begins = request.POST.get("pilot") == "yes"
    audit.tell(request, pilot="yes" if begins else "no")
    if begins:
        study_studies.open_study(study, pilot=True)
    else:
        end_pilot(study)
    return redirect("study", study_id)


archive = _button(archive_study, Role.OWNER)
restore = _button(restore_study, Role.OWNER)


@researcher_action
def duplicate(request: HttpRequest, study_id: UUID) -> HttpResponse:
    made = duplicate_study(study_for(request, study_id), owner=request.user)
    note_study(request, made)
    return redirect("study_setup", made.pk, "what")


@researcher_action
def rename(request: HttpRequest, study_id: UUID) -> HttpResponse:
    study = study_for(request, study_id)
    study.name = request.POST.get("name", "")
    update_study(study, ["name"])
    return redirect(reverse("study", args=[study_id], fragment="design"))


@researcher_action
def preview(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Show the researcher what listeners will meet, page by page."""
    study = study_for(request, study_id, Role.VIEWER)
    return redirect("session", start_preview(study).token)


@researcher_action
def change_listing(request: HttpRequest, study_id: UUID) -> HttpResponse:
    listed = request.POST.get("listed") == "yes"
    set_listed(study_for(request, study_id), listed)
    audit.tell(request, listed="yes" if listed else "no")
    return redirect(reverse("study", args=[study_id], fragment="link"))


@researcher_action
def delete(request: HttpRequest, study_id: UUID) -> HttpResponse:
    study = study_for(request, study_id, Role.OWNER)
    delete_study(study)
    messages.success(request, _("“%(study)s” and its grades have been deleted.") % {"study": study.name})
    return redirect("studies")


@researcher_action
def delete_session(request: HttpRequest, study_id: UUID, session_id: UUID) -> HttpResponse:
    """Delete all data of a listener; a record of the deletion stays."""
    study = study_for(request, study_id)
    session = get_object_or_404(study.sessions, pk=session_id)
    code = session.assessor.code
    note = removal.delete_session(session, request.POST.get("reason", "").strip())
    messages.success(
        request,
        _("All data of %(code)s has been deleted. Grades: %(ratings)s.")
        % {"code": code, "ratings": note.ratings},
    )
    return redirect("study", study_id)
