"""Error responses: a page for people, a problem (RFC 9457) with the same message for programs."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views import defaults

from evaluation.refusals import Refusal, Text
from evaluation.web.refusals import answer_problem, is_fragment, render_refusal, wants_json

#: The same message for missing objects and for those of other users.
NOT_FOUND = _("There is nothing here, or it belongs to someone else.")
NOT_UNDERSTOOD = _("This request cannot be understood. Nothing was changed.")
TOO_LARGE = _("This is too much for one request.")
FORBIDDEN = _("This is not allowed.")
BROKEN = _("Something went wrong here. It has been logged.")
BROKEN_TITLE = _("Something went wrong")
CSRF_FAILED = _("This page has been open for too long, or cookies are blocked. Reload it; nothing is lost.")

#: Messages for programs by status, if there is no better one.
BY_STATUS: dict[int, Text] = {
    400: NOT_UNDERSTOOD,
    403: FORBIDDEN,
    404: NOT_FOUND,
    405: _("This address does not take such a request."),
    413: TOO_LARGE,
    500: BROKEN,
}


def _answer(
    request: HttpRequest,
    status: int,
    message: Text,
    page: Callable[[], HttpResponse],
    title: Text = Refusal.title,
) -> HttpResponse:
    if wants_json(request):
        return answer_problem(request, status, message)
    if is_fragment(request) or hasattr(request, "refusal_template"):
        return render_refusal(request, message, status, title)
    return page()


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a mistyped path or id."""
    return _answer(request, 404, NOT_FOUND, lambda: defaults.page_not_found(request, exception))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return _answer(
            request, 413, TOO_LARGE, lambda: _with_status(defaults.bad_request(request, exception), 413)
        )
    return _answer(request, 400, NOT_UNDERSTOOD, lambda: defaults.bad_request(request, exception))


def _with_status(response: HttpResponse, status: int) -> HttpResponse:
    response.status_code = status
    return response


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, FORBIDDEN, lambda: defaults.permission_denied(request, exception))


def server_error(request: HttpRequest) -> HttpResponse:
    return _answer(request, 500, BROKEN, lambda: defaults.server_error(request), BROKEN_TITLE)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(request, 403, CSRF_FAILED, lambda: render(request, "403_csrf.html", status=403))
