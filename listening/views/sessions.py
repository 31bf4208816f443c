"""A listener's way through a study. Nothing here tells which recording is which system."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from listening import selectors, services
from listening.languages import in_study_language
from listening.models import Session, Study
from listening.views.limits import limit_joins
from listening.views.trials import PAGES


@never_cache
@require_http_methods(["GET", "POST"])
@in_study_language
@limit_joins
def join(request: HttpRequest, token: str) -> HttpResponse:
    """The listener link: what taking part means; agreeing starts a session."""
    study = get_object_or_404(Study, token=token)
    if request.method == "POST" and request.POST.get("consent") == "yes":
        try:
            session = services.start_session(study)
        except services.StudyClosed:
            return _closed(request, study)
        return redirect("session", session.token)
    if study.status != Study.Status.OPEN:
        return _closed(request, study)
    context = {
        "study": study,
        "texts": study.texts,
        "minutes": selectors.minutes_of(study.items.all(), services.signals_of(study)),
        "action": reverse("join", args=[token]),
    }
    return render(request, "listening/session/consent.html", context)


def _closed(request: HttpRequest, study: Study, session: Session | None = None) -> HttpResponse:
    context = {
        "study": study,
        "texts": study.texts,
        "session": session,
        "preparing": study.status == Study.Status.PREPARING,
    }
    return render(request, "listening/session/closed.html", context)


@never_cache
@ensure_csrf_cookie
@require_GET
@in_study_language
def session(request: HttpRequest, token: str) -> HttpResponse:
    """The step that the listener has to take next; reloading or opening the link elsewhere resumes here."""
    session = selectors.session_of(token)
    study = session.study
    step = services.current_step(session)
    context: dict[str, Any] = {"study": study, "texts": study.texts, "session": session}
    if step.kind == "thanks":
        return render(request, "listening/session/thanks.html", context)
    if study.status != Study.Status.OPEN:
        return _closed(request, study, session)
    if step.trial is None:
        context["action"] = reverse("session_begin", args=[token])
        return render(request, "listening/session/instructions.html", context)
    services.open_trial(step.trial)
    return PAGES[study.method](request, session, step.trial)


@require_POST
def begin(request: HttpRequest, token: str) -> HttpResponse:
    session = selectors.session_of(token)
    if session.study.status == Study.Status.OPEN:
        services.begin(session)
    return redirect("session", token)
