"""Who asks, when a script asks: the bearer token in place of the session cookie, and signing in again.
What every answer tells the browser that it may do, its language, and how refusals are answered."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from evaluation.refusals import Refusal
from evaluation.web.refusals import PROBLEM, answer_problem, answer_refusal, render_refusal, wants_json
from listening.study.languages import of_link
from listening.web import accounts, security
from listening.web.views.errors import BY_STATUS, NOT_UNDERSTOOD

#: Where listeners are: the link of a study or of a session. Sounds say nothing in any language.
_LISTENERS = re.compile(r"/(?P<kind>[st])/(?P<token>[^/]+)/(?!.*\.wav$)")


class SecurityHeadersMiddleware:
    """The Content-Security-Policy and its neighbours, on pages, errors and static files alike."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", security.policy_of(response))
        for name, value in security.HEADERS.items():
            response.headers.setdefault(name, value)
        return response


class StudyLanguageMiddleware:
    """Let all that a listener meets speak the study's language: pages, refusals and error pages alike.

    It goes by the address, so that the language is in force before any view or middleware refuses anything.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        found = _LISTENERS.match(request.path_info)
        if found is None:
            return self.get_response(request)
        request.refusal_template = "listening/session/refused.html"  # type: ignore[attr-defined]
        with of_link(found["kind"] == "s", found["token"]):
            return self.get_response(request)


class RefusalMiddleware:
    """Answer a `Refusal` that ended a view; and give programs a problem (RFC 9457) for every other error."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

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
        if response.status_code == 416:  # a part of a file that is not there: its headers say all
            return response
        kept = {
            name: response[name] for name in ("Allow", "Retry-After", "WWW-Authenticate") if name in response
        }
        detail = BY_STATUS.get(response.status_code, NOT_UNDERSTOOD)
        return answer_problem(request, response.status_code, detail, headers=kept)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return answer_refusal(request, exception) if isinstance(exception, Refusal) else None


class BearerTokenMiddleware:
    """Set ``request.user`` from ``Authorization: Bearer``: what the API links to opens with the same token.

    A token that is not known changes nothing here; the API answers it with 401. CSRF checks stay
    as they are: the API asks for the token itself and never looks at cookies, pages always check.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (user := accounts.user_of_token(token.strip())):
            request.user = user
        return self.get_response(request)


class FragmentSignInMiddleware:
    """Reload the page whose htmx fragment needs signing in: it would show the sign-in page inside itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        signin = resolve_url(settings.LOGIN_URL)
        if "HX-Request" in request.headers and response.get("Location", "").startswith(signin):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return response
