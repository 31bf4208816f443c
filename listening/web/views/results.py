"""The results page of a study, its figures and its sounds, for its owner."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import soundfile
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from evaluation.access import Role, found_role
from evaluation.analysis import figures
from evaluation.http import answer_unchanged
from evaluation.models import Job
from evaluation.refusals import Refusal
from evaluation.web.guards import researcher_action, researcher_page
from evaluation.web.presentation import job_state
from evaluation.web.refusals import redirect_refusals
from listening.models import Analysis, Stimulus, Study
from listening.results import (
    BS1534,
    KINDS,
    NONE,
    REAL,
    analyses,
    compute,
    drawing,
    frames,
    latex,
    methods,
    profiles,
)
from listening.results.page import context_of
from listening.results.scales import save_question
from listening.results.seal import check_unsealed, is_sealed, unseal
from listening.study.floor import wav_with_floor
from listening.web.access import study_for
from listening.web.views.sealing import grades_page

#: Figures of methods other than MUSHRA, besides the one of grades or choices.
METHOD_FIGURES = ("differences", "listeners", "residuals")
#: Short names of profiles in old URLs, from when there were only two.
_OLD_NAMES = {"on": BS1534, "off": NONE}
#: Polling intervals of the page, seconds: during computations, and while listeners take the test.
SOON, LATER = 2, 15


def selection_of(request: HttpRequest, study: Study) -> tuple[str, str]:
    """The kind of sessions and the screening profile that the request selects. Raises `Http404`."""
    kind = request.GET.get("kind", REAL)
    profile = request.GET.get("screening", BS1534)
    profile = _OLD_NAMES.get(profile, profile)
    if kind not in KINDS or profile not in profiles.profiles_of(study):
        raise Http404("There are no such results.")
    return kind, methods.applied_profile(study, profile)


@researcher_page
def results(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """The results page; an empty response (204) if its state is still ``since``."""
    study = study_for(request, study_id)
    if is_sealed(study):
        return _sealed(request, study)
    kind, profile = selection_of(request, study)
    state = frames.fingerprint(study, kind, profiles.settings_of(study, profile))
    base = {
        "study": study,
        "section": "studies",
        "kind": kind,
        "began": frames.count_started_sessions(study),
        "query": f"kind={kind}&screening={profile}",
    }
    slow = methods.is_slow(study) and frames.has_answers(study, kind)
    wanted = analyses.request(study, kind, profile, state) if slow else None
    since = f"{state[:16]}-{wanted.pk}-{wanted.status}" if wanted else state[:16]
    if unchanged := answer_unchanged(request, since):
        return unchanged
    status = wanted.status if wanted else ""
    waiting = status in Job.UNFINISHED
    analysis = wanted if status == Job.Status.DONE else analyses.latest_analysis(study, kind, profile)
    if methods.has_page(study):
        template = "listening/results.html"
        context = base | context_of(compute(study, kind=kind, profile=profile), analysis)
    else:
        template = "listening/results/method.html"
        context = base | methods.context_of(study, kind, analysis.data if analysis else None)
        view = methods.view_of(study)
        context |= {"view": view, "contents": view.contents_of(context) if view else []}
    context |= {
        "analysis": analysis,
        # The page polls for itself.
        "job": replace(job_state(wanted, found_role(study)), address="") if wanted else None,
        "stale": analysis is not None and analysis.fingerprint != state,
        "since": since,
        "every": SOON if waiting else LATER if study.status == Study.Status.OPEN else None,
    }
    return render(request, template, context)


def _sealed(request: HttpRequest, study: Study) -> HttpResponse:
    """Progress without grades, and the way to break the seal."""
    context = {"study": study_for(request, study.pk, counted=True), "section": "studies"}
    return render(request, "listening/results/sealed.html", context)


@researcher_action
def break_seal(request: HttpRequest, study_id: UUID) -> HttpResponse:
    study = study_for(request, study_id, Role.OWNER)
    if request.POST.get("understood") == "yes":
        unseal(study)
    else:
        messages.error(request, _("Tick the box to confirm: a broken seal cannot be restored."))
    return redirect("results", study.pk)


@researcher_action
def thresholds(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Store the researcher's own screening thresholds and show the results with them."""
    study = study_for(request, study_id)
    page = reverse("results", args=[study.pk])
    with redirect_refusals(request, f"{page}?screening={BS1534}#screening"):
        profiles.save(study, request.POST.dict())
    return redirect(f"{page}?screening={profiles.CUSTOM}#screening")


