"""The page for a listener whose session was deleted while it was open."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from listening.models import Study
from listening.study.errors import SessionGone
from listening.study.removal import check_exists

View = Callable[..., HttpResponse]


def listener_view(view: View) -> View:
    """A page of a session by its token; a page that says so if the session is deleted, even meanwhile."""

    @wraps(view)
    def answer(request: HttpRequest, token: str, *args: Any, **kwargs: Any) -> HttpResponse:
        def page(refusal: Any) -> HttpResponse:
            context = {"study": Study(), "title": refusal.title, "message": refusal, "gone": token}
            return render(request, "listening/session/gone.html", context, status=refusal.status)

        try:
            try:
                return view(request, token, *args, **kwargs)
            except (ObjectDoesNotExist, IntegrityError):
                check_exists(token)
                raise
        except SessionGone as gone:
            gone.page = page
            raise

    return answer
