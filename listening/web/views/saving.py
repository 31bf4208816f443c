"""The decorator of views that store a listener's work from JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from evaluation.contexts import Context
from evaluation.web.refusals import answers_json
from listening.models import Trial
from listening.session.ratings import save_events
from listening.study import selectors
from listening.study.errors import BadRating, StudyError

Body = Context


def saving_view(save: Callable[[Trial, Body], Body]) -> Callable[[HttpRequest, str, int], HttpResponse]:
    """Make a view for JSON from a trial's page. `save` stores it and returns the JSON of the response.

    No cookie is needed: the link of the session gives access.
    """

    @answers_json
    @csrf_exempt
    @never_cache
    @require_http_methods(["GET", "POST"])
    @wraps(save)
    def view(request: HttpRequest, token: str, position: int) -> HttpResponse:
        if request.method != "POST":
            # Somebody opened the address; `session` says what else there is to say.
            return redirect("session", token)
        return JsonResponse(save(selectors.trial_for_answer(token, position), _body(request)))

    return view


def take_events(trial: Trial, body: Body) -> Body:
    """Store the events that came with an answer, which they must not hold up; say which are stored.

    Of those that are refused nothing is said: the page sends them again by themselves.
    """
    if "events" not in body:
        return {}
    try:
        return {"events": save_events(trial, body["events"])}
    except StudyError:
        return {}


def _body(request: HttpRequest) -> Body:
    """The JSON object in the request. Raises `BadRating`."""
    if request.content_type != "application/json":
        # The CSRF check has parsed forms already, and their bytes can't be read again.
        raise BadRating(_("Expected JSON."))
    try:
        body = json.loads(request.body)
    except RequestDataTooBig:
        raise BadRating(_("This is too much for one request.")) from None
    except (ValueError, RecursionError):
        raise BadRating(_("Expected JSON.")) from None
    if not isinstance(body, dict):
        raise BadRating(_("Expected a JSON object."))
    return body
