"""Studies in the API: creating, changing and running them, their sessions and results."""

# No `from __future__ import annotations`: the pagination cannot resolve annotations that are strings.

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Router, Status
from ninja.pagination import paginate

from evaluation.access import Role, viewer
from evaluation.columns import BadColumn, plain
from evaluation.contexts import Context
from evaluation.refusals import translate_note
from evaluation.web.api import described_role
from evaluation.web.lists import ApiPagination, Described
from evaluation.web.multipart import file_field, multipart_body
from evaluation.web.problems import FileMissing, Problem, check_length
from evaluation.web.requests import OneOf, check_form
from listening.interchange.archive.read import read_archive
from listening.methods import METHODS
from listening.models import Deletion, MadeFile, Session, Study
from listening.results import check_unsealed, compute
from listening.results.profiles import BS1534, check_kind, check_view
from listening.study import removal, selectors, studies
from listening.study.contents import Excerpt
from listening.study.errors import StudyError
from listening.study.preparing import retry_preparing
from listening.study.settings import check_settings
from listening.study.studies import (
    archive_study,
    close_study,
    end_pilot,
    open_study,
    reopen_study,
    restore_study,
    update_study,
)
from listening.web.access import reader_of_grades, study_for
from listening.web.api.made_files import MadeFileOut, answer_made
from listening.web.api.schemas import (
    Copy,
    DeletionOut,
    ImportedOut,
    ItemIn,
    NewStudy,
    ResultsOut,
    SessionOut,
    StudyChange,
    StudyDetail,
    StudyOut,
)
from listening.web.views.exports import export_file

router = Router(by_alias=True, tags=["studies"])

#: Fields of `NewStudy` and `StudyChange` that are not settings.
_CONTENTS = frozenset(
    {"name", "method", "clips", "items", "systems", "training_clip", "seed", "open_when_ready",
     "discard_trial_runs"}
)  # fmt: skip

StatusName = Annotated[str, OneOf(Study.Status.values)]
MethodName = Annotated[str, OneOf(METHODS)]
YesOrNo = Annotated[str, OneOf(("", "yes", "no"))]

_ARCHIVE_BODY = multipart_body(file_field("archive.zip of a study"))


def _owner(request: HttpRequest) -> Any:
    return viewer(request)


def _describe(study: Study) -> Context:
    """A counted study (`selectors.study_of`) as `StudyOut` shows it."""
    return {
        "id": study.pk,
        "name": study.name,
        "method": study.method,
        "status": study.status,
        "error": translate_note(study.error),
        "systems": study.systems,
        "listener_url": selectors.listener_url(study),
        "sessions_started": study.started_count,  # type: ignore[attr-defined]
        "sessions_waiting": study.waiting_count,  # type: ignore[attr-defined]
        "sessions_finished": study.finished_count,  # type: ignore[attr-defined]
        "role": described_role(study),
        "owner": study.owner.get_username(),
        "archived": study.archived,
        "created": study.created,
    }


def _describe_in_full(study: Study) -> Context:
    own = {name: plain(getattr(study, name)) for name in StudyDetail.model_fields if hasattr(study, name)}
    items = study.items.order_by("position")
    return {
        **own,
        **_describe(study),
        "items": [
            {
                "position": item.position,
                "title": item.title,
                "clip": item.clip_id,
                "start": item.start,
                "end": item.end,
                "training": item.training,
            }
            for item in items.select_related("clip")
        ],
    }


def _excerpts(request: HttpRequest, items: list[ItemIn], study: Study | None = None) -> list[Excerpt]:
    found = selectors.clips_by_id(_owner(request), [item.clip for item in items], study)
    return [Excerpt(found[row.clip], row.start, row.end, row.training, row.name) for row in items]


@router.post("/studies", response={201: StudyDetail, 400: Problem}, summary="Create a study")
def create_study(request: HttpRequest, new: NewStudy) -> Status[Context]:
    """Use whole `clips`, or `items`. The stimuli are rendered in the background."""
    owner = _owner(request)
    found = selectors.clips_by_id(owner, [*new.clips, *([new.training_clip] if new.training_clip else [])])
    given = new.dict(exclude=_CONTENTS, exclude_none=True)
    options, texts, design = (given.pop(name, None) for name in ("method_options", "texts", "design"))
    sample_rate, channels = given.pop("sample_rate", None), given.pop("channels", None)
    values = check_settings(given)
    with transaction.atomic():
        study = studies.create_study(
            owner,
            new.name,
            [found[clip_id] for clip_id in new.clips],
            new.systems,
            method=new.method,
            options=options,
            texts=texts,
            sample_rate=sample_rate,
            channels=channels,
            design=design,
            seed=new.seed,
            training_clip=found[new.training_clip] if new.training_clip else None,
            excerpts=_excerpts(request, new.items) if new.items else None,
            open_when_ready=new.open_when_ready,
        )
        _store(request, study, values)
    return Status(201, _describe_in_full(study_for(request, study.pk, counted=True)))


