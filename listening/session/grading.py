"""What each method wants of a trial: which signals are graded, on which scale, when it is complete."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Refusal
from listening.columns.sessions import Signal
from listening.methods import METHODS, REFERENCE
from listening.models import Stimulus, Trial
from listening.study.errors import BadRating, GradesMissing, GradesUnfit, UnknownStimulus


def graded_signals(trial: Trial) -> list[Signal]:
    """The entries of the trial's order whose keys take a grade."""
    method = METHODS[trial.session.study.method]
    return [entry for entry in trial.order if method.takes_grade(entry.get("role", ""))]


def graded_stimulus(trial: Trial, key: object) -> int:
    """The id of the stimulus that a grade under `key` is about.

    In CCR that is the system, though the key is that of the second signal: see `ccr_sign`.

    Raises:
        UnknownStimulus: nothing of this key is graded in the trial.
    """
    for entry in graded_signals(trial):
        if entry["key"] == key:
            if METHODS[trial.session.study.method].compares:
                return _system_entry(trial)
            return int(entry["stimulus"])
    raise UnknownStimulus(_("There is no such recording in this trial."))


def _system_entry(trial: Trial) -> int:
    """Of a CCR trial, the stimulus that is not the reference; the reference where both are."""
    ids = [int(entry["stimulus"]) for entry in trial.order]
    others = Stimulus.objects.filter(pk__in=ids).exclude(system=REFERENCE).values_list("pk", flat=True)
    return next(iter(others), ids[-1])


def check_score(method: str, score: object) -> float:
    """`score`, if it is a grade of the method. Raises `BadRating` if it is not."""
    try:
        return METHODS[method].clean_grade(score)
    except Refusal as problem:
        raise BadRating(problem) from None


def check_complete(trial: Trial) -> None:
    """Raises `GradesMissing` or `GradesUnfit` unless the trial can be handed in."""
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
    """What a CCR trial's grade is multiplied by so that it says how the system compares with the reference.

    Args:
        trial: of a CCR study.
        systems: slugs by stimulus id.

    Returns:
        -1 where the system was heard first, else 1 (also where both were the reference).
    """
    second = next(entry for entry in trial.order if entry.get("role") == "second")
    first = next(entry for entry in trial.order if entry.get("role") == "first")
    heard_first = systems[first["stimulus"]] != REFERENCE and systems[second["stimulus"]] == REFERENCE
    return -1 if heard_first else 1
