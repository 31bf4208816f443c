"""A visitor's own voice: sent from the front page or a demo page, heard and shared for a day."""

from __future__ import annotations

from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from codec.base import in_words
from codec.recordings import ACCEPT
from evaluation.access import viewer
from evaluation.contexts import Context
from evaluation.refusals import translate_note
from evaluation.systems import describe_all, looks_of
from evaluation.web.guards import action
from evaluation.web.refusals import wants_json
from evaluation.web.views.downloads import send_file
from listening.demos import pages, voices
from listening.models import DemoVersion, VoiceTrial
from listening.web.views.limits import limit_voices

ResponseT = TypeVar("ResponseT", bound=HttpResponseBase)


def voice_context(version: DemoVersion | None = None) -> Context | None:
    """The context of ``_recorder.html``, on the front page or on a demo page; None where none is taken."""
    if not settings.OWN_VOICE or (version is not None and not version.content.voice):
        return None
    described = describe_all(voices.systems_of(version))
    return {
        "accept": ACCEPT,
        "seconds": voices.MAX_SECONDS,
        "demo": version.demo.token if version else "",
        "titles": [each.title for each in described.values()],
    }


@action
@limit_voices
def create(request: HttpRequest) -> HttpResponse:
    """Take a recording in: answers the address of its page to a script, and leads others there."""
    if not settings.OWN_VOICE:
        raise voices.VoiceRejected(_("This site takes no recordings."))
    if request.POST.get("consent") != "yes":
        raise voices.VoiceRejected(_("Tick the box first: without your consent nothing is processed."))
    file = request.FILES.get("file")
    if file is None:
        raise voices.VoiceRejected(_("Record something or choose a file first."))
    version = None
    if token := request.POST.get("demo", ""):
        version = pages.version_for(viewer(request), token)
        if not version.content.voice:
            raise voices.VoiceRejected(_("This page takes no recordings."))
    trial = voices.take_in(file, voices.systems_of(version))
    address = trial.get_absolute_url()
    return JsonResponse({"url": address}, status=201) if wants_json(request) else redirect(address)


@never_cache
@require_safe
def voice(request: HttpRequest, token: str) -> HttpResponse:
    """The recording and what the systems have made of it so far."""
    trial = voices.trial_of(token)
    rows = _rows(trial)
    context = {
        "trial": trial,
        "clip": trial,
        "heard": in_words(trial.rate, trial.channels),
        "rows": rows,
        "player": _player(trial, rows),
        "address": request.build_absolute_uri(trial.get_absolute_url()),
        "live": reverse("voice_state", args=[token]) if trial.waiting else "",
    }
    return _keep_to_itself(render(request, "listening/voice.html", context))


@never_cache
@require_safe
def state(request: HttpRequest, token: str) -> HttpResponse:
    """What the systems have made so far, for the page's script."""
    trial = voices.trial_of(token)
    return JsonResponse(_player(trial, _rows(trial)))


@require_safe
def sound(request: HttpRequest, token: str, system: str) -> HttpResponseBase:
    """The recording, or what a system made of it: 16-bit WAV."""
    row = get_object_or_404(voices.trial_of(token).sounds.exclude(audio=""), system=system)
    response = send_file(request, row.audio, "audio/wav", f"{system}.wav")
    return _keep_to_itself(response)


@action
def delete(request: HttpRequest, token: str) -> HttpResponse:
    """Delete everything now. Whoever has the link may."""
    voices.remove(voices.trial_of(token))
    return render(request, "listening/voice_deleted.html")


def _keep_to_itself(response: ResponseT) -> ResponseT:
    """Nothing of a voice stays in a cache or in a search engine."""
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex"
    return response


def _rows(trial: VoiceTrial) -> list[Context]:
    """The original and the systems, as ``_front_player.html`` takes them."""
    sounds = {row.system: row for row in trial.sounds.all()}
    slugs = ["original", *trial.systems]
    described, looks = describe_all(slugs), looks_of(slugs)
    rows: list[Context] = []
    for slug in slugs:
        made = sounds.get(slug)
        heard = made is not None and bool(made.audio)
        rows.append(
            {
                "system": slug,
                "title": gettext("Your voice") if slug == "original" else described[slug].title,
                "colour": looks[slug][0],
                "marker": looks[slug][1],
                "kbps": made.kbps if made else None,
                "pesq_wb": None,
                "listen_url": reverse("voice_sound", args=[trial.token, slug]) if heard else None,
                "problem": translate_note(made.problem) if made else "",
            }
        )
    return rows


def _player(trial: VoiceTrial, rows: list[Context]) -> Context:
    """What the page's script knows: see static/js/clip/front.js."""
    names = ("title", "colour", "marker", "kbps", "problem")
    return {
        "start": "original",
        "finished": not trial.waiting,
        "failed": trial.status == VoiceTrial.Status.FAILED,
        "systems": [
            {"slug": row["system"], "audio_url": row["listen_url"]} | {name: row[name] for name in names}
            for row in rows
        ],
    }
