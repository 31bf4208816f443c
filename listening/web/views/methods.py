"""Trial pages of methods without side-by-side signals. They must not reveal which signal is which."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from evaluation.analysis.words import plain
from evaluation.columns import JsonObject
from listening.methods import METHODS, NO_PREFERENCE, OPEN_REFERENCE
from listening.models import Session, Trial
from listening.session.choices import save_choice
from listening.session.grading import answer_of
from listening.session.ratings import last_event, read_basis
from listening.session.stored import stored_grades
from listening.study.duration import minutes_left
from listening.web.views.saving import Body, saving_view, take_events


@dataclass(frozen=True)
class Signal:
    """A sound of a trial's page.

    Attributes:
        name: name in events: the key, or `OPEN_REFERENCE`.
        label: label for the listener.
        url: URL of its file.
    """

    name: str
    label: str
    url: str


def _signals(trial: Trial, where: dict[str, str | int]) -> list[Signal]:
    """The sounds of the page in order of display or playback."""
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


def _answers(trial: Trial) -> list[dict[str, str]]:
    """The possible answers: key and words."""
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
    """The page of a trial of any method without side-by-side signals."""
    study = session.study
    method = METHODS[study.method]
    trial = Trial.objects.select_related("item", "choice").get(pk=trial.pk)
    trial.session = session
    others = list(session.trials.select_related("item").order_by("position"))
    same_part = [other for other in others if other.item.training == trial.item.training]
    number = [other.pk for other in same_part].index(trial.pk) + 1
    where: dict[str, str | int] = {"token": session.token, "position": trial.position}
    signals = _signals(trial, where)
    kept = "save_rating" if method.takes_grades else "save_choice"
    page = {
        "method": method.slug,
        "ratingsUrl": reverse(kept, kwargs=where),
        "eventsUrl": reverse("save_events", kwargs=where),
        "commentUrl": reverse("save_comment", kwargs=where),
        "storedUrl": reverse("stored_work", kwargs=where),
        "finishUrl": reverse("finish_trial", kwargs=where),
        "sounds": [{"name": each.name, "label": each.label, "url": each.url} for each in signals],
        "stimuli": [{"key": key, **grade} for key, grade in stored_grades(trial).items()],
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
        "words": [
            {"value": f"{value:g}", "written": plain(value), "words": words} for value, words in method.words
        ],
        "page": page,
    }
    return render(request, method.template, context)


def _details(trial: Trial, kind: str) -> list[JsonObject]:
    return [event.detail for event in trial.events.filter(kind=kind)]


@saving_view
def choice(trial: Trial, body: Body) -> Body:
    basis = read_basis(body.get("before"), body.get("writer"))
    saved = save_choice(trial, body.get("score"), body.get("sequence"), basis)
    return {"sequence": saved.sequence, "score": answer_of(saved, trial), **take_events(trial, body)}
