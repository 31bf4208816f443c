"""Keeping what a listener does in a trial: grades, events, the end of the trial."""

from __future__ import annotations

import json
import re
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Message, Text
from evaluation.texts import clean_text
from listening.models import Event, Rating, Session, Trial
from listening.session.grading import check_complete, check_score, graded_stimulus
from listening.session.sessions import check_open, finish_if_done
from listening.study.errors import BadRating, TrialFinished, TrialNotOpen, UnknownStimulus

MAX_COMMENT = 2000
MAX_EVENTS_PER_REQUEST = 500
MAX_EVENTS_PER_TRIAL = 20_000


#: What saving a grade looks at. Studies have many large columns, and every change of a slider passes here.
_NEEDED = (
    *("session_id", "item_id", "position", "order", "comment", "finished"),
    *("session__kind", "session__instructed", "session__finished", "session__screened_out"),
    *("session__study__status", "session__study__method"),
)


def lock_trial(trial: Trial) -> Trial:
    """The trial as it is now, locked until the transaction ends; `waits` if one before it is unfinished.

    SQLite has no row locks: there the transaction took the write lock when it began.
    """
    before = Trial.objects.filter(session=OuterRef("session"), position__lt=OuterRef("position"))
    before = before.filter(finished=None)
    trials = Trial.objects.annotate(waits=Exists(before)).select_related("session__study").only(*_NEEDED)
    return trials.select_for_update(of=("self",)).get(pk=trial.pk)


def check_turn(trial: Trial) -> None:
    """Grades go to one trial, that of the page which the listener is on: trials are taken in order.

    Args:
        trial: from `lock_trial`.

    Raises:
        TrialFinished: it has been handed in.
        TrialNotOpen: its turn has not come, or the session has ended.
        StudyClosed: the study takes no grades.
    """
    session = trial.session
    if trial.finished:
        raise TrialFinished(_("This trial has been finished; its grades can no longer be changed."))
    if session.kind != Session.Kind.SIMULATED:
        check_open(session.study)
    if session.finished or session.screened_out:
        raise TrialNotOpen(_("This session has ended."))
    if session.instructed is None:
        raise TrialNotOpen(_("Read the instructions first."))
    if trial.waits:  # type: ignore[attr-defined]
        raise TrialNotOpen(_("It is not the turn of this page yet. Reload to go on where you are."))


def _whole_number(value: object, message: Text, low: int, high: int) -> int:
    """`value`, if it is a whole number from `low` to `high`; JSON's true, 1.0 and "1" are none.

    Raises:
        BadRating: it is not; `message` has places for both.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRating(Message(message, low=low, high=high))
    return value


def stimulus_of_key(trial: Trial, key: object) -> int:
    """The id of the stimulus behind a presented key. Raises `UnknownStimulus`."""
    for entry in trial.order:
        if entry["key"] == key:
            return int(entry["stimulus"])
    raise UnknownStimulus(_("There is no such recording in this trial."))


@transaction.atomic
def save_rating(trial: Trial, key: object, score: object, sequence: object) -> Rating:
    """Store a grade unless a newer one is there; return what is stored then.

    `sequence` counts the listener's changes of this stimulus. A late, repeated or second-tab
    request with an older or equal number changes nothing.

    Raises:
        BadRating: the score is not on the method's scale, or the sequence no whole number from 1.
        UnknownStimulus: `key` is not in this trial.
        TrialFinished, TrialNotOpen, StudyClosed: it is not this trial's turn.
    """
    sequence = _whole_number(sequence, SEQUENCE, 1, 2**31 - 1)
    trial = lock_trial(trial)
    score = check_score(trial.session.study.method, score)
    stimulus = graded_stimulus(trial, key)
    check_turn(trial)
    # Whoever changes this trial's grades holds its lock, so nobody comes between these two.
    rating = Rating.objects.filter(trial=trial, stimulus_id=stimulus).first()
    if rating is None:
        return Rating.objects.create(trial=trial, stimulus_id=stimulus, score=score, sequence=sequence)
    if sequence > rating.sequence:
        rating.score, rating.sequence = score, sequence
        rating.save(update_fields=["score", "sequence", "updated"])
    return rating


#: Of what the page sends twice only the newest is kept.
SEQUENCE = _("The sequence number must be a whole number from %(low)s to %(high)s.")
_MILLISECONDS = _("The time in milliseconds must be a whole number from %(low)s to %(high)s.")
_EVENT_KIND = re.compile(r"[A-Za-z0-9_-]{1,20}")


def _is_plain(detail: dict[Any, Any]) -> bool:
    """Whether every database can hold `detail` as JSON: short, ASCII, finite numbers."""
    try:
        text = json.dumps(detail, allow_nan=False)
    except ValueError:
        return False
    return len(text) <= 1000 and "\\u" not in text


@transaction.atomic
def save_events(trial: Trial, events: object) -> int:
    """Store what happened in the page; return the highest sequence number stored.

    Raises:
        BadRating: `events` is not a list of events.
        TrialFinished, TrialNotOpen, StudyClosed: it is not this trial's turn.
    """
    if not isinstance(events, list) or len(events) > MAX_EVENTS_PER_REQUEST:
        raise BadRating(
            _("Expected a list of at most %(limit)s events."),
            limit=MAX_EVENTS_PER_REQUEST,
        )
    rows = []
    trial = lock_trial(trial)
    for event in events:
        if not isinstance(event, dict):
            raise BadRating(_("An event must be an object."))
        kind, detail = event.get("kind"), event.get("detail", {})
        if not isinstance(kind, str) or not _EVENT_KIND.fullmatch(kind):
            raise BadRating(_("The kind of an event must be a word of at most 20 letters."))
        if not isinstance(detail, dict) or not _is_plain(detail):
            raise BadRating(_("The detail of an event must be a small object of plain values."))
        rows.append(
            Event(
                trial=trial,
                sequence=_whole_number(event.get("sequence"), SEQUENCE, 1, MAX_EVENTS_PER_TRIAL),
                kind=kind,
                milliseconds=_whole_number(event.get("milliseconds"), _MILLISECONDS, 0, 2**31 - 1),
                detail=detail,
            )
        )
    check_turn(trial)
    Event.objects.bulk_create(rows, ignore_conflicts=True)
    return last_event(trial)


def last_event(trial: Trial) -> int:
    """The highest sequence number of the trial's events; 0 if there are none."""
    return trial.events.aggregate(last=Max("sequence"))["last"] or 0


@transaction.atomic
def finish_trial(trial: Trial, comment: object = "") -> Trial:
    """Hand a trial in, and with the last one the session. Doing it again changes nothing.

    Raises:
        GradesMissing: not every stimulus has a grade (M12), or no answer was chosen.
        GradesUnfit: the grades are there, but the method does not allow them together.
        BadRating: the comment is not a text, or too long.
        TrialNotOpen, StudyClosed: it is not this trial's turn.
    """
    if not isinstance(comment, str) or len(comment) > MAX_COMMENT:
        raise BadRating(_("The comment must be a text of at most %(limit)s characters."), limit=MAX_COMMENT)
    trial = lock_trial(trial)
    if trial.finished:
        return trial
    check_turn(trial)
    check_complete(trial)
    trial.comment = clean_text(comment)
    trial.finished = timezone.now()
    trial.save(update_fields=["comment", "finished"])
    finish_if_done(trial.session)
    return trial
