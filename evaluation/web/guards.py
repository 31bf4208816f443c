"""Who may open a researcher's page, and by which verbs of HTTP: decorators of views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from evaluation.refusals import Refusal
from evaluation.web.refusals import is_fragment, wants_json

ViewT = TypeVar("ViewT", bound=Callable[..., HttpResponseBase])


def researcher_page(view: ViewT) -> ViewT:
    """A page that only shows something, to whoever is signed in, and that no cache keeps."""
    return login_required(never_cache(require_GET(view)))


def researcher_form(view: ViewT) -> ViewT:
    """A page with a form that is sent to its own address."""
    return login_required(never_cache(require_http_methods(["GET", "POST"])(view)))


def action(view: ViewT) -> ViewT:
    """What a button does, for everybody. Whoever opens its address comes to the page that has the button."""
    act = require_POST(view)

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        if request.method == "GET" and not wants_json(request) and not is_fragment(request):
            return redirect(_page_of(view, request.path_info, named))
        return act(request, *arguments, **named)

    guarded.is_action = True  # type: ignore[attr-defined]
    return cast(ViewT, guarded)


def on_page(name: str, **named: str) -> Callable[[ViewT], ViewT]:
    """Says which page has the button of an `action`, if it is not the nearest above its address.

    Args:
        name: of the page's address, whose values are those of the action's.
        named: its other values.
    """

    def mark(view: ViewT) -> ViewT:
        view.page = name, named  # type: ignore[attr-defined]
        return view

    return mark


def _page_of(view: Callable[..., HttpResponseBase], path: str, values: Mapping[str, object]) -> str:
    """The address of the page that has the button of an action at `path`."""
    if hasattr(view, "page"):
        name, more = view.page
        return reverse(name, kwargs={key: values[key] for key in ("study_id",) if key in values} | more)
    while path != "/":
        path = path[: path.rstrip("/").rindex("/") + 1]
        try:
            if not hasattr(resolve(path).func, "is_action"):
                break
        except Resolver404:
            continue
    return path


def researcher_action(view: ViewT) -> ViewT:
    """An `action` of whoever is signed in."""
    return login_required(action(view))


class PersonsOnly(Refusal):
    """A page of accounts or of the site's operation, asked for with an API token."""

    status = 403

    def __init__(self) -> None:
        super().__init__(
            _("Tokens do not reach accounts and the operation of the site, whatever their scope: sign in.")
        )


def refuse_tokens(view: ViewT) -> ViewT:
    """Keep programs with an API token from a page of accounts: only a person who signed in may have it.

    A token that leaks must not be enough to see who has an account here, to lock its owner out, to make more
    tokens or to delete the account.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        if getattr(request, "api_token", None) is not None:
            raise PersonsOnly
        return view(request, *arguments, **named)

    return cast(ViewT, guarded)


def _of_administrators(view: ViewT) -> ViewT:
    """To administrators who signed in; what an administrator's token reaches is what a researcher's does."""

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        if not request.user.is_superuser:
            raise PermissionDenied
        return view(request, *arguments, **named)

    return refuse_tokens(cast(ViewT, guarded))


def administrator_page(view: ViewT) -> ViewT:
    """A `researcher_page` of the site's administrators."""
    return researcher_page(_of_administrators(view))


def administrator_form(view: ViewT) -> ViewT:
    """A `researcher_form` of the site's administrators."""
    return researcher_form(_of_administrators(view))


def administrator_action(view: ViewT) -> ViewT:
    """An `action` of the site's administrators."""
    return researcher_action(_of_administrators(view))
