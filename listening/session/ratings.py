"""Storing what a listener does in a trial: grades, events, the end of the trial."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Message, Text
from evaluation.texts import clean_text
from listening.models import Event, Rating, Trial
from listening.session.grading import check_complete, check_score, graded_stimulus
from listening.session.sessions import check_takes_answers, finish_if_done
from listening.session.statements import Answer, Basis, note_start, store
from listening.session.stored import differs, stored_grades, stored_work
from listening.study.errors import (
    BadRating,
    ElsewhereChanged,
    SessionGone,
    TooManyEvents,
    TrialFinished,
    TrialNotOpen,
    UnknownStimulus,
)

MAX_COMMENT = 2000
MAX_WRITER = 32
MAX_EVENTS_PER_REQUEST = 500
MAX_EVENTS_PER_TRIAL = 20_000
#: So many events a trial may have when its page has just been opened, and so many more each second.
EVENTS_AT_ONCE = 500
EVENTS_PER_SECOND = 10


#: The fields needed to save a grade: studies have many large columns, and sliders change often.
_NEEDED = (
    *("session_id", "item_id", "position", "order", "comment", "started", "finished"),
    *("session__token", "session__kind", "session__instructed", "session__finished", "session__screened_out"),
    *("session__study__status", "session__study__method"),
)


@cache
def _lockable() -> QuerySet[Trial]:
    """All trials, to be locked. To say this anew for each takes half as long as to ask the database."""
    before = Trial.objects.filter(session=OuterRef("session"), position__lt=OuterRef("position"))
    waits = Exists(before.filter(finished=None))
    trials = Trial.objects.annotate(waits=waits).select_related("session__study").only(*_NEEDED)
    return trials.select_for_update(of=("self",))


def lock_trial(trial: Trial) -> Trial:
    """Lock the trial until the transaction ends; `waits` says whether an earlier one is unfinished.

    SQLite has no row locks: there the transaction took the write lock when it began.

    Raises:
        SessionGone: it was deleted, with its session.
    """
    try:
        return _lockable().get(pk=trial.pk)
    except Trial.DoesNotExist:
        raise SessionGone() from None


def check_turn(trial: Trial) -> None:
    """Check that the trial is the session's current one: trials are taken in order.

    Args:
        trial: from `lock_trial`.

    Raises:
        TrialFinished: it has been handed in.
        TrialNotOpen: it is not the current trial, or the session has ended.
        StudyClosed: the study takes no grades.
    """
    session = trial.session
    if trial.finished:
        raise TrialFinished(
            _("This trial has been finished; its grades can no longer be changed."), stored_work(trial)
        )
    check_takes_answers(session.study, session.kind)
    if session.finished or session.screened_out:
        raise TrialNotOpen(_("This session has ended."))
    if session.instructed is None:
        raise TrialNotOpen(_("Read the instructions first."))
    if trial.waits:  # type: ignore[attr-defined]
        raise TrialNotOpen(_("This page comes later in the test. Reload to go on where you are."))


def _whole_number(value: object, message: Text, low: int, high: int) -> int:
    """Return `value` if it is a whole number from `low` to `high`; JSON's true, 1.0 and "1" are not.

    Raises:
        BadRating: it is not; `message` has placeholders for `low` and `high`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRating(Message(message, low=low, high=high))
    return value


def stimulus_of_key(trial: Trial, key: object) -> int:
    """The id of the stimulus with this key. Raises `UnknownStimulus`."""
    for entry in trial.order:
        if entry["key"] == key:
            return int(entry["stimulus"])
    raise UnknownStimulus(_("There is no such recording in this trial."))


#: Message for an invalid sequence number, by which only the newest of repeated requests is kept.
SEQUENCE = _("The sequence number must be a whole number from %(low)s to %(high)s.")


def read_sequence(sequence: object) -> int:
    """The number of a change, from JSON. Raises `BadRating`."""
    return _whole_number(sequence, SEQUENCE, 1, 2**31 - 1)


