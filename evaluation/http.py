"""Small rules of HTTP that several views, or who guards them, keep."""

from __future__ import annotations

from django.http import HttpRequest

#: Status of an answer that htmx takes like 200, and after which it does not ask again.
STOP_POLLING = 286


def is_safe(method: str | None) -> bool:
    """Whether requests by this method only read (RFC 9110, 9.2.1)."""
    return method in ("GET", "HEAD", "OPTIONS")


def bearer_token(request: HttpRequest) -> str | None:
    """The token of ``Authorization: Bearer TOKEN``; None without such a header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