def _store(request: HttpRequest, study: Study, values: Context, **contents: Any) -> None:
    try:
        for name, value in values.items():
            setattr(study, name, value)
    except BadColumn as error:
        raise StudyError(str(error), fields=error.fields) from None
    update_study(study, values, by=_owner(request), **contents)


@router.get("/studies", response=list[StudyOut], summary="Your studies, and those shared with you")
@paginate(ApiPagination)
def list_studies(
    request: HttpRequest,
    search: str = "",
    status: StatusName | None = None,
    method: MethodName | None = None,
    archived: YesOrNo = "",
) -> Described:
    """Filter by `search` in the name, by status and by method; `archived=yes`: those that were archived."""
    rows = selectors.find_studies(_owner(request), search, archived=archived == "yes")
    rows = rows.filter(status=status) if status else rows
    return Described(rows.filter(method=method) if method else rows, _describe)


@router.post(
    "/studies/import",
    response={201: ImportedOut, 400: Problem, 413: Problem, 422: Problem},
    openapi_extra=_ARCHIVE_BODY,
    summary="Import a study from an archive",
)
def import_study(request: HttpRequest) -> Status[Context]:
    """The archive comes from ``/studies/{id}/files/archive.zip`` of this or another server."""
    check_length(request, settings.ARCHIVE_MAX_BYTES)
    check_form(request)
    file = request.FILES.get("file")
    if file is None:
        raise FileMissing
    imported = read_archive(file, _owner(request))
    study = study_for(request, imported.study.pk, counted=True)
    return Status(201, {"study": _describe(study), "notes": imported.notes})


@router.get(
    "/studies/{uuid:study_id}", response=StudyDetail, summary="A study, its settings and its progress"
)
def get_study(request: HttpRequest, study_id: UUID) -> Context:
    return _describe_in_full(study_for(request, study_id, counted=True))


@router.patch("/studies/{uuid:study_id}", response={200: StudyDetail, 400: Problem}, summary="Change a study")
def change_study(request: HttpRequest, study_id: UUID, change: StudyChange) -> Context:
    """Only submitted fields change; null clears a limit or date. Real sessions lock the contents."""
    study = study_for(request, study_id)
    values = check_settings(change.dict(exclude=_CONTENTS, exclude_unset=True))
    values |= {
        name: getattr(change, name) for name in ("name", "systems") if getattr(change, name) is not None
    }
    _store(
        request,
        study,
        values,
        excerpts=None if change.items is None else _excerpts(request, change.items, study),
        discard_trial_runs=change.discard_trial_runs,
    )
    return _describe_in_full(study_for(request, study_id, counted=True))


@router.delete("/studies/{uuid:study_id}", response={204: None}, summary="Delete a study with all its grades")
def delete_study(request: HttpRequest, study_id: UUID) -> Status[None]:
    studies.delete_study(study_for(request, study_id, Role.OWNER))
    return Status(204, None)


@router.post(
    "/studies/{uuid:study_id}/duplicate",
    response={201: StudyDetail, 400: Problem},
    summary="Make a new study of the same contents and settings",
)
def duplicate_study(request: HttpRequest, study_id: UUID, new: Copy | None = None) -> Status[Context]:
    """Dates, listeners and grades stay behind; the copy waits to be opened."""
    study = study_for(request, study_id)
    made = studies.duplicate_study(study, new.name if new else "", owner=_owner(request))
    return Status(201, _describe_in_full(study_for(request, made.pk, counted=True)))


def _offer_action(name: str, act: Callable[[Study], None], summary: str, least: Role = Role.EDITOR) -> None:
    """Add an endpoint that changes a study's state, for who has at least that role on it."""

    @router.post(
        f"/studies/{{uuid:study_id}}/{name}",
        response=StudyOut,
        summary=summary,
        operation_id=f"{name.replace('-', '_')}_study",
    )
    def view(request: HttpRequest, study_id: UUID) -> Context:
        act(study_for(request, study_id, least))
        return _describe(study_for(request, study_id, counted=True))


_offer_action("open", open_study, "Open a study to listeners")
_offer_action("close", close_study, "Stop accepting listeners and grades")
_offer_action("reopen", reopen_study, "Reopen a closed study")
_offer_action(
    "pilot", lambda study: open_study(study, pilot=True), "Start a pilot, whose sessions are kept apart"
)
_offer_action("end-pilot", end_pilot, "End the pilot")
_offer_action("archive", archive_study, "Put a study away that is not open: no list shows it", Role.OWNER)
_offer_action("restore", restore_study, "Show an archived study in lists again", Role.OWNER)
_offer_action("retry", retry_preparing, "Retry failed rendering")


# -- Sessions


