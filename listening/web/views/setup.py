"""Creating a study in three steps, which can be revisited until somebody takes part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from codec import registry
from evaluation.access import Role, found_role, visible_clips
from evaluation.contexts import Context
from evaluation.models import Clip
from evaluation.refusals import Refusal, Text
from evaluation.web.guards import researcher_page
from evaluation.web.lists import searched
from evaluation.web.presentation import time_left
from evaluation.web.refusals import show_refusals_on
from evaluation.work.expecting import seconds_left
from listening.models import Session, Study
from listening.results import planning
from listening.study import selectors
from listening.study.lacking import Lacking, RenditionsMissing, find_lacking, have_made, processable
from listening.study.studies import (
    LOCKED_WHY,
    create_study,
    has_real_sessions,
    open_study,
    update_study,
)
from listening.web import audit
from listening.web.access import study_for
from listening.web.audit import note_study
from listening.web.forms import SECTIONS, Section
from listening.web.forms.what import MUSIC_SYSTEMS, PAPER_SYSTEMS, Items, pick_clips, uuids
from listening.web.views import check, simulation
from listening.web.views.studies import head_context

STEPS = {"what": "Content", "who": "Listeners", "check": "Review"}
ABOUT = {
    "what": "Choose the items, the systems and the method.",
    "who": "Choose who takes part, and what they read and answer.",
    "check": "Check the study, then open it.",
}

#: Of how many clips is said what is missing.
SHOWN_CLIPS = 5


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def study_new(request: HttpRequest) -> HttpResponse:
    """The first step for a new study."""
    study = Study(owner=request.user, systems=list(PAPER_SYSTEMS))  # type: ignore[misc]  # somebody is signed in
    if request.method == "POST":
        return _save(request, study, "what")
    found = selectors.clips_by_id(request.user, uuids(request.GET.getlist("clip")))
    if found and not any(clip.speech for clip in found.values()):
        study.systems = list(MUSIC_SYSTEMS)
    sections = [
        Items(study, clips=found.values(), user=request.user)
        if kind is Items
        else kind(study, user=request.user)
        for kind in SECTIONS
        if kind.step == "what"
    ]
    return _page(request, study, "what", sections)


@researcher_page
def clips(request: HttpRequest) -> HttpResponse:
    """The clips that a search finds, for the first step's picker."""
    return render(request, "listening/setup/_picker.html", pick_clips(request.user, searched(request)))


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def study_setup(request: HttpRequest, study_id: UUID, step: str) -> HttpResponse:
    if step not in STEPS:
        raise Http404("There is no such step.")
    study = study_for(request, study_id)
    if request.method == "POST":
        return _save(request, study, step)
    return _page(
        request, study, step, [kind(study, user=request.user) for kind in SECTIONS if kind.step == step]
    )


def _save(request: HttpRequest, study: Study, step: str) -> HttpResponse:
    sections = [kind(study, request.POST, user=request.user) for kind in SECTIONS if kind.step == step]
    # Programs may send only some sections; the page sends all.
    sections = [each if each.was_sent() else type(each)(study, user=request.user) for each in sections]
    # Locked sections keep their stored values, whatever was sent.
    sections = [
        type(section)(study, user=request.user) if section.locked and section.frozen else section
        for section in sections
    ]
    sent = [section for section in sections if section.is_bound]
    valid = [
        section.is_valid() for section in sent
    ]  # call it for all sections, so that all show their errors
    if not all(valid):
        return _page(request, study, step, sections, _error_of(sections), 400)
    changed = [name for section in sent for name in section.apply(study)]
    items = next((section for section in sent if isinstance(section, Items)), None)
    excerpts = None if items is None else items.excerpts
    with show_refusals_on(lambda refusal: _show_refusal(request, study, step, sections, refusal)):
        if study._state.adding:
            made = create_study(
                request.user,
                study.name,
                [],
                study.systems,
                excerpts=excerpts,
                method=study.method,
                options=study.method_options.to_json(),
                sample_rate=study.sample_rate,
                channels=study.channels,
                open_when_ready=False,
            )
        else:
            made = update_study(
                study,
                changed,
                by=request.user,
                excerpts=excerpts,
                discard_trial_runs="discard" in request.POST,
            )
    note_study(request, made)
    following = request.POST.get("then") or request.POST.get("process") or step
    said = _("Saved.")
    if following in ("open", "pilot"):
        open_study(made, pilot=following == "pilot")
        audit.tell(request, then=following)
        made.refresh_from_db(fields=["status"])
        said = _("Published. Send listeners the link below; it works as soon as all stimuli are rendered.")
        if made.status == Study.Status.OPEN:
            said = _("Published: listeners can take part. Send them the link below.")
    messages.success(request, said)
    if following in ("open", "pilot", "study"):
        return redirect("study", made.pk)
    return redirect("study_setup", made.pk, following if following in STEPS else step)


