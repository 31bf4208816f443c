"""Testing a design with simulated listeners."""

from __future__ import annotations

import contextlib
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from evaluation.access import found_role
from evaluation.contexts import Context
from evaluation.systems import titles_of
from evaluation.web.guards import on_page, researcher_action, researcher_page
from evaluation.web.presentation import job_state
from evaluation.web.refusals import redirect_refusals
from listening.columns.studies import MOST_LISTENERS
from listening.methods import METHODS
from listening.models import Session, Simulation, Study
from listening.simulation import runs as simulation
from listening.study.errors import StudyError
from listening.study.studies import delete_sessions
from listening.web.access import study_for

#: Form fields of the simulation settings: label, step of the field.
FIELDS = {
    "bias": ("Listeners' offsets, standard deviation in points", "0.5"),
    "spread": ("Spread of a listener's grades, in points", "0.5"),
    "items": ("Effect of an item on a system, in points", "0.5"),
    "use": ("Use of the scale, standard deviation around 1", "0.05"),
    "careless": ("Share of careless listeners, 0 to 1", "0.01"),
}


def context_of(study: Study, wanted: str = "") -> Context:
    """The context of the page's section on simulated listeners and pilot sessions."""
    asked, method = study.simulation, METHODS[study.method]
    made = Simulation.count_made(study)
    qualities = asked.qualities or simulation.usual_qualities(study)
    titles = titles_of(qualities) | {"original": "Hidden reference"}
    usual = half_width = simulation.usual_half_width(study)
    if usual is not None and wanted:
        with contextlib.suppress(ValueError):
            half_width = float(wanted.replace(",", "."))
    row: Simulation | None = getattr(study, "simulation_job", None)
    running = row is not None and row.waiting
    trials = (Session.Kind.SIMULATED, Session.Kind.PILOT)
    kind = next((kind for kind in trials if _count_finished(study, kind) >= 2), None)
    plan = None
    if kind and not running and half_width is not None:
        plan = simulation.plan_assessors(study, half_width, kind)
    return {
        "simulated": {
            "on_own_scale": (method.lowest, method.highest) == (0, 100),
            "made": made,
            "wanted": asked.listeners,
            "running": running,
            "job": job_state(row, found_role(study)) if row is not None else None,
            "fields": [
                {"name": name, "label": label, "step": step, "value": getattr(asked, name)}
                for name, (label, step) in FIELDS.items()
            ],
            "qualities": [
                {"slug": slug, "title": titles[slug], "value": value} for slug, value in qualities.items()
            ],
            "most": MOST_LISTENERS,
            "ready": study.status != Study.Status.PREPARING,
        },
        "pilots": study.sessions.filter(kind=Session.Kind.PILOT).count(),
        "half_width": half_width,
        "plan_kind": kind,
        "plan_of": plan,
        "plan_widest": titles.get(str(plan.widest), plan.widest) if plan else "",
    }


def _count_finished(study: Study, kind: str) -> int:
    return study.sessions.filter(kind=kind, finished__isnull=False).count()


@researcher_page
def section(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """The section of the page, for htmx."""
    study = study_for(request, study_id)
    context = {"study": study} | context_of(study, request.GET.get("half_width", ""))
    return render(request, "listening/setup/_trying.html", context)


@researcher_action
@on_page("study_setup", step="check")
def simulate(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Run simulated listeners, which replace those of an earlier simulation."""
    study = study_for(request, study_id)
    page = reverse("study_setup", args=[study.pk, "check"]) + "#trying"
    with redirect_refusals(request, page):
        simulation.start(study, _read_settings(request))
    return redirect(page)


def _read_settings(request: HttpRequest) -> Context:
    """What was sent, as `simulation.checked` wants it. Raises `StudyError`."""

    def number(text: str) -> float:
        try:
            return float(text.replace(",", "."))
        except ValueError:
            raise StudyError(_("“%(value)s” is not a number."), value=text) from None

    sent = {name: number(value) for name in FIELDS if (value := request.POST.get(name, ""))}
    listeners = number(request.POST.get("listeners", "20"))
    qualities = {
        name.removeprefix("quality-"): number(value)
        for name, value in request.POST.items()
        if name.startswith("quality-") and isinstance(value, str) and value
    }
    whole = int(listeners) if listeners.is_integer() else 0
    return sent | {"listeners": whole, "qualities": qualities}


@researcher_action
@on_page("study_setup", step="check")
def discard(request: HttpRequest, study_id: UUID) -> HttpResponse:
    study = study_for(request, study_id)
    count = simulation.discard(study)
    text = ngettext("%(count)s simulated session deleted.", "%(count)s simulated sessions deleted.", count)
    messages.success(request, text % {"count": count})
    return redirect(reverse("study_setup", args=[study.pk, "check"]) + "#trying")


@researcher_action
@on_page("study_setup", step="check")
def discard_pilots(request: HttpRequest, study_id: UUID) -> HttpResponse:
    study = study_for(request, study_id)
    count = delete_sessions(study, Session.Kind.PILOT)
    text = ngettext("%(count)s pilot session deleted.", "%(count)s pilot sessions deleted.", count)
    messages.success(request, text % {"count": count})
    return redirect(reverse("study_setup", args=[study.pk, "check"]) + "#trying")
