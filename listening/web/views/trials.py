"""A trial's page, its signals, and requests from it. They must not reveal which signal is which."""

from __future__ import annotations

import io

import soundfile
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET

from evaluation.contexts import Context
from evaluation.web.refusals import answers_json
from listening.methods import METHODS, REFERENCE
from listening.models import Session, Stimulus, Study, Trial
from listening.session import comments, ratings
from listening.session.ratings import last_event, stimulus_of_key
from listening.session.stored import stored_grades, stored_work
from listening.study import selectors
from listening.study.duration import minutes_left
from listening.study.errors import UnknownStimulus
from listening.study.floor import wav_with_floor
from listening.study.languages import QUALITY
from listening.study.stimuli import read_ahead
from listening.web.views.saving import Body, saving_view, take_events


def side_by_side_page(request: HttpRequest, session: Session, trial: Trial) -> HttpResponse:
    """The page of a trial with numbered side-by-side signals."""
    study = session.study
    method = METHODS[study.method]
    context = {"study": study, "texts": study.texts, "session": session, "method": method}
    return render(request, method.template, context | _trial_context(session, trial))


def _trial_context(session: Session, trial: Trial) -> Context:
    """The context of the rating page: all that it contains about a trial."""
    trials = list(session.trials.select_related("item").order_by("position"))
    same_kind = [other for other in trials if other.item.training == trial.item.training]
    where = {"token": session.token, "position": trial.position}
    graded = stored_grades(trial)

    def audio_url(key: str) -> str:
        return reverse("stimulus_audio", kwargs=where | {"key": key})

    stimuli = []
    for label, entry in enumerate(trial.order, start=1):
        key = entry["key"]
        stimuli.append({"key": key, "url": audio_url(key), "label": str(label), **graded[key]})
    page = {
        "ratingsUrl": reverse("save_rating", kwargs=where),
        "eventsUrl": reverse("save_events", kwargs=where),
        "commentUrl": reverse("save_comment", kwargs=where),
        "storedUrl": reverse("stored_work", kwargs=where),
        "finishUrl": reverse("finish_trial", kwargs=where),
        "reference": {"url": audio_url(trial.reference_key)},
        "stimuli": stimuli,
        "comment": trial.comment,
        "eventSequence": last_event(trial),
        "heard": selectors.heard_sounds(trial),
        "training": trial.item.training,
    }
    return {
        "trial": trial,
        "number": same_kind.index(trial) + 1,
        "total": len(same_kind),
        "done": sum(other.finished is not None for other in same_kind),
        "training": trial.item.training,
        "minutes_left": minutes_left(session.study, trials),
        "scale": QUALITY,
        "page": page,
    }


@saving_view
def save_rating(trial: Trial, body: Body) -> Body:
    basis = ratings.read_basis(body.get("before"), body.get("writer"))
    rating = ratings.save_rating(trial, body.get("key"), body.get("score"), body.get("sequence"), basis)
    return {"sequence": rating.sequence, "score": rating.score, **take_events(trial, body)}


@saving_view
def save_comment(trial: Trial, body: Body) -> Body:
    return {"comment": comments.save_comment(trial, body.get("comment", ""), body.get("before"))}


@saving_view
def save_events(trial: Trial, body: Body) -> Body:
    return {"stored": ratings.save_events(trial, body.get("events"))}


@saving_view
def finish_trial(trial: Trial, body: Body) -> Body:
    finished = ratings.finish_trial(
        trial, body.get("comment", ""), before=body.get("before"), shown=body.get("shown")
    )
    stored = {"stored": stored_work(finished)} if "shown" in body else {}
    return {"next": reverse("session", args=[trial.session.token]), **stored}


@answers_json
@never_cache
@require_GET
def show_stored(request: HttpRequest, token: str, position: int) -> HttpResponse:
    """What is stored of the trial, for a page that another browser may have left behind."""
    return JsonResponse(stored_work(selectors.trial_stored(token, position)))


@cache_control(no_store=True, private=True)
@require_GET
def stimulus_audio(request: HttpRequest, token: str, position: int, key: str) -> HttpResponse:
    """A signal of a trial as 16-bit WAV, with a different noise floor for every session and key.

    So the files of the hidden and the open reference differ, and no two sessions share a file. There is
    no ETag, date or name: the headers of all signals are the same.
    """
    trial = selectors.trial_for_sound(token, position)
    if trial.session.study.status == Study.Status.PREPARING:
        raise Http404("The recordings are not ready.")
    stimuli = Stimulus.objects.select_related("item").only("audio", "item__loudness")
    stimulus: Stimulus | None
    if key == trial.reference_key:
        together = list(stimuli.filter(item=trial.item_id).only("audio", "system", "item__loudness"))
        read_ahead(together)
        stimulus = next((each for each in together if each.system == REFERENCE), None)
    else:
        try:
            stimulus = stimuli.get(pk=stimulus_of_key(trial, key))
        except UnknownStimulus:
            raise Http404("There is no such recording.") from None
    if stimulus is None or not stimulus.audio:
        raise Http404("There is no such recording.")
    with stimulus.audio.open("rb") as file:
        audio, rate = soundfile.read(io.BytesIO(file.read()), dtype="float32")
    # Derived from the server's secret, so that nobody can subtract the noise; the same for every request.
    digest = salted_hmac("listening.sound", f"{trial.session_id}:{key}", algorithm="sha256").digest()
    wav = wav_with_floor(audio, rate, digest, stimulus.item.loudness)
    return HttpResponse(wav, content_type="audio/wav")
