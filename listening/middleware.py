"""Who asks, when a script asks: the bearer token in place of the session cookie."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from listening import accounts


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
