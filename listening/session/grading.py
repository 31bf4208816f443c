"""What each method wants of a trial: which signals are graded, on which scale, when it is complete."""

from __future__ import annotations

import math

from django.utils.translation import gettext_lazy as _

from listening.columns.sessions import Signal
from listening.methods import METHODS, REFERENCE
from listening.models import Stimulus, Trial
from listening.study.errors import BadRating, GradesMissing, GradesUnfit, UnknownStimulus

#: The grade of BS.1116 that says "this is the reference".
IMPERCEPTIBLE = 5.0


def asked(trial: Trial) -> list[Signal]:
    """The entries of the trial's order whose keys take a grade.

    In CCR that is the second one's, whichever it is: the listener says how it compares with the first.
    """
    method = METHODS[trial.session.study.method]
    if not method.graded:
        return []
    return [entry for entry in trial.order if entry.get("role") != "first"]


def graded_stimulus(trial: Trial, key: object) -> int:
    """The id of the stimulus that a grade under `key` is about.

    In CCR that is the system, though the key is that of the second signal: see `ccr_sign`.

    Raises:
        UnknownStimulus: nothing of this key is graded in the trial.
    """
    for entry in asked(trial):
        if entry["key"] == key:
            if entry.get("role") == "second":
                return _system_entry(trial)
            return int(entry["stimulus"])
    raise UnknownStimulus(_("There is no such recording in this trial."))


def _system_entry(trial: Trial) -> int:
    """Of a CCR trial, the stimulus that is not the reference; the reference where both are."""
    ids = [int(entry["stimulus"]) for entry in trial.order]
    others = Stimulus.objects.filter(pk__in=ids).exclude(system=REFERENCE).values_list("pk", flat=True)
    return next(iter(others), ids[-1])


def check_score(method: str, score: object) -> float:
    """`score`, if it is a grade of the method: a number on its scale's steps; JSON's true and "1" are none.

    Raises:
        BadRating: it is not.
    """
    scale = METHODS[method]
    if scale.step is None or scale.lowest is None or scale.highest is None:
        raise BadRating(_("Nothing is graded in this test."))
    whole = scale.step.is_integer()
    fit = isinstance(score, int if whole else int | float) and not isinstance(score, bool)
    if fit and scale.lowest <= score <= scale.highest:  # type: ignore[operator]
        steps = float(score) / scale.step  # type: ignore[arg-type]
        if math.isclose(steps, round(steps), abs_tol=1e-6):
            return round(steps * scale.step, 1)
    if whole:
        raise BadRating(
            _("The grade must be a whole number from %(low)s to %(high)s."),
            low=f"{scale.lowest:g}",
            high=f"{scale.highest:g}",
        )
    raise BadRating(
        _("The grade must be a number from %(low)s to %(high)s with one decimal."),
        low=f"{scale.lowest:.1f}",
        high=f"{scale.highest:.1f}",
    )


def check_complete(trial: Trial) -> None:
    """Raises `GradesMissing` or `GradesUnfit` unless the trial can be handed in."""
    method = METHODS[trial.session.study.method]
    if not method.graded:
        if not hasattr(trial, "choice"):
            raise GradesMissing([], _("There is no answer yet."))
        return
    scores = dict(trial.ratings.values_list("stimulus_id", "score"))
    missing = [entry["key"] for entry in asked(trial) if graded_stimulus(trial, entry["key"]) not in scores]
    if missing:
        raise GradesMissing(missing)
    if method.slug == "bs1116" and IMPERCEPTIBLE not in scores.values():
        raise GradesUnfit(_("One of B and C is the reference itself: grade that one 5.0."))


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