@router.get(
    "/studies/{uuid:study_id}/sessions",
    response=list[SessionOut],
    summary="The sessions of a study, newest first",
)
@paginate(ApiPagination)
def list_sessions(
    request: HttpRequest, study_id: UUID, kind: str = "real", finished: bool | None = None
) -> Described:
    """Sessions of one kind (real, pilot or simulated) whose listener has begun grading."""
    study = study_for(request, study_id)
    rows = study.sessions.filter(kind__in=check_kind(kind)).filter(Session.GRADING)
    if finished is not None:
        rows = rows.filter(finished__isnull=not finished)
    return Described(_with_counts(rows), _describe_session)


def _with_counts(sessions: QuerySet[Session]) -> QuerySet[Session]:
    done = Count("trials", filter=Q(trials__finished__isnull=False))
    counted = sessions.annotate(trial_count=Count("trials"), finished_count=done)
    return counted.select_related("assessor").order_by("-number")


def _describe_session(session: Any) -> Context:
    return {
        "id": session.pk,
        "number": session.number,
        "kind": session.kind,
        "assessor": session.assessor.code,
        "started": session.instructed,
        "finished": session.finished,
        "trials": session.trial_count,
        "trials_finished": session.finished_count,
        "completion_code": session.completion_code,
    }


@router.delete(
    "/studies/{uuid:study_id}/sessions/{uuid:session_id}",
    response=DeletionOut,
    summary="Delete all data of a session; a record of the deletion stays",
)
def delete_session(request: HttpRequest, study_id: UUID, session_id: UUID, reason: str = "") -> Deletion:
    study = study_for(request, study_id)
    return removal.delete_session(get_object_or_404(study.sessions, pk=session_id), reason)


# -- Results


def _unsealed_study(request: HttpRequest, study_id: UUID, least: Role | None = None) -> Study:
    """The study, unless it is sealed."""
    study = study_for(request, study_id, least)
    check_unsealed(study)
    return study


@router.get("/studies/{uuid:study_id}/results", response=ResultsOut, summary="The results of a study")
def get_results(request: HttpRequest, study_id: UUID, profile: str = BS1534, kind: str = "real") -> Context:
    """Statistics per system of a MUSHRA study, after a screening profile."""
    study = _unsealed_study(request, study_id)
    check_view(study, kind, profile)
    found = compute(study, kind=kind, profile=profile)
    return {
        "answer": found.answer,
        "kind": kind,
        "profile": profile,
        "listeners": found.listeners,
        "items": found.items,
        "excluded": [{"assessor": str(row.assessor), "reason": row.reason} for row in found.excluded],
        "systems": [_describe_system(row) for row in found.systems],
        "warnings": [*study.imported.consequences, *found.warnings],
    }


def _describe_system(row: Any) -> Context:
    return {
        **{name: getattr(row, name) for name in _SYSTEM},
        "kbps": row.objective.kbps,
        "objective": dict(row.objective.scores),
        "objective_items": dict(row.objective.counts),
    }


_SYSTEM = ("slug", "title", "n", "listeners", "mean", "ci95", "low", "high", "median", "q1", "q3", "iqr")


@router.get(
    "/studies/{uuid:study_id}/files/{name}", response={202: MadeFileOut}, summary="A file of the study"
)
def get_file(
    request: HttpRequest, study_id: UUID, name: str, kind: str = "real", personal: YesOrNo = ""
) -> HttpResponseBase | Status[Context]:
    """study.json, ratings.csv, ratings.parquet, events.csv, files of the study's method, and archive.zip.

    A worker makes archive.zip, and the others of studies with more than 5000 trials, grades, answers or
    events: the answer is 202, and says where the file will be.
    """
    wanted = personal == "yes"
    study = _unsealed_study(request, study_id, reader_of_grades(personal=wanted))
    check_kind(kind)
    return _answer_file(request, study, name, kind, personal=wanted)


def _answer_file(
    request: HttpRequest, study: Study, name: str, kind: str = "real", *, personal: bool = False
) -> HttpResponseBase | Status[Context]:
    found = export_file(_owner(request), study, name, kind, personal=personal)
    return answer_made(found) if isinstance(found, MadeFile) else found


@router.get(
    "/studies/{uuid:study_id}/ratings.csv",
    response={202: MadeFileOut},
    summary="All grades, one per row",
)
def get_ratings(request: HttpRequest, study_id: UUID) -> HttpResponseBase | Status[Context]:
    """As `/files/ratings.csv`: a worker makes that of a large study."""
    return _answer_file(request, _unsealed_study(request, study_id), "ratings.csv")


@router.get(
    "/studies/{uuid:study_id}/mushra.csv",
    response={202: MadeFileOut},
    summary="The grades in webMUSHRA's format",
)
def get_mushra(request: HttpRequest, study_id: UUID) -> HttpResponseBase | Status[Context]:
    """As `/files/mushra.csv`: a worker makes that of a large study."""
    return _answer_file(request, _unsealed_study(request, study_id), "mushra.csv")
