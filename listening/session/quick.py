"""The short way of a grade: checked against what cannot change, stored by one statement with a shared commit.

What this way does not take (a refusal, an older change, another browser's grade, a database that fails) goes
the ordinary way through `ratings` and `choices`, which finds out why and says so.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from django.db import DatabaseError

from evaluation.columns import JsonObject
from evaluation.refusals import Refusal
from listening.methods import METHODS
from listening.models import Event, Trial
from listening.session.choices import list_answers
from listening.session.grading import check_score, graded_signals, graded_stimulus
from listening.session.ratings import EVENTS_AT_ONCE, read_basis, read_events, read_sequence
from listening.session.statements import Answer, store_durably

#: Trials whose facts a process remembers: some 2 kB each.
REMEMBERED = 5000


@dataclass(frozen=True, slots=True)
class Facts:
    """What never changes of a trial, or is checked by the statement that stores an answer.

    Attributes:
        trial: its id.
        method: slug of the study's method.
        stimuli: the stimulus that is graded under a key or, where listeners choose, meant by an answer.
    """

    trial: int
    method: str
    stimuli: Mapping[str, int | None]


_facts: OrderedDict[tuple[str, int], Facts] = OrderedDict()
_lock = Lock()


def _facts_of(token: str, position: int) -> Facts | None:
    with _lock:
        if (token, position) in _facts:
            _facts.move_to_end((token, position))
            return _facts[token, position]
    trials = Trial.objects.select_related("session__study").defer("comment")
    trial = trials.filter(session__token=token, position=position).first()
    if trial is None:
        return None
    facts = _read_facts(trial)
    with _lock:
        _facts[token, position] = facts
        if len(_facts) > REMEMBERED:
            _facts.popitem(last=False)
    return facts


def _read_facts(trial: Trial) -> Facts:
    study = trial.session.study
    method = METHODS[study.method]
    if not method.takes_grades:
        return Facts(trial.pk, study.method, list_answers(trial))
    graded = [entry["key"] for entry in graded_signals(trial)]
    return Facts(trial.pk, study.method, {key: graded_stimulus(trial, key) for key in graded})


def _forget(token: str, position: int) -> None:
    with _lock:
        _facts.pop((token, position), None)


def save_answer(token: str, position: int, data: bytes, *, chooses: bool) -> JsonObject | None:
    """Store a grade or a choice that a page sent, with the events that came with it.

    Args:
        token: of the session.
        position: of the trial.
        data: the body of the request: JSON.
        chooses: whether the page says that its listener chose.

    Returns:
        what the database holds now, once it is on disk; None if nothing was stored: take the ordinary way.
    """
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    facts = _facts_of(token, position) if isinstance(body, dict) else None
    if facts is None or METHODS[facts.method].takes_grades is chooses:
        return None
    key = body.get("score" if chooses else "key")
    if not isinstance(key, str) or key not in facts.stimuli:
        return None
    try:
        score = None if chooses else check_score(facts.method, body.get("score"))
        sequence = read_sequence(body.get("sequence"))
        basis = read_basis(body.get("before"), body.get("writer"))
        events = _early_events(body.get("events", []))
    except Refusal:
        return None
    answer = Answer(
        facts.trial, token, position, facts.method, facts.stimuli[key], score, sequence, basis, events
    )
    try:
        is_stored = store_durably(answer)
    except (DatabaseError, InterruptedError):
        is_stored = False
    if not is_stored:
        _forget(token, position)
        return None
    stored: JsonObject = {"sequence": sequence, "score": key if chooses else score}
    if events:
        stored["events"] = max(event.sequence for event in events)
    return stored


def _early_events(events: object) -> tuple[Event, ...]:
    """The events that came with an answer; none if there are so many that their pace has to be checked."""
    read = read_events(events)
    return () if any(event.sequence > EVENTS_AT_ONCE for event in read) else tuple(read)
