"""Storing which signal a listener chose: as equal to X, or as preferred."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from listening.methods import METHODS, NO_PREFERENCE
from listening.models import Choice, Trial
from listening.session.ratings import UNSAID, answer_in, check_turn, lock_trial, read_sequence
from listening.session.statements import Basis, store
from listening.study.errors import BadRating, UnknownStimulus


@transaction.atomic
def save_choice(trial: Trial, answer: object, sequence: object, basis: Basis = UNSAID) -> Choice:
    """Store an answer unless a newer one is stored, or one that its page never showed; return what is stored.

    `answer` is the key of signal A or B of the trial, or `NO_PREFERENCE` if the study offers it;
    `sequence` counts the listener's changes, and `basis` is what the page knew, as in `save_rating`.

    Raises:
        BadRating: listeners grade in this study, or the sequence is not a whole number from 1.
        UnknownStimulus: the trial does not offer this answer.
        TrialFinished, TrialNotOpen, StudyClosed: the trial does not accept answers now.
    """
    sequence = read_sequence(sequence)
    trial = lock_trial(trial)
    study = trial.session.study
    if METHODS[study.method].takes_grades:
        raise BadRating(_("In this test recordings are graded, not chosen."))
    answers = list_answers(trial)
    if not isinstance(answer, str) or answer not in answers:
        raise UnknownStimulus(_("There is no such answer in this trial."))
    check_turn(trial)
    store(answer_in(trial, answers[answer], None, sequence, basis))
    return Choice.objects.get(trial=trial)


def list_answers(trial: Trial) -> dict[str, int | None]:
    """The answers that a trial offers, each with the id of the stimulus that it chooses.

    None stands for "no preference".
    """
    study = trial.session.study
    method = METHODS[study.method]
    chosen: dict[str, int | None] = {
        entry["key"]: int(entry["stimulus"]) for entry in trial.order if entry.get("role") in method.answers
    }
    if method.offers_no_preference(study.method_options):
        chosen[NO_PREFERENCE] = None
    return chosen
