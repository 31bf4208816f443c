"""The API: clips from `evaluation`, studies and ratings from here. It describes itself at ``/api/docs``."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.security import HttpBearer
from ninja.throttling import AuthRateThrottle

import codec
from evaluation.web.api import router as evaluation_router
from listening.interchange.archive.fields import ArchiveProblem
from listening.study.errors import StudyError
from listening.web import accounts, throttling
from listening.web.api import findings, imports
from listening.web.api.studies import router
from listening.web.security import address_of
from listening.web.views.errors import NOT_FOUND


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
    # Counted by each web process for itself: enough to stop a script that runs wild.
    throttle=[AuthRateThrottle("1200/m")],
)


@api.exception_handler(StudyError)
@api.exception_handler(ArchiveProblem)
def refuse(request: HttpRequest, error: Exception) -> HttpResponse:
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
            if part not in ("body", "query", "path", "new", "change", "form", "file")
        ]
        detail.append({"field": ".".join(where), "message": problem["msg"]})
    line = "; ".join(
        f"{row['field']}: {row['message']}" if row["field"] else row["message"] for row in detail
    )
    return api.create_response(request, {"error": line, "detail": detail}, status=422)


api.add_router("", evaluation_router)
api.add_router("", router)
api.add_router("", findings.router)
api.add_router("", imports.router)