def read_basis(before: object, writer: object) -> Basis:
    """What the page knew, from JSON. Raises `BadRating`."""
    if writer is None:
        writer = ""
    if not isinstance(writer, str) or len(writer) > MAX_WRITER or not writer.isprintable():
        raise BadRating(_("writer must be a text of at most %(limit)s characters."), limit=MAX_WRITER)
    if before is None:
        return Basis(None, writer)
    return Basis(_whole_number(before, SEQUENCE, 0, 2**31 - 1), writer)


#: Of a program that does not say what it knew.
UNSAID = Basis()


@transaction.atomic
def save_rating(trial: Trial, key: object, score: object, sequence: object, basis: Basis = UNSAID) -> Rating:
    """Store a grade unless a newer one is stored, or one that its page never showed; return what is stored.

    `sequence` counts the listener's changes for this stimulus. A late, repeated or second-tab
    request with an older or equal number changes nothing. However often a page without a network changed its
    grade, it does not replace one that another browser stored meanwhile.

    Args:
        trial: the stimulus is in it.
        key: of the stimulus.
        score: the grade.
        sequence: number of the change.
        basis: what the page knew.

    Raises:
        BadRating: the score is not on the method's scale, or the sequence no whole number from 1.
        UnknownStimulus: `key` is not in this trial.
        TrialFinished, TrialNotOpen, StudyClosed: it is not this trial's turn.
    """
    sequence = read_sequence(sequence)
    trial = lock_trial(trial)
    score = check_score(trial.session.study.method, score)
    stimulus = graded_stimulus(trial, key)
    check_turn(trial)
    store(answer_in(trial, stimulus, score, sequence, basis))
    return Rating.objects.get(trial=trial, stimulus_id=stimulus)


@transaction.atomic
def save_ratings(trial: Trial, scores: Mapping[str, object]) -> None:
    """Store the first grades of a trial, by key, all at once: of a program, which does not change them.

    Raises:
        BadRating, UnknownStimulus, TrialFinished, TrialNotOpen, StudyClosed: as by `save_rating`; then no
            grade is stored.
    """
    trial = lock_trial(trial)
    method = trial.session.study.method
    answers = [
        answer_in(trial, graded_stimulus(trial, key), check_score(method, score), 1, UNSAID)
        for key, score in scores.items()
    ]
    check_turn(trial)
    for answer in answers:
        store(answer)


def answer_in(trial: Trial, stimulus: int | None, score: float | None, sequence: int, basis: Basis) -> Answer:
    """The answer as `statements` takes it; `trial` is from `lock_trial`."""
    session = trial.session
    method = session.study.method
    return Answer(trial.pk, session.token, trial.position, method, stimulus, score, sequence, basis)


_MILLISECONDS = _("The time in milliseconds must be a whole number from %(low)s to %(high)s.")
_EVENT_KIND = re.compile(r"[A-Za-z0-9_-]{1,20}")


def _is_plain(detail: dict[Any, Any]) -> bool:
    """Whether every database can hold `detail` as JSON: short, ASCII, finite numbers."""
    try:
        text = json.dumps(detail, allow_nan=False)
    except ValueError:
        return False
    return len(text) <= 1000 and "\\u" not in text


def read_events(events: object) -> list[Event]:
    """Events of a page, from JSON, without their trial. Raises `BadRating`."""
    if not isinstance(events, list) or len(events) > MAX_EVENTS_PER_REQUEST:
        raise BadRating(
            _("Expected a list of at most %(limit)s events."),
            limit=MAX_EVENTS_PER_REQUEST,
        )
    return [_read_event(event) for event in events]


def _read_event(event: object) -> Event:
    if not isinstance(event, dict):
        raise BadRating(_("An event must be an object."))
    kind, detail = event.get("kind"), event.get("detail", {})
    if not isinstance(kind, str) or not _EVENT_KIND.fullmatch(kind):
        raise BadRating(_("The kind of an event must be a word of at most 20 letters."))
    if not isinstance(detail, dict) or not _is_plain(detail):
        raise BadRating(_("The detail of an event must be a small object of plain values."))
    return Event(
        sequence=_whole_number(event.get("sequence"), SEQUENCE, 1, MAX_EVENTS_PER_TRIAL),
        kind=kind,
        milliseconds=_whole_number(event.get("milliseconds"), _MILLISECONDS, 0, 2**31 - 1),
        detail=detail,
    )


