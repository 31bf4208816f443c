"""Results of a study in the API: tests, figures, tables, the report, metrics, the seal and simulations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from ninja import File, Router, Schema, Status
from ninja.files import UploadedFile
from pydantic import Field

from evaluation.access import Role, rows_for, viewer
from evaluation.analysis import figures
from evaluation.contexts import Context
from evaluation.models import Clip, Job
from evaluation.refusals import translate_note
from evaluation.web.problems import Problem
from evaluation.web.requests import Body
from evaluation.work.scores import check_size, request_scores, store_scores
from listening.delivery import files
from listening.methods import METHODS
from listening.models import MadeFile, Session, Simulation, Study
from listening.results import (
    BS1534,
    REAL,
    analyses,
    check_unsealed,
    compute,
    drawing,
    is_sealed,
    latex,
)
from listening.results.methods import PAGE, applied_profile, has_page, is_slow
from listening.results.profiles import check_view
from listening.results.seal import unseal
from listening.simulation import runs as simulation
from listening.study.errors import StudyError
from listening.study.studies import delete_sessions
from listening.web.access import study_for
from listening.web.api.made_files import MadeFileOut, answer_made
from listening.web.views.metrics import renditions_of

router = Router(by_alias=True, tags=["findings"])


class TestsOut(Schema):
    status: str = Field(description="queued, running, done or failed; none if there is nothing to test")
    error: str
    tests: Context | None = Field(
        description="by name: pairs, against, attachment3, wilcoxon, friedman, anova, mixed, plan, agreement"
    )


class MeasureIn(Body):
    metrics: list[str] = Field(min_length=1, max_length=20, description="slugs, see /api/metrics")


class MeasureOut(Schema):
    queued: int


class StoredOut(Schema):
    metric: str
    created: int
    replaced: int


class UnsealIn(Body):
    understood: bool = Field(
        description="must be true: you know that breaking the seal cannot be undone and is reported"
    )


class UnsealedOut(Schema):
    sealed: bool


class SimulationIn(Body):
    """Settings of simulated listeners, whose grades are kept apart from real ones."""

    listeners: int = 20
    seed: int = 1
    bias: float | None = None
    spread: float | None = None
    items: float | None = None
    use: float | None = None
    careless: float | None = None
    qualities: dict[str, float] = Field(
        default_factory=dict, description="assumed quality of each system, 0 to 100"
    )


class SimulationOut(Schema):
    state: str = Field(description="running, done or failed; empty if none was started")
    made: int


class Removed(Schema):
    deleted: int


def _study(request: HttpRequest, study_id: UUID, least: Role | None = None) -> Study:
    return study_for(request, study_id, least)


def _study_with_grades(
    request: HttpRequest, study_id: UUID, kind: str, profile: str, *, with_page: bool = False
) -> Study:
    """The study, if its grades may be viewed. Raises `StudyError` if not, or if it has no results page."""
    study = _study(request, study_id)
    check_unsealed(study)
    check_view(study, kind, profile)
    if with_page and not has_page(study):
        methods = ", ".join(slug for slug, method in METHODS.items() if method.analysis == PAGE)
        raise StudyError(
            _("This is available for %(methods)s studies only; fetch ratings.csv instead."), methods=methods
        )
    return study


@router.get("/studies/{uuid:study_id}/tests", response=TestsOut, summary="Tests between systems, and models")
def get_tests(request: HttpRequest, study_id: UUID, profile: str = BS1534, kind: str = REAL) -> Context:
    """MUSHRA studies only. Tests take seconds: repeat the request while they are queued or running."""
    study = _study_with_grades(request, study_id, kind, profile, with_page=True)
    row = analyses.current_analysis(study, kind, profile)
    if row is None:
        return {"status": "none", "error": "", "tests": None}
    return {
        "status": row.status,
        "error": translate_note(row.error),
        "tests": row.data if row.status == Job.Status.DONE else None,
    }


@router.get(
    "/studies/{uuid:study_id}/report.pdf",
    response={202: MadeFileOut, 409: Problem},
    summary="The report as PDF",
)
def get_report(request: HttpRequest, study_id: UUID, profile: str = BS1534, kind: str = REAL) -> Any:
    """A worker makes it: the answer says where it will be. 409 while the tests in it are being computed."""
    study = _study_with_grades(request, study_id, kind, profile)
    profile = applied_profile(study, profile)
    row = analyses.current_analysis(study, kind, profile) if is_slow(study) else None
    if row is not None and row.waiting:
        raise StudyError(_("The tests are still being computed. Try again in a few seconds."), 409)
    return answer_made(
        files.ask_for(
            viewer(request),
            MadeFile.Kind.REPORT,
            study,
            kind=kind,
            profile=profile,
        )
    )


@router.get("/studies/{uuid:study_id}/tables/{name}.tex", summary="A table as LaTeX: table3 or grades")
def get_table(
    request: HttpRequest, study_id: UUID, name: str, profile: str = BS1534, kind: str = REAL
) -> HttpResponse:
    study = _study_with_grades(request, study_id, kind, profile, with_page=True)
    if name not in latex.TABLES:
        raise Http404("There is no such table.")
    content = latex.TABLES[name](compute(study, kind=kind, profile=profile))
    return HttpResponse(content, content_type="application/x-tex; charset=utf-8")


@router.get("/studies/{uuid:study_id}/figures/{name}.{suffix}", summary="A figure as SVG or PNG")
def get_figure(
    request: HttpRequest, study_id: UUID, name: str, suffix: str, profile: str = BS1534, kind: str = REAL
) -> HttpResponse:
    """Names: grades, listeners, items, rates, differences, residuals, METRIC (per system), METRIC-stimuli."""
    study = _study_with_grades(request, study_id, kind, profile, with_page=True)
    analysis = analyses.latest_analysis(study, kind, profile)
    computed = compute(study, kind=kind, profile=profile)
    svg = drawing.draw(computed, name, analysis.data if analysis else None)
    if svg is None or suffix not in ("svg", "png"):
        raise Http404("There is no such figure.")
    if suffix == "png":
        return HttpResponse(figures.png(svg), content_type="image/png")
    return HttpResponse(figures.standalone_svg(svg), content_type="image/svg+xml")


# -- Objective scores


@router.post(
    "/studies/{uuid:study_id}/metrics",
    response={202: MeasureOut, 422: Problem},
    summary="Measure the study's stimuli by more metrics",
)
def measure_study(request: HttpRequest, study_id: UUID, wanted: MeasureIn) -> Status[Context]:
    queued = request_scores(renditions_of(_study(request, study_id)), wanted.metrics)
    return Status(202, {"queued": queued})


@router.post(
    "/studies/{uuid:study_id}/scores",
    response={200: StoredOut, 422: Problem},
    summary="Upload a table of scores for the study's clips",
)
def upload_study_scores(
    request: HttpRequest, study_id: UUID, file: File[UploadedFile], metric: str = "polqa"
) -> Status[Context]:
    """CSV with the columns ``clip``, ``system`` and ``value``. If any row is invalid, nothing is stored."""
    study = _study(request, study_id)
    check_size(file.size)
    clips = rows_for(viewer(request), Clip, Role.EDITOR).filter(items__study=study).distinct()
    stored = store_scores(file.read(), clips, metric=metric, source=file.name or "")
    return Status(200, {"metric": stored.metric, "created": stored.created, "replaced": stored.replaced})


# -- The seal, simulations


@router.post(
    "/studies/{uuid:study_id}/unseal",
    response={200: UnsealedOut, 422: Problem},
    summary="Break the seal before its time",
)
def unseal_study(request: HttpRequest, study_id: UUID, wanted: UnsealIn) -> Status[Context]:
    """The report says when the seal was broken; this cannot be undone."""
    study = _study(request, study_id, Role.OWNER)
    if not wanted.understood:
        message = _("Confirm that you understand: breaking the seal cannot be undone.")
        raise StudyError(message, 422, {"understood": message})
    unseal(study)
    return Status(200, {"sealed": is_sealed(study)})


def _describe_simulation(study: Study) -> Context:
    return {"state": simulation.state_of(study), "made": Simulation.count_made(study)}


@router.get(
    "/studies/{uuid:study_id}/simulation", response=SimulationOut, summary="The progress of the simulation"
)
def get_simulation(request: HttpRequest, study_id: UUID) -> Context:
    return _describe_simulation(_study(request, study_id))


@router.post(
    "/studies/{uuid:study_id}/simulation",
    response={202: SimulationOut},
    summary="Run simulated listeners to check the design",
)
def simulate_study(request: HttpRequest, study_id: UUID, wanted: SimulationIn) -> Status[Context]:
    """They replace those of an earlier simulation. Their sessions have the kind "simulated"."""
    study = _study(request, study_id)
    simulation.start(study, wanted.dict(exclude_none=True))
    return Status(202, _describe_simulation(study))


@router.delete(
    "/studies/{uuid:study_id}/simulation", response=Removed, summary="Delete all simulated sessions"
)
def discard_simulation(request: HttpRequest, study_id: UUID) -> dict[str, int]:
    return {"deleted": simulation.discard(_study(request, study_id))}


@router.delete(
    "/studies/{uuid:study_id}/pilot-sessions", response=Removed, summary="Delete all pilot sessions"
)
def discard_pilot(request: HttpRequest, study_id: UUID) -> dict[str, int]:
    return {"deleted": delete_sessions(_study(request, study_id), Session.Kind.PILOT)}
