"""Small rules of HTTP that several views, or who guards them, keep."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

#: Status of an answer that htmx takes like 200, and after which it does not ask again.
STOP_POLLING = 286
#: The parameter in which a page that polls sends the state that it shows, as its view words it.
SINCE = "since"


def is_safe(method: str | None) -> bool:
    """Whether requests by this method only read (RFC 9110, 9.2.1)."""
    return method in ("GET", "HEAD", "OPTIONS")


def answer_unchanged(request: HttpRequest, state: str) -> HttpResponse | None:
    """204, at which htmx leaves the page as it is, if the page that asks shows this `state` already."""
    return HttpResponse(status=204) if request.GET.get(SINCE) == state else None


def bearer_token(request: HttpRequest) -> str | None:
    """The token of ``Authorization: Bearer TOKEN``; None without such a header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
