"""What is answered instead of an answer: to people a page, to programs JSON in the same words."""

from __future__ import annotations

import math

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import defaults

#: To programs; what belongs to someone else looks as if it did not exist.
NOT_FOUND = "There is nothing here, or it belongs to someone else."


def wants_json(request: HttpRequest) -> bool:
    """Whether a program asks: the API, or a page's script that sends JSON."""
    return request.path.startswith("/api/") or request.content_type == "application/json"


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A page for people, JSON for programs: they get here by a mistyped path or id."""
    if wants_json(request):
        return JsonResponse({"error": NOT_FOUND}, status=404)
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"error": "This request cannot be understood. Nothing was changed."}, status=400)
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"error": "This is not allowed."}, status=403)
    return defaults.permission_denied(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"error": "Something went wrong here. It has been logged."}, status=500)
    return defaults.server_error(request)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if wants_json(request):
        message = _(
            "This page has been open for too long, or cookies are blocked. Reload it; nothing is lost."
        )
        return JsonResponse({"error": message}, status=403)
    return render(request, "403_csrf.html", status=403)


def too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    """429: try again in `seconds`."""
    minutes = max(1, math.ceil(seconds / 60))
    if wants_json(request):
        message = f"Too many requests. Try again in {seconds} s."
        response: HttpResponse = JsonResponse({"error": message}, status=429)
    else:
        response = render(request, "429.html", {"minutes": minutes}, status=429)
    response["Retry-After"] = str(seconds)
    return response