def _show_refusal(
    request: HttpRequest, study: Study, step: str, sections: list[Section], refusal: Refusal
) -> HttpResponse:
    """The page again, with the refusal at the top and at the fields that it names."""
    if isinstance(refusal, RenditionsMissing):
        return _show_lacking(request, study, step, sections, refusal)
    for path, message in refusal.fields.items():
        name = path.split(".", 1)[0]
        for section in sections:
            if section.is_bound and name in section.fields:
                section.add_error(name, str(message))
    return _page(request, study, step, sections, refusal, refusal.status)


def _show_lacking(
    request: HttpRequest, study: Study, step: str, sections: list[Section], refusal: RenditionsMissing
) -> HttpResponse:
    """The page again; the recordings that are missing are offered to be made.

    The field ``process`` has them made: the page then waits for them, and saves.
    """
    lacking = refusal.lacking
    if "process" in request.POST:
        have_made(request.user, lacking)
        lacking = find_lacking({each.clip: None for each in lacking}, [each.system for each in lacking])
    then = request.POST.get("process") or request.POST.get("then", step)
    shown = _lacking_context(request.user, lacking, then)
    status = 202 if shown["waiting"] else refusal.status
    return _page(request, study, step, sections, status=status, lacking=shown)


def _lacking_context(user: Any, lacking: Sequence[Lacking], then: str) -> Context:
    """What ``setup/_lacking.html`` shows of recordings that are missing."""
    offered = processable(user, lacking)
    by_clip: dict[Clip, list[str]] = {}
    for each in lacking:
        by_clip.setdefault(each.clip, []).append(each.title)
    asked = QueryDict(mutable=True)
    asked.setlist("clip", [str(clip.pk) for clip in by_clip])
    asked.setlist("system", list(dict.fromkeys(each.system for each in lacking)))
    asked["then"] = then
    waiting = bool(lacking) and all(each.waits for each in lacking)
    left = seconds_left([clip.pk for clip in by_clip]) if waiting else {}
    return {
        "rows": [(clip.title, titles) for clip, titles in by_clip.items()][:SHOWN_CLIPS],
        "more": max(0, len(by_clip) - SHOWN_CLIPS),
        "offered": offered,
        "others": [each.describe() for each in lacking if each not in offered][:SHOWN_CLIPS],
        "failed": [each.describe() for each in offered if each.rendition and not each.waits][:SHOWN_CLIPS],
        "waiting": waiting,
        "count": len(lacking),
        "left": time_left(max(left.values(), default=None)),
        "address": f"{reverse('study_lacking')}?{asked.urlencode()}",
        "then": then,
    }


@researcher_page
def lacking(request: HttpRequest) -> HttpResponse:
    """How far the recordings are that a study waits for: of each ``clip`` by each ``system``."""
    asked = request.GET
    clips = visible_clips(request.user).filter(pk__in=uuids(asked.getlist("clip")))
    # Of uploaded systems nothing is ever under way, and not everybody may know their titles.
    found = find_lacking(clips, [slug for slug in asked.getlist("system") if slug in registry.SYSTEMS])
    shown = _lacking_context(request.user, found, asked.get("then", "what"))
    return render(request, "listening/setup/_lacking.html", {"lacking": shown})


def _error_of(sections: Sequence[Section]) -> str:
    """The number of fields to correct."""
    marked = sum(len(messages) for section in sections for messages in section.errors.values())
    text = ngettext(
        "Please correct the problem marked below.",
        "Please correct the %(count)d problems marked below.",
        marked,
    )
    return text % {"count": marked}


def _page(
    request: HttpRequest,
    study: Study,
    step: str,
    sections: list[Section],
    error: Text = "",
    status: int = 200,
    lacking: Context | None = None,
) -> HttpResponse:
    new = study._state.adding
    frozen = not new and has_real_sessions(study)
    pilots = 0 if new else study.sessions.filter(kind=Session.Kind.PILOT).count()
    order = list(STEPS)
    following = order[order.index(step) + 1] if step != order[-1] else None
    context: Context = {
        "study": study,
        "new": new,
        "step": step,
        "step_title": STEPS[step],
        "about": ABOUT[step],
        "sections": sections,
        "section": "studies",
        "error": error,
        "lacking": lacking,
        "locked_why": LOCKED_WHY if frozen and any(each.locked for each in sections) else "",
        "pilots": pilots if not frozen and any(each.locked for each in sections) else 0,
        "following": following,
        "following_title": STEPS.get(following or "", ""),
        "action": reverse("study_new") if new else reverse("study_setup", args=[study.pk, step]),
        "scripts": list(dict.fromkeys(path for each in sections for path in each.scripts)),
        "styles": list(dict.fromkeys(path for each in sections for path in each.styles)),
    }
    if not new:
        shown = study_for(request, study.pk)  # as it is, not as it was sent
        readonly = found_role(shown) < Role.EDITOR
        context |= head_context(shown) | {"shown": shown, "readonly": readonly}
        if readonly:
            # The others fill in forms.
            context["scripts"] = [path for each in sections for path in each.drawing]
        if step == "check":
            context |= check.context_of(shown) | simulation.context_of(
                shown, request.GET.get("half_width", "")
            )
            context["planning"] = planning.context_of(shown)
    return render(request, "listening/setup.html", context, status=status)
