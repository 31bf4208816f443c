"""The statements that store grades, choices and events; each checks in SQL what may have changed since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils import timezone

from listening.models import Choice, Event, Rating, Session, Study, Trial
from listening.session.commits import GroupCommit

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class Basis:
    """What a page knew when it changed a grade.

    Attributes:
        before: the sequence number that the server named last, 0 for no grade; None from a program that does
            not say.
        writer: token of the page's browser; "" from a program that does not say.
    """

    before: int | None = None
    writer: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A grade, or the choice of a signal, on its way into the database.

    Attributes:
        trial: id of the trial.
        token: of the session that the trial belongs to.
        position: of the trial in it.
        method: of the study, by which `score` and `stimulus` were checked.
        stimulus: id of the stimulus that is graded, or chosen; None: "no preference".
        score: the grade; None: this is a choice.
        sequence: number of the change; only a higher one than the stored one replaces it.
        basis: what the page knew.
        events: what happened in the page by then; stored with the grade, each once.
    """

    trial: int
    token: str
    position: int
    method: str
    stimulus: int | None
    score: float | None
    sequence: int
    basis: Basis
    events: tuple[Event, ...] = ()


#: A trial that takes answers now. `listening.session.ratings.check_turn` says in words which does not.
_TURN = f"""
    FROM {Trial._meta.db_table} trial
    JOIN {Session._meta.db_table} session ON session.id = trial.session_id
    JOIN {Study._meta.db_table} study ON study.id = session.study_id
    WHERE trial.id = %s AND trial.position = %s AND session.token = %s AND study.method = %s
      AND trial.finished IS NULL AND session.finished IS NULL AND session.screened_out IS NULL
      AND session.instructed IS NOT NULL
      AND (study.status = '{Study.Status.OPEN}' OR session.kind = '{Session.Kind.SIMULATED}'
           OR (session.kind = '{Session.Kind.PREVIEW}' AND study.status <> '{Study.Status.PREPARING}'))
      AND NOT EXISTS (
        SELECT 1 FROM {Trial._meta.db_table} earlier
        WHERE earlier.session_id = trial.session_id AND earlier.position < trial.position
          AND earlier.finished IS NULL)
"""  # noqa: S608  (names of our own tables)
#: A stored answer is replaced by a newer one from a page that showed it, or from the browser that sent it.
_MAY_REPLACE = """
    stored.sequence < excluded.sequence
    AND (COALESCE(CAST(%s AS bigint), stored.sequence) = stored.sequence
         OR (excluded.writer <> '' AND stored.writer = excluded.writer))
"""
_GRADE = f"""
    INSERT INTO {Rating._meta.db_table} AS stored
      (trial_id, stimulus_id, score, sequence, writer, created, updated)
    SELECT trial.id, CAST(%s AS bigint), CAST(%s AS double precision), CAST(%s AS bigint), %s,
      {{time}}, {{time}}
    {_TURN} {{lock}}
    ON CONFLICT (trial_id, stimulus_id) DO UPDATE
      SET score = excluded.score, sequence = excluded.sequence, writer = excluded.writer,
          updated = excluded.updated
      WHERE {_MAY_REPLACE}
    RETURNING sequence
"""  # noqa: S608
_CHOICE = f"""
    INSERT INTO {Choice._meta.db_table} AS stored (trial_id, chosen_id, sequence, writer, created, updated)
    SELECT trial.id, CAST(%s AS bigint), CAST(%s AS bigint), %s, {{time}}, {{time}}
    {_TURN} {{lock}}
    ON CONFLICT (trial_id) DO UPDATE
      SET chosen_id = excluded.chosen_id, sequence = excluded.sequence, writer = excluded.writer,
          updated = excluded.updated
      WHERE {_MAY_REPLACE}
    RETURNING sequence
"""  # noqa: S608
_EVENT = f"""
    INSERT INTO {Event._meta.db_table} (trial_id, sequence, kind, milliseconds, detail)
    SELECT trial.id, CAST(%s AS bigint), %s, CAST(%s AS bigint), {{json}}
    {_TURN}
    ON CONFLICT DO NOTHING
"""
#: The page says how long ago it was opened, but not before it was this trial's turn.
_START = f"""
    UPDATE {Trial._meta.db_table} SET started = (
      SELECT {{latest}}({{time}}, session.instructed, COALESCE(
        (SELECT MAX(before.finished) FROM {Trial._meta.db_table} before
         WHERE before.session_id = trial.session_id AND before.position < trial.position),
        session.instructed))
      {_TURN})
    WHERE id = %s AND started IS NULL
"""  # noqa: S608

