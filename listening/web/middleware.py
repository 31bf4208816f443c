"""Who asks, when a script asks: the bearer token in place of the session cookie, and signing in again.
And what every answer tells the browser that it may do."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from listening.web import accounts, security


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
