"""Security headers, the language of listeners' pages, refusals, bearer tokens and sign-in from fragments."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from evaluation.refusals import Refusal
from evaluation.web.refusals import PROBLEM, answer_problem, answer_refusal, render_refusal, wants_json
from listening.study.languages import use_link_language
from listening.web import accounts, security
from listening.web.views.errors import BY_STATUS, NOT_UNDERSTOOD

#: Listeners' URLs: the links of studies and sessions, except for sounds, which need no language.
_LISTENERS = re.compile(r"/(?P<kind>[st])/(?P<token>[^/]+)/(?!.*\.wav$)")


class _Middleware:
    """Base of the middleware here: it keeps `get_response`, which answers the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        raise NotImplementedError


class SecurityHeadersMiddleware(_Middleware):
    """Add the Content-Security-Policy and related headers to pages, errors and static files."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", security.policy_of(response))
        for name, value in security.HEADERS.items():
            response.headers.setdefault(name, value)
        return response


class StudyLanguageMiddleware(_Middleware):
    """Answer listeners in the study's language: pages, refusals and error pages alike.

    The URL determines the language, so that it is active before any view or middleware refuses a request.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        found = _LISTENERS.match(request.path_info)
        if found is None:
            return self.get_response(request)
        request.refusal_template = "listening/session/refused.html"  # type: ignore[attr-defined]
        with use_link_language(found["kind"] == "s", found["token"]):
            return self.get_response(request)


class RefusalMiddleware(_Middleware):
    """Answer a `Refusal` raised by a view, and convert other errors for programs to problems (RFC 9457)."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code < 400 or response.get("Content-Type") == PROBLEM:
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


class BearerTokenMiddleware(_Middleware):
    """Set ``request.user`` from ``Authorization: Bearer``: URLs that the API returns accept its tokens.

    An unknown token has no effect here; the API answers it with 401. CSRF protection is unaffected: the API
    requires the token and ignores cookies, and pages always check.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (user := accounts.user_of_token(token.strip())):
            request.user = user
        return self.get_response(request)


class FragmentSignInMiddleware(_Middleware):
    """Reload a page whose htmx fragment requires sign-in; it would show the sign-in page inside itself."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        signin = resolve_url(settings.LOGIN_URL)
        if "HX-Request" in request.headers and response.get("Location", "").startswith(signin):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return response
