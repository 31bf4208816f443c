"""A trial's pages, its signals, and what the listener does in it. Nothing here tells which is which."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import soundfile
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from listening import selectors, services
from listening.languages import QUALITY, of_study
from listening.models import Session, Stimulus, Study, Trial
from listening.stimuli import dithered_wav, read_ahead


def mushra_page(request: HttpRequest, session: Session, trial: Trial) -> HttpResponse:
    study = session.study
    context = {"study": study, "texts": study.texts, "session": session} | _trial_context(session, trial)
    return render(request, "listening/rating.html", context)


#: The page of a trial, by the study's method.
PAGES: dict[str, Callable[[HttpRequest, Session, Trial], HttpResponse]] = {"mushra": mushra_page}


def _trial_context(session: Session, trial: Trial) -> dict[str, Any]:
    """All that the rating page gets to know of a trial."""
    trials = list(session.trials.select_related("item").order_by("position"))
    same_kind = [other for other in trials if other.item.training == trial.item.training]
    where = {"token": session.token, "position": trial.position}
    graded = {rating.stimulus_id: rating for rating in trial.ratings.all()}

    def audio_url(key: str) -> str:
        return reverse("stimulus_audio", kwargs=where | {"key": key})

    stimuli = []
    for label, entry in enumerate(trial.order, start=1):
        rating = graded.get(entry["stimulus"])
        stimuli.append(
            {
                "key": entry["key"],
                "url": audio_url(entry["key"]),
                "label": str(label),
                "score": rating.score if rating else None,
                "sequence": rating.sequence if rating else 0,
            }
        )
    page = {
        "ratingsUrl": reverse("save_rating", kwargs=where),
        "eventsUrl": reverse("save_events", kwargs=where),
        "commentUrl": reverse("save_comment", kwargs=where),
        "finishUrl": reverse("finish_trial", kwargs=where),
        "reference": {"url": audio_url(trial.reference_key)},
        "stimuli": stimuli,
        "comment": trial.comment,
        "eventSequence": services.last_event(trial),
        "heard": selectors.heard_in(trial),
        "training": trial.item.training,
    }
    return {
        "trial": trial,
        "number": same_kind.index(trial) + 1,
        "total": len(same_kind),
        "done": sum(other.finished is not None for other in same_kind),
        "training": trial.item.training,
        "minutes_left": selectors.minutes_left(trials),
        "scale": QUALITY,
        "page": page,
    }


def _body(request: HttpRequest) -> dict[str, Any]:
    """The JSON object that was posted. Raises `services.BadRating`."""
    if request.content_type != "application/json":
        # The CSRF check has parsed forms already, and their bytes can't be read again.
        raise services.BadRating("Expected JSON.")
    try:
        body = json.loads(request.body)
    except RequestDataTooBig:
        raise services.BadRating("This is too much for one request.") from None
    except (ValueError, RecursionError):
        raise services.BadRating("Expected JSON.") from None
    if not isinstance(body, dict):
        raise services.BadRating("Expected a JSON object.")
    return body


def _refusal(error: services.StudyError) -> JsonResponse:
    status = {
        services.UnknownStimulus: 404,
        services.TrialFinished: 409,
        services.TrialNotOpen: 409,
        services.GradesMissing: 409,
        services.GradesUnfit: 409,
        services.StudyClosed: 410,
    }.get(type(error), 400)
    body: dict[str, Any] = {"error": str(error)}
    if isinstance(error, services.GradesMissing):
        body["missing"] = error.keys
    return JsonResponse(body, status=status)


def _trial(token: str, position: int) -> Trial:
    return selectors.trial_key(token, position)


@csrf_exempt
@never_cache
@require_POST
def save_rating(request: HttpRequest, token: str, position: int) -> HttpResponse:
    trial = _trial(token, position)
    with of_study(trial.session.study):
        try:
            body = _body(request)
            rating = services.save_rating(trial, body.get("key"), body.get("score"), body.get("sequence"))
        except services.StudyError as error:
            return _refusal(error)
    return JsonResponse({"sequence": rating.sequence, "score": rating.score})


@csrf_exempt
@never_cache
@require_POST
def save_comment(request: HttpRequest, token: str, position: int) -> HttpResponse:
    trial = _trial(token, position)
    with of_study(trial.session.study):
        try:
            services.save_comment(trial, _body(request).get("comment", ""))
        except services.StudyError as error:
            return _refusal(error)
    return JsonResponse({})


@csrf_exempt
@never_cache
@require_POST
def save_events(request: HttpRequest, token: str, position: int) -> HttpResponse:
    trial = _trial(token, position)
    with of_study(trial.session.study):
        try:
            stored = services.save_events(trial, _body(request).get("events"))
        except services.StudyError as error:
            return _refusal(error)
    return JsonResponse({"stored": stored})


@csrf_exempt
@never_cache
@require_POST
def finish_trial(request: HttpRequest, token: str, position: int) -> HttpResponse:
    trial = _trial(token, position)
    with of_study(trial.session.study):
        try:
            services.finish_trial(trial, _body(request).get("comment", ""))
        except services.StudyError as error:
            return _refusal(error)
    return JsonResponse({"next": reverse("session", args=[token])})


@cache_control(no_store=True, private=True)
@require_GET
def stimulus_audio(request: HttpRequest, token: str, position: int, key: str) -> HttpResponse:
    """A signal of a trial as 16-bit WAV, with dither of its own in every session and under every key.

    So the hidden reference differs from the open one byte for byte, and no two sessions get a
    file in common. There is no ETag, date or name: the headers of all signals are the same.
    """
    trial = selectors.trial_sounds(token, position)
    if trial.session.study.status == Study.Status.PREPARING:
        raise Http404("The recordings are not ready.")
    stimuli = Stimulus.objects.only("audio")
    stimulus: Stimulus | None
    if key == trial.reference_key:
        together = list(stimuli.filter(item=trial.item_id).only("audio", "system"))
        read_ahead(together)
        stimulus = next((each for each in together if each.system == "original"), None)
    else:
        try:
            stimulus = stimuli.get(pk=services.stimulus_of_key(trial, key))
        except services.UnknownStimulus:
            raise Http404("There is no such recording.") from None
    if stimulus is None or not stimulus.audio:
        raise Http404("There is no such recording.")
    with stimulus.audio.open("rb") as file:
        audio, rate = soundfile.read(io.BytesIO(file.read()), dtype="float32")
    # Of the server's secret, so that nobody can subtract the dither; the same at every request.
    digest = salted_hmac("listening.dither", f"{trial.session_id}:{key}", algorithm="sha256").digest()
    wav = dithered_wav(audio, rate, digest)
    return HttpResponse(wav, content_type="audio/wav")
