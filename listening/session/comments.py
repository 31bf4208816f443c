"""Keeping what a listener writes about a trial before it is handed in."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from evaluation.texts import clean_text
from listening.models import Trial
from listening.session.ratings import MAX_COMMENT
from listening.session.sessions import check_open
from listening.study.errors import BadRating, TrialFinished


def save_comment(trial: Trial, comment: object) -> None:
    """Store the comment on a trial; the last to arrive holds.

    Raises:
        BadRating: the comment is not a text, or too long.
        TrialFinished: the trial has been handed in.
        StudyClosed: the study takes no grades.
    """
    if not isinstance(comment, str) or len(comment) > MAX_COMMENT:
        raise BadRating(_("The comment must be a text of at most %(limit)s characters."), limit=MAX_COMMENT)
    check_open(trial.session.study)
    # One statement, so that no lock is needed.
    stored = Trial.objects.filter(pk=trial.pk, finished=None).update(comment=clean_text(comment))
    if not stored:
        raise TrialFinished(_("This trial has been finished; its comment can no longer be changed."))
