"""What the views that keep a listener's work share: the JSON that comes in, and refusals that go out."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from evaluation.contexts import Context
from listening.models import Study, Trial
from listening.study import selectors
from listening.study.errors import (
    BadRating,
    ElsewhereChanged,
    GradesMissing,
    GradesUnfit,
    SessionGone,
    StudyClosed,
    StudyError,
    TrialFinished,
    TrialNotOpen,
    UnknownStimulus,
)
from listening.study.languages import of_study
from listening.study.removal import language_of_deleted
from listening.study.versions import apply_version

_STATUS: dict[type[StudyError], int] = {
    UnknownStimulus: 404,
    TrialFinished: 409,
    ElsewhereChanged: 409,
    SessionGone: 410,
    TrialNotOpen: 409,
    GradesMissing: 409,
    GradesUnfit: 409,
    StudyClosed: 410,
}

Body = Context


def saving(save: Callable[[Trial, Body], Body]) -> Callable[[HttpRequest, str, int], HttpResponse]:
    """A view for what the page of a trial posts as JSON. `save` keeps it and returns the answer's JSON.

    A `StudyError` becomes its status and, in the study's language, its message. No cookie is
    asked for: the link of the session is what lets a listener in.
    """

    @csrf_exempt
    @never_cache
    @require_POST
    @wraps(save)
    def view(request: HttpRequest, token: str, position: int) -> HttpResponse:
        return answer_as_json(
            request, token, position, lambda trial: save(trial, _body(request)), selectors.trial_key
        )

    return view


Find = Callable[[str, int], Trial]


def answer_as_json(
    request: HttpRequest, token: str, position: int, view: Callable[[Trial], Body], find: Find
) -> HttpResponse:
    """Answer a trial's page in JSON, and refuse it in the language that its session met."""
    try:
        trial = find(token, position)
    except SessionGone as error:
        with of_study(Study(language=language_of_deleted(token))):
            return _refusal(error)
    with of_study(apply_version(trial.session).study):
        try:
            return JsonResponse(view(trial))
        except StudyError as error:
            return _refusal(error)


def _body(request: HttpRequest) -> Body:
    """The JSON object that was posted. Raises `BadRating`."""
    if request.content_type != "application/json":
        # The CSRF check has parsed forms already, and their bytes can't be read again.
        raise BadRating("Expected JSON.")
    try:
        body = json.loads(request.body)
    except RequestDataTooBig:
        raise BadRating("This is too much for one request.") from None
    except (ValueError, RecursionError):
        raise BadRating("Expected JSON.") from None
    if not isinstance(body, dict):
        raise BadRating("Expected a JSON object.")
    return body


def _refusal(error: StudyError) -> JsonResponse:
    body: Body = {"error": str(error)}
    if isinstance(error, GradesMissing):
        body["missing"] = error.keys
    if isinstance(error, ElsewhereChanged):
        body["stored"] = dict(error.stored)
    return JsonResponse(body, status=_STATUS.get(type(error), 400))
