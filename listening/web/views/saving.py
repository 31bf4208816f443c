"""What the views that keep a listener's work share: the JSON that comes in."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from evaluation.contexts import Context
from evaluation.web.refusals import answers_json
from listening.models import Trial
from listening.study import selectors
from listening.study.errors import BadRating

Body = Context


def saving(save: Callable[[Trial, Body], Body]) -> Callable[[HttpRequest, str, int], HttpResponse]:
    """A view for what the page of a trial posts as JSON. `save` keeps it and returns the answer's JSON.

    No cookie is asked for: the link of the session is what lets a listener in.
    """

    @answers_json
    @csrf_exempt
    @never_cache
    @require_POST
    @wraps(save)
    def view(request: HttpRequest, token: str, position: int) -> HttpResponse:
        return JsonResponse(save(selectors.trial_for_answer(token, position), _body(request)))

    return view


def _body(request: HttpRequest) -> Body:
    """The JSON object that was posted. Raises `BadRating`."""
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
