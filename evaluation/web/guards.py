"""Who may open a researcher's page, and by which verbs of HTTP: decorators of views."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

ViewT = TypeVar("ViewT", bound=Callable[..., HttpResponseBase])


def researcher_page(view: ViewT) -> ViewT:
    """A page that only shows something, to whoever is signed in, and that no cache keeps."""
    return login_required(never_cache(require_GET(view)))


def researcher_form(view: ViewT) -> ViewT:
    """A page with a form that is sent to its own address."""
    return login_required(never_cache(require_http_methods(["GET", "POST"])(view)))


def researcher_action(view: ViewT) -> ViewT:
    """What a button does; there is nothing to see at its address."""
    return login_required(require_POST(view))


def administrator_page(view: ViewT) -> ViewT:
    """A page that only shows something, to the site's administrators."""

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        if not request.user.is_superuser:
            raise PermissionDenied
        return view(request, *arguments, **named)

    return researcher_page(cast(ViewT, guarded))