@transaction.atomic
def save_events(trial: Trial, events: object) -> int:
    """Store events of the page; return the highest sequence number stored.

    Raises:
        BadRating: `events` is not a list of events.
        TooManyEvents: no page has so many so soon after it was opened.
        TrialFinished, TrialNotOpen, StudyClosed: it is not this trial's turn.
    """
    trial = lock_trial(trial)
    rows = read_events(events)
    check_turn(trial)
    check_pace(trial, rows)
    for row in rows:
        row.trial = trial
    Event.objects.bulk_create(rows, ignore_conflicts=True)
    if rows and not trial.started:
        note_start(trial, rows)
    return last_event(trial)


def check_pace(trial: Trial, events: Sequence[Event]) -> None:
    """Raise `TooManyEvents` if the trial has not been open for long enough for so many.

    Events are numbered from 1, so that the highest number bounds what one session can make the database hold,
    whichever process takes them.
    """
    seconds = (timezone.now() - trial.started).total_seconds() if trial.started else 0.0
    ahead = max((event.sequence for event in events), default=0) - EVENTS_AT_ONCE
    if ahead > EVENTS_PER_SECOND * seconds:
        raise TooManyEvents(math.ceil(ahead / EVENTS_PER_SECOND - seconds))


def last_event(trial: Trial) -> int:
    """The highest sequence number of the trial's events; 0 if there are none."""
    return trial.events.aggregate(last=Max("sequence"))["last"] or 0


def clean_comment(comment: object) -> str:
    """`comment` as it is stored. Raises `BadRating`."""
    if not isinstance(comment, str) or len(comment) > MAX_COMMENT:
        raise BadRating(_("The comment must be a text of at most %(limit)s characters."), limit=MAX_COMMENT)
    return clean_text(comment)


def check_comment(trial: Trial, comment: str, before: object) -> None:
    """Raises `ElsewhereChanged` if storing `comment` would replace one that its page never showed.

    Args:
        trial: from `lock_trial`.
        comment: from `clean_comment`.
        before: what the page knows to be stored; None from a program that does not say.
    """
    if isinstance(before, str) and trial.comment not in (comment, clean_text(before)):
        raise ElsewhereChanged(_("The comment was changed in another browser."), stored_work(trial))


@transaction.atomic
def finish_trial(trial: Trial, comment: object = "", *, before: object = None, shown: object = None) -> Trial:
    """Finish a trial, and after the last one the session. Calling it again changes nothing.

    Args:
        trial: to finish.
        comment: the listener's comment on it.
        before: the comment that the page believes to be stored (`check_comment`).
        shown: the scores that the page shows, by key: what the listener submits; None if the client does
            not send them.

    Raises:
        GradesMissing: a stimulus has no grade (M12), or no answer was chosen.
        GradesUnfit: the method does not allow this combination of grades.
        BadRating: the comment is not a text, or too long.
        ElsewhereChanged: the page shows other grades, or expects another comment, than are stored.
        TrialFinished: the trial was finished before, with other grades or another comment.
        TrialNotOpen, StudyClosed: this trial is not the current one, or the study accepts no grades.
    """
    comment = clean_comment(comment)
    trial = lock_trial(trial)
    if trial.finished:
        if isinstance(shown, dict) and (differs(shown, stored_grades(trial)) or comment != trial.comment):
            raise TrialFinished(
                _("This page was handed in from another browser, with other answers."), stored_work(trial)
            )
        return trial
    check_turn(trial)
    if isinstance(shown, dict) and differs(shown, stored_grades(trial)):
        raise ElsewhereChanged(
            _(
                "The grades were changed in another browser. "
                "They are shown now: press Next if they are right."
            ),
            stored_work(trial),
        )
    check_comment(trial, comment, before)
    check_complete(trial)
    trial.comment = comment
    trial.finished = timezone.now()
    trial.save(update_fields=["comment", "finished"])
    finish_if_done(trial.session)
    return trial
