"""A trial's pages, its signals, and what the listener does in it. Nothing here tells which is which."""

from __future__ import annotations

import io

import soundfile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from evaluation.contexts import Context
from listening.methods import METHODS, REFERENCE
from listening.models import Session, Stimulus, Study, Trial
from listening.session import comments, ratings
from listening.session.ratings import last_event, stimulus_of_key
from listening.study import selectors
from listening.study.duration import minutes_left
from listening.study.errors import UnknownStimulus
from listening.study.languages import QUALITY
from listening.study.stimuli import dithered_wav, read_ahead
from listening.web.views.saving import Body, saving


def side_by_side_page(request: HttpRequest, session: Session, trial: Trial) -> HttpResponse:
    """The page of a trial whose signals stand side by side, numbered."""
    study = session.study
    method = METHODS[study.method]
    context = {"study": study, "texts": study.texts, "session": session, "method": method}
    return render(request, method.template, context | _trial_context(session, trial))


def _trial_context(session: Session, trial: Trial) -> Context:
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


@saving
def save_rating(trial: Trial, body: Body) -> Body:
    rating = ratings.save_rating(trial, body.get("key"), body.get("score"), body.get("sequence"))
    return {"sequence": rating.sequence, "score": rating.score}


@saving
def save_comment(trial: Trial, body: Body) -> Body:
    comments.save_comment(trial, body.get("comment", ""))
    return {}


@saving
def save_events(trial: Trial, body: Body) -> Body:
    return {"stored": ratings.save_events(trial, body.get("events"))}


@saving
def finish_trial(trial: Trial, body: Body) -> Body:
    ratings.finish_trial(trial, body.get("comment", ""))
    return {"next": reverse("session", args=[trial.session.token])}


@cache_control(no_store=True, private=True)
@require_GET
def stimulus_audio(request: HttpRequest, token: str, position: int, key: str) -> HttpResponse:
    """A signal of a trial as 16-bit WAV, with dither of its own in every session and under every key.

    So the hidden reference differs from the open one byte for byte, and no two sessions get a
    file in common. There is no ETag, date or name: the headers of all signals are the same.
    """
    trial = selectors.trial_for_sound(token, position)
    if trial.session.study.status == Study.Status.PREPARING:
        raise Http404("The recordings are not ready.")
    stimuli = Stimulus.objects.only("audio")
    stimulus: Stimulus | None
    if key == trial.reference_key:
        together = list(stimuli.filter(item=trial.item_id).only("audio", "system"))
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
    # Of the server's secret, so that nobody can subtract the dither; the same at every request.
    digest = salted_hmac("listening.dither", f"{trial.session_id}:{key}", algorithm="sha256").digest()
    wav = dithered_wav(audio, rate, digest)
    return HttpResponse(wav, content_type="audio/wav")
