"""How a refusal is answered: people get a page or the part of one, programs a problem (RFC 9457)."""

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
    """Whether a program asks: the API, or a page's script."""
    return (
        request.path_info.startswith("/api/")
        or hasattr(getattr(request.resolver_match, "func", None), "answers_json")
        or request.content_type == "application/json"
        or not request.accepts("text/html")
    )


def answers_json(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Mark a view that only scripts ask: whatever they send, they are answered with JSON."""
    view.answers_json = True  # type: ignore[attr-defined]
    return view


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of a page."""
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
        request: that is refused.
        status: of the answer.
        detail: for the person behind the program.
        fields: messages by path; the problem has them as ``errors``, rows of ``path`` and ``message``.
        headers: of the answer.
        more: extension members.
    """
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": str(detail),
    }
    if fields:
        problem["errors"] = [{"path": path, "message": str(message)} for path, message in fields.items()]
    if not request.path_info.startswith("/api/"):
        problem["error"] = problem["detail"]  # what the scripts of our own pages read
    return JsonResponse(problem | more, status=status, content_type=PROBLEM, headers=dict(headers or {}))


def answer_refusal(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The answer to a request that `refusal` ended, in the language in force."""
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
    """A page, or the part of one that htmx asked for, with nothing but a message."""
    context = {"title": title, "message": message}
    if not is_fragment(request):
        # A middleware may have said that those who ask here know a page of their own.
        template = getattr(request, "refusal_template", "refusal.html")
        return render(request, template, context, status=status)
    response = render(request, "_refusal.html", context, status=status)
    # Not where the part would have gone: that may be a row of a table, and what it shows is still true.
    response["HX-Retarget"] = response["HX-Reselect"] = "#refusal"
    response["HX-Reswap"] = "outerHTML"
    return response


@contextmanager
def show_refusals_on(page: Callable[[Refusal], HttpResponse]) -> Iterator[None]:
    """Whatever is refused within it appears on `page`, which renders it with the refusal's status."""
    try:
        yield
    except Refusal as refusal:
        refusal.page = refusal.page or page
        raise


def redirect_refusals(request: HttpRequest, to: Any, *where: Any, **named: Any) -> Any:
    """Whatever is refused within it sends the browser back to `to`, as `redirect` takes it."""

    def back(refusal: Refusal) -> HttpResponse:
        messages.error(request, str(refusal))
        response: HttpResponse = redirect(to, *where, **named)
        return response

    return show_refusals_on(back)


def add_to_form(form: BaseForm, refusal: Refusal) -> None:
    """Show a refusal at the fields of `form` that it names, or at the form where it names none."""
    placed = False
    for path, message in refusal.fields.items():
        name = path.split(".", 1)[0]
        form.add_error(name if name in form.fields else None, str(message))
        placed = True
    if not placed:
        form.add_error(None, str(refusal))
