"""The API: clips from `evaluation`, studies and ratings from here. Its documentation is at ``/api/docs``."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext_lazy as _
from ninja import NinjaAPI
from ninja.errors import HttpError, Throttled, ValidationError
from ninja.security import HttpBearer
from ninja.throttling import AuthRateThrottle

import codec
from evaluation.columns import message_of
from evaluation.refusals import Message, Refusal, Text
from evaluation.web.api import router as evaluation_router
from evaluation.web.refusals import answer_problem, answer_refusal
from evaluation.web.requests import BodyParser, note_operation, refuse_unknown_keys
from listening.web import throttling
from listening.web.api import demos, findings, imports, made_files, people
from listening.web.api.studies import router
from listening.web.security import address_of
from listening.web.views.errors import BY_STATUS, FORBIDDEN, NOT_FOUND, NOT_UNDERSTOOD, TOO_LARGE

#: Our messages for errors that ninja raises, by status.
_DETAILS: dict[int, Text] = {
    401: _("Send a token that this site knows: Authorization: Bearer TOKEN."),
    429: _("Too many requests. Try again later."),
}


#: So many characters tell one wrong token, in a script that repeats it, from another.
_PREFIX = 8


class BearerToken(HttpBearer):
    """``Authorization: Bearer <token>``, as the account's page and ``manage.py api_token`` make it."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        # What others try from the same address locks out nobody who has a token.
        if found := getattr(request, "api_token", None):  # of the middleware
            user: User = found.user
            return user
        address = address_of(request)
        tries = {
            throttling.API_TOKEN: f"{address} {token[:_PREFIX]}",
            throttling.API_TOKEN_ADDRESS: address,
        }
        throttling.check_limits(tries)
        for limit, identity in tries.items():
            throttling.count_try(limit, identity)
        return None


api = NinjaAPI(
    title="Earshot",
    version=codec.__version__,
    description=(
        "Upload speech, process it with every system, and run listening tests. "
        "[Examples in curl and Python for each task](/docs/api/)."
    ),
    auth=BearerToken(),
    parser=BodyParser(),
    # Each web process counts separately, which is enough to stop a runaway script.
    throttle=[AuthRateThrottle("1200/m")],
)


api.add_decorator(refuse_unknown_keys, mode="operation")
api.add_decorator(note_operation, mode="view")


@api.exception_handler(Refusal)
def refuse(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return answer_refusal(request, refusal)


@api.exception_handler(HttpError)
def refuse_request(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Answer a missing or invalid token, too many requests, or a body that is not JSON."""
    if isinstance(error.__cause__, Refusal):  # of what parses the body
        return answer_refusal(request, error.__cause__)
    headers = {}
    if error.status_code == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Throttled):
        headers["Retry-After"] = str(error.wait or 60)  # the limit is by the minute
    detail = _DETAILS.get(error.status_code) or BY_STATUS.get(error.status_code, NOT_UNDERSTOOD)
    return answer_problem(request, error.status_code, detail, headers=headers)


@api.exception_handler(Http404)
def refuse_unknown_address(request: HttpRequest, error: Http404) -> HttpResponse:
    return answer_problem(request, 404, NOT_FOUND)


@api.exception_handler(PermissionDenied)
def refuse_forbidden(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    return answer_problem(request, 403, FORBIDDEN)


@api.exception_handler(MultiPartParserError)
@api.exception_handler(SuspiciousOperation)
def refuse_body(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer a body that is too large or does not match its content type."""
    if isinstance(error, RequestDataTooBig):
        return answer_problem(request, 413, TOO_LARGE)
    detail = Message(_("The request is not valid multipart/form-data: %(error)s"), error=error)
    return answer_problem(request, 422, detail)


@api.exception_handler(ValidationError)
def refuse_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Answer an invalid request with one readable line and a message for each field."""
    fields: dict[str, Text] = {}
    for problem in error.errors:
        path = path_of(problem["loc"])
        message = message_of(problem)
        fields[path] = f"{fields[path]} {message}" if path in fields else message
    line = "; ".join(f"{path}: {message}" if path else str(message) for path, message in fields.items())
    return answer_problem(request, 422, line, fields)


def path_of(location: Sequence[str | int]) -> str:
    """The path of a field in the submitted data, from ninja's location of the error.

    The location starts with the part of the request and, for a body, the name of the function's argument.
    """
    parts = location[2:] if location[0] == "body" else location[1:]
    return ".".join(map(str, parts))


api.add_router("", evaluation_router)
api.add_router("", router)
api.add_router("", findings.router)
api.add_router("", imports.router)
api.add_router("", demos.router)
api.add_router("", made_files.router)
api.add_router("", people.router)
