"""Storing which signal a listener chose: as equal to X, or as preferred."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from listening.methods import METHODS, NO_PREFERENCE
from listening.models import Choice, Trial
from listening.session.ratings import check_turn, lock_trial
from listening.study.errors import BadRating, UnknownStimulus


@transaction.atomic
def save_choice(trial: Trial, answer: object, sequence: object) -> Choice:
    """Store an answer unless a newer one is stored; return the stored choice.

    `answer` is the key of signal A or B of the trial, or `NO_PREFERENCE` if the study offers it;
    `sequence` counts the listener's changes, as in `save_rating`.

    Raises:
        BadRating: listeners grade in this study, or the sequence is not a whole number from 1.
        UnknownStimulus: the trial does not offer this answer.
        TrialFinished, TrialNotOpen, StudyClosed: the trial does not accept answers now.
    """
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 1 <= sequence < 2**31:
        raise BadRating(_("The sequence number must be a whole number from 1."))
    trial = lock_trial(trial)
    study = trial.session.study
    if METHODS[study.method].takes_grades:
        raise BadRating(_("In this test recordings are graded, not chosen."))
    chosen = _find_chosen(trial, answer)
    check_turn(trial)
    # The trial is locked, so no other request can store a choice between these two statements.
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