@researcher_action
def question(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Store population and margin of equivalence of the tests, and show the results with them."""
    study = study_for(request, study_id)
    page = reverse("results", args=[study.pk]) + "#pairs"
    with redirect_refusals(request, page):
        save_question(study, request.POST.dict())
    return redirect(page)


@researcher_action
def recompute(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Repeat the analyses that failed."""
    study = study_for(request, study_id)
    Analysis.objects.filter(study=study, status=Job.Status.FAILED).delete()
    return redirect("results", study.pk)


@researcher_page
def figure(request: HttpRequest, study_id: UUID, name: str, suffix: str) -> HttpResponse:
    """A figure of the results page as an SVG or PNG file."""
    study = study_for(request, study_id)
    with redirect_refusals(request, "results", study.pk):
        check_unsealed(study)
    kind, profile = selection_of(request, study)
    analysis = analyses.latest_analysis(study, kind, profile)
    computed = compute(study, kind=kind, profile=profile)
    svg = drawing.draw(computed, name, analysis.data if analysis else None)
    if svg is None:
        raise Http404("There is no such figure.")
    return _figure_file(svg, f"{name}{_tag(kind)}-{study_id}", suffix)


@researcher_page
def method_figure(request: HttpRequest, study_id: UUID, suffix: str) -> HttpResponse:
    """The results figure of a method other than MUSHRA as an SVG or PNG file."""
    study = study_for(request, study_id)
    kind = request.GET.get("kind", REAL)
    with redirect_refusals(request, "results", study.pk):
        check_unsealed(study)
    if kind not in KINDS or suffix not in ("svg", "png"):
        raise Http404("There is no such figure.")
    name = request.GET.get("figure", "")
    if name not in ("", *METHOD_FIGURES):
        raise Http404("There is no such figure.")
    analysis = analyses.latest_analysis(study, kind, profiles.NONE)
    svg = methods.context_of(study, kind, analysis.data if analysis else None).get(
        f"{name}_svg" if name else "svg"
    )
    if not isinstance(svg, str) or not svg:
        raise Http404("There is no such figure.")
    part = f"-{name}" if name else ""
    return _figure_file(svg, f"{study.method}{part}{_tag(kind)}-{study_id}", suffix)


def _tag(kind: str) -> str:
    """The suffix of a file name for the kind of sessions in it."""
    return "" if kind == REAL else f"-{kind}"


def _figure_file(svg: str, name: str, suffix: str) -> HttpResponse:
    try:
        content, media = (
            (figures.png(svg), "image/png")
            if suffix == "png"
            else (figures.standalone_svg(svg).encode(), "image/svg+xml")
        )
    except figures.NoFonts as error:
        raise Refusal(_("This server cannot draw figures as PNG: %(error)s"), 503, error=error) from None
    response = HttpResponse(content, content_type=media)
    response["Content-Disposition"] = f'attachment; filename="{name}.{suffix}"'
    return response


@grades_page
def table(request: HttpRequest, study: Study, name: str) -> HttpResponse:
    """A table as LaTeX; ``table3`` is the summary table."""
    kind, profile = selection_of(request, study)
    if name not in latex.TABLES:
        raise Http404("There is no such table.")
    content = latex.TABLES[name](compute(study, kind=kind, profile=profile))
    response = HttpResponse(content, content_type="application/x-tex; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.tex"'
    return response


@login_required
@require_GET
def sound(request: HttpRequest, study_id: UUID, stimulus_id: int) -> HttpResponse:
    """A stimulus as listeners got it, for the study's researcher. Raises `Http404` if it has no audio."""
    study = study_for(request, study_id)
    stimuli = Stimulus.objects.select_related("item").exclude(audio="")
    stimulus = stimuli.filter(pk=stimulus_id, item__study=study).first()
    if stimulus is None:
        raise Http404("There is no such sound.")
    with stimulus.audio.open("rb") as stored:
        audio, rate = soundfile.read(stored, dtype="float32")
    wav = wav_with_floor(audio, int(rate), b"%d" % stimulus_id, stimulus.item.loudness)
    response = HttpResponse(wav, content_type="audio/wav")
    response["Cache-Control"] = "private, max-age=3600"
    return response
