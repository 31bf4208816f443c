"""Keeping what a listener writes about a trial before it is handed in."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from listening.models import Trial
from listening.session.ratings import check_comment, clean_comment, lock_trial
from listening.session.sessions import check_open
from listening.session.stored import stored_work
from listening.study.errors import TrialFinished


@transaction.atomic
def save_comment(trial: Trial, comment: object, before: object = None) -> str:
    """Store the comment on a trial; return what is stored.

    Args:
        trial: to comment on.
        comment: text.
        before: what the page knows to be stored, as in `check_comment`; None: the last to arrive holds.

    Raises:
        BadRating: the comment is not a text, or too long.
        ElsewhereChanged: another browser stored one that this page did not know of.
        TrialFinished: the trial has been handed in.
        SessionGone: the session was deleted.
        StudyClosed: the study takes no grades.
    """
    comment = clean_comment(comment)
    trial = lock_trial(trial)
    check_open(trial.session.study)
    if trial.finished:
        raise TrialFinished(
            _("This trial has been finished; its comment can no longer be changed."), stored_work(trial)
        )
    check_comment(trial, comment, before)
    trial.comment = comment
    trial.save(update_fields=["comment"])
    return comment
