"""Responses to refusals: people get a page or a page fragment, programs a problem (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from evaluation.refusals import Refusal, Text

#: The media type of problems.
PROBLEM = "application/problem+json"


def wants_json(request: HttpRequest) -> bool:
    """Whether the request comes from a program: a client of the API, or a page's script."""
    return (
        request.path_info.startswith("/api/")
        or hasattr(getattr(request.resolver_match, "func", None), "answers_json")
        or request.content_type == "application/json"
        or not request.accepts("text/html")
    )


def answers_json(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Mark a view that only scripts request, so that its refusals are JSON."""
    view.answers_json = True  # type: ignore[attr-defined]
    return view


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx requests a page fragment."""
    return "HX-Request" in request.headers


def answer_problem(
    request: HttpRequest,
    status: int,
    detail: Text,
    fields: Mapping[str, Text] | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> HttpResponse:
    """A problem as RFC 9457 writes it.

    Args:
        request: the refused request.
        status: HTTP status.
        detail: message for the program's user.
        fields: messages by path; the problem has them as ``errors``, rows of ``path`` and ``message``.
        headers: HTTP headers.
        more: extension members.
    """
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": str(detail),
    }
    if fields:
        problem["errors"] = [{"path": path, "message": str(message)} for path, message in fields.items()]
    if not request.path_info.startswith("/api/"):
        problem["error"] = problem["detail"]  # the key that our own pages' scripts read
    return JsonResponse(problem | more, status=status, content_type=PROBLEM, headers=dict(headers or {}))


def mark_refused(request: HttpRequest) -> None:
    """Note that nothing was done: the status does not say so if a redirect takes the message to a page."""
    request.refused = True  # type: ignore[attr-defined]


def was_refused(request: HttpRequest) -> bool:
    """Whether `mark_refused` was called for the request."""
    return bool(getattr(request, "refused", False))


def answer_refusal(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The response to a request that `refusal` ended, in the current language."""
    mark_refused(request)
    if wants_json(request):
        return answer_problem(
            request, refusal.status, refusal, refusal.fields, refusal.headers, **refusal.more
        )
    if refusal.page is not None and not is_fragment(request):
        response: HttpResponse = refusal.page(refusal)
    else:
        response = render_refusal(request, refusal, refusal.status, refusal.title)
    for name, value in refusal.headers.items():
        response[name] = value
    return response


def render_refusal(request: HttpRequest, message: Text, status: int, title: Text) -> HttpResponse:
    """Render a page, or a fragment for htmx, that shows only the message."""
    context = {"title": title, "message": message, "status": status}
    if not is_fragment(request):
        # A middleware may have set a template, for listeners' pages.
        template = getattr(request, "refusal_template", "refusal.html")
        return render(request, template, context, status=status)
    response = render(request, "_refusal.html", context, status=status)
    # Do not replace the fragment's target: it may be a table row whose content is still true.
    response["HX-Retarget"] = response["HX-Reselect"] = "#refusal"
    response["HX-Reswap"] = "outerHTML"
    return response


@contextmanager
def show_refusals_on(page: Callable[[Refusal], HttpResponse]) -> Iterator[None]:
    """Show refusals raised in the block on `page`, which renders them with the refusal's status."""
    try:
        yield
    except Refusal as refusal:
        refusal.page = refusal.page or page
        raise


def redirect_refusals(request: HttpRequest, to: Any, *where: Any, **named: Any) -> Any:
    """Answer refusals raised in the block with a redirect to `to`, an argument of `redirect`."""

    def back(refusal: Refusal) -> HttpResponse:
        messages.error(request, str(refusal))
        response: HttpResponse = redirect(to, *where, **named)
        return response

    return show_refusals_on(back)


def add_to_form(form: BaseForm, refusal: Refusal) -> None:
    """Add a refusal to the fields of `form` that it names, or to the form if it names none."""
    placed = False
    for path, message in refusal.fields.items():
        name = path.split(".", 1)[0]
        form.add_error(name if name in form.fields else None, str(message))
        placed = True
    if not placed:
        form.add_error(None, str(refusal))
