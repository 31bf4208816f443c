"""Stores a listener's comment while the trial is in progress."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from listening.models import Trial
from listening.session.ratings import check_comment, clean_comment, lock_trial
from listening.session.sessions import check_takes_answers
from listening.session.stored import stored_work
from listening.study.errors import TrialFinished


@transaction.atomic
def save_comment(trial: Trial, comment: object, before: object = None) -> str:
    """Store the comment on a trial; return what is stored.

    Args:
        trial: to comment on.
        comment: text.
        before: the comment that the page believes to be stored, as in `check_comment`; None: overwrite any.

    Raises:
        BadRating: the comment is not a text, or too long.
        ElsewhereChanged: another browser has stored a comment that this page does not know.
        TrialFinished: the trial is finished.
        SessionGone: the session was deleted.
        StudyClosed: the study accepts no grades.
    """
    comment = clean_comment(comment)
    trial = lock_trial(trial)
    check_takes_answers(trial.session.study, trial.session.kind)
    if trial.finished:
        raise TrialFinished(
            _("This trial has been finished; its comment can no longer be changed."), stored_work(trial)
        )
    check_comment(trial, comment, before)
    trial.comment = comment
    trial.save(update_fields=["comment"])
    return comment
