"""Estimates how long a study takes a listener, before and during a session."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

from listening.methods import METHODS
from listening.models import Item, Study, Trial
from listening.study import design


def minutes_of_study(study: Study) -> int:
    """The estimated duration of a session, in whole minutes, at least 1."""
    items = list(study.items.order_by("position"))
    graded = [item for item in items if not item.training]
    plan = design.plan_of(study, len(graded))
    heard = [study.systems[index] for index in plan.systems[0]]
    training = _seconds(study, heard, (item for item in items if item.training))
    share = len(plan.items[0]) / len(graded) if graded else 0
    return _minutes(training * design.training_trials(plan) + _seconds(study, heard, graded) * share)


def _seconds(study: Study, heard: Sequence[str], items: Iterable[Item]) -> float:
    """The estimated duration, in seconds, of all trials of `items` with the systems `heard`."""
    method, options = METHODS[study.method], study.method_options
    return sum(method.seconds_per_item(options, heard, item.end - item.start) for item in items)


def minutes_left(study: Study, trials: Sequence[Trial]) -> int:
    """The time left in a session with these trials, in whole minutes, at least 1.

    Uses the listener's own pace, the median of the finished trials, once there are two; before that, the
    estimate of `minutes_of_study`.
    """
    left = [trial for trial in trials if trial.finished is None]
    paces = [
        (trial.finished - trial.started).total_seconds()
        for trial in trials
        if trial.finished and trial.started and not trial.item.training
    ]
    if len(paces) >= 2:
        return _minutes(median(paces) * len(left))
    heard = study.systems[: design.systems_per_trial(study)] if study.design else study.systems
    trials_of_item = METHODS[study.method].trials_per_item(study.method_options, heard)
    return _minutes(_seconds(study, heard, (trial.item for trial in left)) / max(1, trials_of_item))


def _minutes(seconds: float) -> int:
    return max(1, math.ceil(seconds / 60))
