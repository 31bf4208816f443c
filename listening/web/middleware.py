"""What surrounds the views.

Ids and counts of requests, security headers, the short way of grades, the language of listeners' pages,
refusals, units, bearer tokens and sign-in from fragments.
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from evaluation.analysis.words import keep_units
from evaluation.http import bearer_token
from evaluation.refusals import Refusal
from evaluation.tracing import REQUEST
from evaluation.web.refusals import PROBLEM, answer_problem, answer_refusal, render_refusal, wants_json
from listening.operations.counters import count_request, count_save
from listening.session.quick import save_answer
from listening.study.languages import use_link_language
from listening.web import accounts, audit, security
from listening.web.views.errors import BY_STATUS, NOT_UNDERSTOOD

#: Listeners' URLs: the links of studies and sessions, and everything below them.
_LISTENERS = re.compile(r"/(?P<kind>[st])/(?P<token>[^/]+)(?:/|$)")


#: The addresses to which trial pages send grades and choices.
_ANSWERS = re.compile(
    r"/s/(?P<token>[A-Za-z0-9_-]+)/trials/(?P<position>[0-9]{1,9})/(?P<what>ratings|choice)/"
)
#: They have a token of their own, and answer when there is no database to look for one.
_WATCHED = ("/healthz", "/readyz", "/metrics")
#: An id that a proxy gave a request; any other is replaced.
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
#: A line for each request but grades, where `settings.LOG_REQUESTS` asks for it.
_requests = logging.getLogger("earshot.requests")
#: A larger body is looked at by the view.
MAX_BYTES = 100_000
_STORED = {
    "Content-Type": "application/json",
    "Cache-Control": "max-age=0, no-cache, no-store, must-revalidate, private",
}


class _Middleware:
    """Base of the middleware here: it keeps `get_response`, which answers the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        raise NotImplementedError


class ObservingMiddleware(_Middleware):
    """Give each request an id, and count it and the seconds that it takes.

    The id is in `X-Request-ID` and in all lines logged meanwhile. A line of its own names the pattern of its
    address, never the address: listeners' and researchers' links are secrets.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        name = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        token = REQUEST.set(name)
        begun = time.perf_counter()
        try:
            response = self.get_response(request)
            seconds = time.perf_counter() - begun
            if request.method == "POST" and _ANSWERS.fullmatch(request.path_info):
                count_save(response.status_code, seconds)
            else:
                count_request(response.status_code, seconds)
                if settings.LOG_REQUESTS:
                    _log_request(request, response, seconds)
        finally:
            REQUEST.reset(token)
        response.headers["X-Request-ID"] = name
        return response


def _log_request(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    route = getattr(request.resolver_match, "route", "")
    milliseconds = round(1000 * seconds, 1)
    _requests.info(
        "%s /%s %s",
        request.method,
        route,
        response.status_code,
        extra={"route": route, "status": response.status_code, "milliseconds": milliseconds},
    )


class SecurityHeadersMiddleware(_Middleware):
    """Add the Content-Security-Policy and related headers to pages, errors and static files."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", security.policy_of(response))
        for name, value in security.HEADERS.items():
            response.headers.setdefault(name, value)
        return response


class HeadMiddleware(_Middleware):
    """Answer HEAD like GET, without the content: no view has to allow it."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_head = request.method == "HEAD"
        if is_head:
            request.method = "GET"
        response = self.get_response(request)
        if response.status_code == 405 and "Allow" in response:
            allowed = response["Allow"].split(", ")
            response["Allow"] = ", ".join(sorted({*allowed, *(("HEAD",) if "GET" in allowed else ())}))
        if not is_head:
            return response
        if response.streaming:
            response.streaming_content = ()  # type: ignore[attr-defined]
        else:
            response.headers.setdefault("Content-Length", str(len(response.content)))
            response.content = b""
        return response


class SavingMiddleware(_Middleware):
    """Store grades before any other middleware works: nothing here needs a cookie, a language or a user.

    What is not stored at once goes on to the views, which say why in the listener's language.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and (found := _ANSWERS.fullmatch(request.path_info)):
            token, position, chooses = found["token"], int(found["position"]), found["what"] == "choice"
            if request.content_type == "application/json" and _is_small(request):
                stored = save_answer(token, position, request.body, chooses=chooses)
                if stored is not None:
                    return HttpResponse(json.dumps(stored), headers=_STORED)
        return self.get_response(request)


def _is_small(request: HttpRequest) -> bool:
    length = request.META.get("CONTENT_LENGTH") or ""
    return length.isascii() and length.isdigit() and int(length) <= MAX_BYTES


class StudyLanguageMiddleware(_Middleware):
    """Answer listeners in the study's language: pages, refusals and error pages alike.

    The URL determines the language, so that it is active before any view or middleware refuses a request.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        found = _LISTENERS.match(request.path_info)
        if found is None:
            return self.get_response(request)
        request.refusal_template = "listening/session/refused.html"  # type: ignore[attr-defined]
        request.way_back = f"/{found['kind']}/{found['token']}/"  # type: ignore[attr-defined]
        wanted = request.GET.get("language", "")
        with use_link_language(found["kind"] == "s", found["token"], wanted):
            return self.get_response(request)


class RefusalMiddleware(_Middleware):
    """Answer a `Refusal` raised by a view, and convert other errors for programs to problems (RFC 9457)."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code < 400 or response.get("Content-Type") == PROBLEM:
            return response
        if request.path_info in _WATCHED:
            return response
        if not wants_json(request):
            if response.status_code != 405 or response.content:
                return response
            page = render_refusal(request, BY_STATUS[405], 405, Refusal.title)
            page["Allow"] = response["Allow"]
            return page
        if response.status_code == 416:  # a range outside the file: the headers are sufficient
            return response
        kept = {
            name: response[name] for name in ("Allow", "Retry-After", "WWW-Authenticate") if name in response
        }
        detail = BY_STATUS.get(response.status_code, NOT_UNDERSTOOD)
        return answer_problem(request, response.status_code, detail, headers=kept)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return answer_refusal(request, exception) if isinstance(exception, Refusal) else None


class UnitsMiddleware(_Middleware):
    """Keep every number of a page, or of a part of one, on a line with its unit."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.streaming or not response.get("Content-Type", "").startswith("text/html"):
            return response
        response.content = keep_units(response.content.decode(response.charset)).encode(response.charset)
        if "Content-Length" in response.headers:
            response.headers["Content-Length"] = str(len(response.content))
        return response


class BearerTokenMiddleware(_Middleware):
    """Set ``request.user`` from ``Authorization: Bearer``: URLs that the API returns accept its tokens.

    An unknown token has no effect here; the API answers it with 401. CSRF protection is unaffected: the API
    requires the token and ignores cookies, and pages always check.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info in _WATCHED:
            return self.get_response(request)
        token = bearer_token(request)
        if token is not None and (found := accounts.find_token(token)):
            request.user, request.api_token = found.user, found  # type: ignore[attr-defined]
            try:
                accounts.check_scope(found, request.method)
            except Refusal as refusal:
                return answer_refusal(request, refusal)
        return self.get_response(request)


class AuditMiddleware(_Middleware):
    """Note what was done to studies (`listening.web.audit`)."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        audit.note_acts(request, response.status_code)
        return response


class FragmentSignInMiddleware(_Middleware):
    """Reload a page whose htmx fragment requires sign-in; it would show the sign-in page inside itself."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        signin = resolve_url(settings.LOGIN_URL)
        if "HX-Request" in request.headers and response.get("Location", "").startswith(signin):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return response
