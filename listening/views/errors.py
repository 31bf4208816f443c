"""What addresses answer that lead nowhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

#: To programs; what belongs to someone else looks as if it did not exist.
NOT_FOUND = "There is nothing here, or it belongs to someone else."


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A page for people, JSON for the API's callers: they get here by a mistyped path or id."""
    if request.path.startswith("/api/"):
        return JsonResponse({"error": NOT_FOUND}, status=404)
    return defaults.page_not_found(request, exception)
