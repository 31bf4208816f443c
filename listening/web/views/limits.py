"""Limits on what strangers may do, for views."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from listening.web import throttling
from listening.web.security import address_of

View = Callable[..., HttpResponse]


def limit_joins(view: View) -> View:
    """Refuse more sessions (POST) from one address than `throttling.JOIN` allows."""

    @wraps(view)
    def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            address = address_of(request)
            throttling.check_limits({throttling.JOIN: address})
            throttling.count_try(throttling.JOIN, address)
        return view(request, *args, **kwargs)

    return limited
