"""The trial pages of methods whose signals do not stand side by side. Nothing here tells which is which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from evaluation.columns import JsonObject
from listening.methods import METHODS, NO_PREFERENCE, OPEN_REFERENCE
from listening.models import Session, Trial
from listening.session.choices import answer_of, save_choice
from listening.session.grading import graded_signals, graded_stimulus
from listening.session.ratings import last_event
from listening.study.duration import minutes_left
from listening.web.views.saving import Body, saving


@dataclass(frozen=True)
class Signal:
    """A sound of a trial's page.

    Attributes:
        name: in events: the key, or `OPEN_REFERENCE`.
        label: what the listener calls it.
        url: of its file.
    """

    name: str
    label: str
    url: str


def _signals(trial: Trial, where: dict[str, Any]) -> list[Signal]:
    """The sounds of the page in the order in which they stand or play."""
    keys = {entry.get("role", ""): entry["key"] for entry in trial.order}
    keys[OPEN_REFERENCE] = trial.reference_key
    return [
        Signal(
            role if role == OPEN_REFERENCE else keys[role],
            str(label),
            reverse("stimulus_audio", kwargs=where | {"key": keys[role]}),
        )
        for role, label in METHODS[trial.session.study.method].signals
    ]


def _grades(trial: Trial) -> list[dict[str, Any]]:
    """What is graded in the trial and how far that got, as the page's store wants it."""
    if not METHODS[trial.session.study.method].takes_grades:
        choice = getattr(trial, "choice", None)
        answer = answer_of(choice, trial) if choice else None
        return [{"key": "choice", "score": answer, "sequence": choice.sequence if choice else 0}]
    found = {rating.stimulus_id: rating for rating in trial.ratings.all()}
    rows = []
    for entry in graded_signals(trial):
        rating = found.get(graded_stimulus(trial, entry["key"]))
        rows.append(
            {
                "key": entry["key"],
                "score": rating.score if rating else None,
                "sequence": rating.sequence if rating else 0,
            }
        )
    return rows


def _answers(trial: Trial) -> list[dict[str, str]]:
    """What can be chosen: key and words."""
    study = trial.session.study
    method = METHODS[study.method]
    answers = [
        {"value": entry["key"], "words": str(method.answers[entry["role"]])}
        for entry in trial.order
        if entry.get("role") in method.answers
    ]
    if method.offers_no_preference(study.method_options):
        answers.append({"value": NO_PREFERENCE, "words": _("No preference")})
    return answers


def _heading(trial: Trial, number: int, total: int) -> str:
    values = {"number": number, "total": total}
    if trial.item.training:
        return _("training %(number)s of %(total)s") % values
    return _("trial %(number)s of %(total)s") % values


def method_page(request: HttpRequest, session: Session, trial: Trial) -> HttpResponse:
    """The page of a trial of any method whose signals do not stand side by side."""
    study = session.study
    method = METHODS[study.method]
    trial = Trial.objects.select_related("session__study", "item", "choice").get(pk=trial.pk)
    others = list(session.trials.select_related("item").order_by("position"))
    same_part = [other for other in others if other.item.training == trial.item.training]
    number = [other.pk for other in same_part].index(trial.pk) + 1
    where = {"token": session.token, "position": trial.position}
    signals = _signals(trial, where)
    kept = "save_rating" if method.takes_grades else "save_choice"
    page = {
        "method": method.slug,
        "ratingsUrl": reverse(kept, kwargs=where),
        "eventsUrl": reverse("save_events", kwargs=where),
        "commentUrl": reverse("save_comment", kwargs=where),
        "finishUrl": reverse("finish_trial", kwargs=where),
        "sounds": [{"name": each.name, "label": each.label, "url": each.url} for each in signals],
        "stimuli": _grades(trial),
        "heard": sorted(
            {str(detail.get("sound")) for detail in _details(trial, "heard") if detail.get("sound")}
        ),
        "comment": trial.comment,
        "eventSequence": last_event(trial),
        "training": trial.item.training,
        "once": study.method_options.plays_once,
    }
    context = {
        "study": study,
        "texts": study.texts,
        "session": session,
        "trial": trial,
        "method": method,
        "question": method.question,
        "training": trial.item.training,
        "total": len(same_part),
        "done": sum(other.finished is not None for other in same_part),
        "where": _heading(trial, number, len(same_part)),
        "minutes_left": minutes_left(study, others),
        "signals": signals,
        "graded": [signal for signal in signals if signal.name != OPEN_REFERENCE],
        "answers": _answers(trial),
        "words": [{"value": f"{value:g}", "words": words} for value, words in method.words],
        "page": page,
    }
    return render(request, method.template, context)


def _details(trial: Trial, kind: str) -> list[JsonObject]:
    return [event.detail for event in trial.events.filter(kind=kind)]


@saving
def choice(trial: Trial, body: Body) -> Body:
    saved = save_choice(trial, body.get("score"), body.get("sequence"))
    return {"sequence": saved.sequence, "score": answer_of(saved, trial)}
