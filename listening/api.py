"""The API: clips from `evaluation`, studies and ratings from here. It describes itself at ``/api/docs``."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Router, Schema, Status
from ninja.errors import HttpError, ValidationError
from ninja.security import HttpBearer
from pydantic import Field

import codec
from evaluation.api import router as evaluation_router
from listening import accounts, exports, selectors, services, throttling
from listening.models import Study
from listening.security import address_of
from listening.views.errors import NOT_FOUND


class BearerToken(HttpBearer):
    """``Authorization: Bearer <token>``, as printed by ``manage.py api_token``."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        address = address_of(request)
        if throttling.wait_for(throttling.API_TOKEN, address):
            raise HttpError(429, "Too many wrong tokens came from here. Try again in ten minutes.")
        user = accounts.user_of_token(token)
        if user is None:
            throttling.count(throttling.API_TOKEN, address)
        return user


api = NinjaAPI(
    title="Earshot",
    version=codec.__version__,
    description="Upload speech, have every system process it, and test it with listeners.",
    auth=BearerToken(),
)
router = Router(tags=["studies"])


class Problem(Schema):
    error: str


class NewStudy(Schema):
    name: str = Field(max_length=200)
    clips: list[UUID] = Field(min_length=1, description="ids of processed clips, in the order of the study")
    systems: list[str] = Field(
        min_length=1, description="slugs under test; original, anchor35 and anchor70 are always added"
    )
    training_clip: UUID | None = Field(None, description="heard first, for training; default: the first clip")
    texts: dict[str, str] = Field(default_factory=dict, description="consent, instructions, thanks")
    seed: int | None = Field(
        None, ge=0, lt=2**53, description="every order follows from it; default: a random one"
    )


class StudyOut(Schema):
    id: UUID
    name: str
    status: str
    error: str
    systems: list[str]
    listener_url: str
    sessions_started: int
    sessions_finished: int
    created: datetime


def _describe(study: Study) -> dict[str, Any]:
    """A study from `selectors.studies_of` as `StudyOut` shows it."""
    return {
        "id": study.pk,
        "name": study.name,
        "status": study.status,
        "error": study.error,
        "systems": study.systems,
        "listener_url": selectors.listener_url(study),
        "sessions_started": study.started_count,  # type: ignore[attr-defined]
        "sessions_finished": study.finished_count,  # type: ignore[attr-defined]
        "created": study.created,
    }


@router.post("/studies", response={201: StudyOut, 400: Problem}, summary="Make a MUSHRA study")
def create_study(request: HttpRequest, new: NewStudy) -> Status[dict[str, Any]]:
    owner = request.auth  # type: ignore[attr-defined]
    found = selectors.clips_by_id(owner, [*new.clips, *([new.training_clip] if new.training_clip else [])])
    study = services.create_study(
        owner,
        new.name,
        [found[clip_id] for clip_id in new.clips],
        new.systems,
        texts=new.texts,
        seed=new.seed,
        training_clip=found[new.training_clip] if new.training_clip else None,
    )
    return Status(201, _describe(selectors.studies_of(owner).get(pk=study.pk)))


@router.get("/studies", response=list[StudyOut], summary="Your studies, newest first")
def list_studies(request: HttpRequest) -> list[dict[str, Any]]:
    return [_describe(study) for study in selectors.studies_of(request.auth)]  # type: ignore[attr-defined]


@router.get("/studies/{uuid:study_id}", response=StudyOut, summary="A study and how far it is")
def get_study(request: HttpRequest, study_id: UUID) -> dict[str, Any]:
    study = selectors.study_of(request.auth, study_id)  # type: ignore[attr-defined]
    return _describe(study)


@router.get("/studies/{uuid:study_id}/ratings.csv", summary="Every grade, one row each")
def get_ratings(request: HttpRequest, study_id: UUID) -> HttpResponse:
    study = selectors.study_of(request.auth, study_id)  # type: ignore[attr-defined]
    return exports.csv_response(exports.ratings_rows(study), f"ratings-{study.pk}.csv")


@router.get("/studies/{uuid:study_id}/mushra.csv", summary="The grades as webMUSHRA writes them")
def get_mushra(request: HttpRequest, study_id: UUID) -> HttpResponse:
    study = selectors.study_of(request.auth, study_id)  # type: ignore[attr-defined]
    return exports.csv_response(exports.mushra_rows(study), f"mushra-{study.pk}.csv")


@api.exception_handler(services.StudyError)
def refuse(request: HttpRequest, error: services.StudyError) -> HttpResponse:
    return api.create_response(request, {"error": str(error)}, status=400)


@api.exception_handler(HttpError)
def refuse_request(request: HttpRequest, error: HttpError) -> HttpResponse:
    """No token, a wrong one, or a body that is no JSON: in the same words as everything else."""
    return api.create_response(request, {"error": str(error)}, status=error.status_code)


@api.exception_handler(Http404)
def refuse_unknown(request: HttpRequest, error: Http404) -> HttpResponse:
    return api.create_response(request, {"error": NOT_FOUND}, status=404)


@api.exception_handler(ValidationError)
def explain(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """What is wrong with the request, in one readable line and field by field."""
    detail = []
    for problem in error.errors:
        where = [
            str(part)
            for part in problem["loc"]
            if part not in ("body", "query", "path", "new", "form", "file")
        ]
        detail.append({"field": ".".join(where), "message": problem["msg"]})
    line = "; ".join(
        f"{row['field']}: {row['message']}" if row["field"] else row["message"] for row in detail
    )
    return api.create_response(request, {"error": line, "detail": detail}, status=422)


api.add_router("", evaluation_router)
api.add_router("", router)