#: What the databases write differently. SQLite has one writer at a time; PostgreSQL locks the trial's row, so
#: that the statement waits for a page that is being handed in and then sees that it was.
_DIALECTS = {
    "sqlite": {"time": "%s", "json": "%s", "lock": "", "latest": "MAX"},
    "postgresql": {
        "time": "CAST(%s AS timestamptz)",
        "json": "CAST(%s AS jsonb)",
        "lock": "FOR NO KEY UPDATE OF trial",
        "latest": "GREATEST",
    },
}
_Statement = tuple[str, tuple[Any, ...]]


def _write(template: str) -> str:
    return template.format_map(_DIALECTS[connection.vendor])


def _statements(answer: Answer) -> list[_Statement]:
    """The statements that store an answer: its own, which returns a row if it stored it, then its events'."""
    now = _time(timezone.now())
    turn = (answer.trial, answer.position, answer.token, answer.method)
    given = (answer.stimulus,) if answer.score is None else (answer.stimulus, answer.score)
    change = (answer.sequence, answer.basis.writer, now, now)
    template = _CHOICE if answer.score is None else _GRADE
    return [
        (_write(template), (*given, *change, *turn, answer.basis.before)),
        *((_write(_EVENT), (*_values(event), *turn)) for event in answer.events),
        *([_start(turn, answer.events)] if any(event.sequence == 1 for event in answer.events) else []),
    ]


def _values(event: Event) -> tuple[Any, ...]:
    return event.sequence, event.kind, event.milliseconds, json.dumps(event.detail)


def _start(turn: tuple[Any, ...], events: Sequence[Event]) -> _Statement:
    """Note when the trial's page was opened: so long ago as the last of its events says."""
    ago = timedelta(milliseconds=max(event.milliseconds for event in events))
    return _write(_START), (_time(timezone.now() - ago), *turn, turn[0])


def _time(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)


def store(answer: Answer) -> bool:
    """Store an answer within the transaction that is open; False if the trial does not take it (now)."""
    with connection.cursor() as cursor:
        answers = []
        for sql, values in _statements(answer):
            cursor.execute(sql, values)
            answers.append(cursor.fetchone() if cursor.description else None)
    return answers[0] is not None


def note_start(trial: Trial, events: Sequence[Event]) -> None:
    """Note when a trial's page was opened, from the first events that come of it."""
    turn = (trial.pk, trial.position, trial.session.token, trial.session.study.method)
    with connection.cursor() as cursor:
        cursor.execute(*_start(turn, events))


def _store_together(answers: Sequence[Answer]) -> list[bool]:
    """Store answers with one commit, on this thread's connection; see `store`."""
    connection.ensure_connection()
    try:
        with connection.wrap_database_errors:
            on = _on_sqlite if connection.vendor == "sqlite" else _on_postgresql
            return on(connection.connection, answers)
    except Exception:
        # In whatever state it is: the next request opens another one.
        connection.close()
        raise


def _on_sqlite(raw: Any, answers: Sequence[Answer]) -> list[bool]:
    raw.execute("BEGIN IMMEDIATE")
    stored = []
    for answer in answers:
        rows = [raw.execute(sql.replace("%s", "?"), values).fetchone() for sql, values in _statements(answer)]
        stored.append(rows[0] is not None)
    raw.execute("COMMIT")
    return stored


def _on_postgresql(raw: psycopg.Connection[Any], answers: Sequence[Answer]) -> list[bool]:
    """One round trip: the statements are sent without waiting for each other's results.

    Trials are locked in the same order everywhere, so that no two groups wait for each other.
    """
    from psycopg import Cursor  # it is installed where PostgreSQL is used

    places = sorted(range(len(answers)), key=lambda place: answers[place].trial)
    first: dict[int, psycopg.Cursor[Any]] = {}
    with raw.pipeline():
        raw.execute("BEGIN")
        for place in places:
            for number, (sql, values) in enumerate(_statements(answers[place])):
                cursor = Cursor(raw)
                cursor.execute(sql, values, prepare=True)
                if number == 0:
                    first[place] = cursor
        raw.execute("COMMIT")
    return [first[place].fetchone() is not None for place in range(len(answers))]


_group: GroupCommit[Answer, bool] = GroupCommit(_store_together)


def store_durably(answer: Answer) -> bool:
    """Store an answer and return when it is on disk; False if the trial does not take it (now).

    Concurrent requests share a commit. Within a transaction, `store` is called instead.
    """
    if connection.in_atomic_block:
        return store(answer)
    return _group.submit(answer)
