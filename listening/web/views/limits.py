"""Decorators that limit anonymous requests."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from listening.web import throttling
from listening.web.security import address_of

View = Callable[..., HttpResponse]


def limit_joins(view: View) -> View:
    """Refuse to start more sessions (POST) from one address than `throttling.JOIN` allows."""

    @wraps(view)
    def check_and_call(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            address = address_of(request)
            throttling.check_limits({throttling.JOIN: address})
            throttling.count_try(throttling.JOIN, address)
        return view(request, *args, **kwargs)

    return check_and_call


def limit_voices(view: View) -> View:
    """Refuse more recordings (POST) than `throttling` allows from one address, and from all."""

    @wraps(view)
    def check_and_call(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        address = address_of(request)
        throttling.check_limits({throttling.VOICE_ADDRESS: address})
        throttling.check_total(throttling.VOICE)
        throttling.count_try(throttling.VOICE_ADDRESS, address)
        throttling.count_try(throttling.VOICE, "")
        return view(request, *args, **kwargs)

    return check_and_call
