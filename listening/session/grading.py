"""Grading by method: which signals are graded, on which scale, and when a trial is complete."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Refusal
from listening.columns.sessions import Signal
from listening.methods import METHODS, NO_PREFERENCE, REFERENCE
from listening.models import Choice, Stimulus, Trial
from listening.study.errors import BadRating, GradesMissing, GradesUnfit, UnknownStimulus


def graded_signals(trial: Trial) -> list[Signal]:
    """The entries of the trial's order that are graded."""
    method = METHODS[trial.session.study.method]
    return [entry for entry in trial.order if method.takes_grade(entry.get("role", ""))]


def graded_stimulus(trial: Trial, key: object) -> int:
    """The id of the stimulus to which a grade under `key` refers.

    In CCR it is the system's, although the key is that of the second signal: see `ccr_sign`.

    Raises:
        UnknownStimulus: no graded signal of the trial has this key.
    """
    for entry in graded_signals(trial):
        if entry["key"] == key:
            if METHODS[trial.session.study.method].compares:
                return _system_entry(trial)
            return int(entry["stimulus"])
    raise UnknownStimulus(_("There is no such recording in this trial."))


def _system_entry(trial: Trial) -> int:
    """The stimulus of a CCR trial that is not the reference; the reference if both are."""
    ids = [int(entry["stimulus"]) for entry in trial.order]
    others = Stimulus.objects.filter(pk__in=ids).exclude(system=REFERENCE).values_list("pk", flat=True)
    return next(iter(others), ids[-1])


def answer_of(choice: Choice, trial: Trial) -> str:
    """The answer that leads to this choice: a key of the trial's, or `NO_PREFERENCE`."""
    answers = METHODS[trial.session.study.method].answers
    for entry in trial.order:
        if entry["stimulus"] == choice.chosen_id and entry.get("role") in answers:
            return str(entry["key"])
    return NO_PREFERENCE


def check_score(method: str, score: object) -> float:
    """Return `score` if it is a valid grade of the method. Raises `BadRating` if not."""
    try:
        return METHODS[method].clean_grade(score)
    except Refusal as problem:
        raise BadRating(problem) from None


def check_complete(trial: Trial) -> None:
    """Raise `GradesMissing` or `GradesUnfit` unless the trial can be submitted."""
    method = METHODS[trial.session.study.method]
    if not method.takes_grades:
        if not hasattr(trial, "choice"):
            raise GradesMissing([], _("There is no answer yet."))
        return
    scores = dict(trial.ratings.values_list("stimulus_id", "score"))
    missing = [
        entry["key"] for entry in graded_signals(trial) if graded_stimulus(trial, entry["key"]) not in scores
    ]
    if missing:
        raise GradesMissing(missing)
    try:
        method.check_grades(scores.values())
    except Refusal as problem:
        raise GradesUnfit(problem) from None


def ccr_sign(trial: Trial, systems: dict[int, str]) -> int:
    """The factor for a CCR grade with which it compares the system with the reference.

    Args:
        trial: a trial of a CCR study.
        systems: slugs by stimulus id.

    Returns:
        -1 if the system was heard first, otherwise 1 (also if both were the reference).
    """
    second = next(entry for entry in trial.order if entry.get("role") == "second")
    first = next(entry for entry in trial.order if entry.get("role") == "first")
    heard_first = systems[first["stimulus"]] != REFERENCE and systems[second["stimulus"]] == REFERENCE
    return -1 if heard_first else 1
