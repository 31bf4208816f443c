"""Keeping which signal a listener chose: the one that is X, or the preferred one."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from listening.methods import METHODS, NO_PREFERENCE
from listening.models import Choice, Trial
from listening.session.ratings import check_turn, lock_trial
from listening.study.errors import BadRating, UnknownStimulus


@transaction.atomic
def save_choice(trial: Trial, answer: object, sequence: object) -> Choice:
    """Store an answer unless a newer one is there; return what is stored then.

    `answer` is the key of signal A or B of the trial, or `NO_PREFERENCE` where the study offers that;
    `sequence` counts the listener's changes, as in `save_rating`.

    Raises:
        BadRating: nothing is chosen in this study's method, or the sequence is no whole number from 1.
        UnknownStimulus: `answer` is not one that the trial offers.
        TrialFinished, TrialNotOpen, StudyClosed: it is not this trial's turn.
    """
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 1 <= sequence < 2**31:
        raise BadRating(_("The sequence number must be a whole number from 1."))
    trial = lock_trial(trial)
    study = trial.session.study
    if METHODS[study.method].takes_grades:
        raise BadRating(_("In this test recordings are graded, not chosen."))
    chosen = _find_chosen(trial, answer)
    check_turn(trial)
    # Whoever changes this trial's choice holds its lock, so nobody comes between these two.
    choice = Choice.objects.filter(trial=trial).first()
    if choice is None:
        return Choice.objects.create(trial=trial, chosen_id=chosen, sequence=sequence)
    if sequence > choice.sequence:
        choice.chosen_id, choice.sequence = chosen, sequence
        choice.save(update_fields=["chosen", "sequence", "updated"])
    return choice


def _find_chosen(trial: Trial, answer: object) -> int | None:
    study = trial.session.study
    method = METHODS[study.method]
    for entry in trial.order:
        if entry["key"] == answer and entry.get("role") in method.answers:
            return int(entry["stimulus"])
    if answer == NO_PREFERENCE and method.offers_no_preference(study.method_options):
        return None
    raise UnknownStimulus(_("There is no such answer in this trial."))


def answer_of(choice: Choice, trial: Trial) -> str:
    """The answer that leads to this choice: a key of the trial's, or `NO_PREFERENCE`."""
    answers = METHODS[trial.session.study.method].answers
    for entry in trial.order:
        if entry["stimulus"] == choice.chosen_id and entry.get("role") in answers:
            return str(entry["key"])
    return NO_PREFERENCE
