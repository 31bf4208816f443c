"""What a listener is told whose session was deleted while its page was open."""

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
from listening.study.languages import in_study_language
from listening.study.removal import check_there

View = Callable[..., HttpResponse]


def listener_view(view: View) -> View:
    """A page by the token of a session, in the language that the session met.

    If the session is deleted, before the request or during it, the answer is a page that says so (410).
    """

    @in_study_language
    @wraps(view)
    def answer(request: HttpRequest, token: str, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            try:
                return view(request, token, *args, **kwargs)
            except (ObjectDoesNotExist, IntegrityError):
                check_there(token)
                raise
        except SessionGone as error:
            context = {"study": Study(), "message": error, "gone": token}
            return render(request, "listening/session/gone.html", context, status=410)

    return answer
