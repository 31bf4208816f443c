"""The short way of a grade: it stores what the ordinary way would store, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event as Signal
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from listening.models import Event, Rating, Session, Study, Trial
from listening.session import quick, statements
from listening.session.commits import GroupCommit
from listening.session.ratings import EVENTS_AT_ONCE, EVENTS_PER_SECOND, check_turn, lock_trial
from listening.session.statements import Answer, Basis, store
from listening.study.errors import StudyError
from tests.problems import detail_of


@pytest.fixture
def trial(session: Session) -> Trial:
    """The first trial of a listener who read the instructions a minute ago."""
    Session.objects.update(instructed=timezone.now() - timedelta(minutes=1))
    return session.trials.get(position=1)


def answer_of(trial: Trial, sequence: int = 1, basis: Basis = Basis(), score: float = 50.0) -> Answer:  # noqa: B008
    session = trial.session
    return Answer(
        trial.pk,
        session.token,
        trial.position,
        session.study.method,
        trial.order[0]["stimulus"],
        score,
        sequence,
        basis,
    )


def takes(trial: Trial) -> bool:
    """What the ordinary way says, which finds words for its refusals."""
    try:
        check_turn(lock_trial(trial))
    except StudyError:
        return False
    return True


KINDS = (Session.Kind.REAL, Session.Kind.PILOT, Session.Kind.SIMULATED, Session.Kind.PREVIEW)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", Study.Status.values)
def test_the_statement_takes_the_turns_that_the_words_take(trial: Trial, kind: str, status: str) -> None:
    now = timezone.now()
    Study.objects.update(status=status)
    expected = status == "open" or kind == "simulated" or (kind == "preview" and status != "preparing")
    untouched = {"finished": None, "screened_out": None, "instructed": now}
    for changes in ({}, {"finished": now}, {"screened_out": now}, {"instructed": None}):
        Session.objects.update(kind=kind, **(untouched | changes))
        for first_done in (None, now):
            Trial.objects.filter(position=1).update(finished=first_done)
            for position in (1, 2):
                Rating.objects.all().delete()
                asked = Trial.objects.select_related("session__study").get(position=position)
                its_turn = (position == 1) is (first_done is None)
                told = store(answer_of(asked))
                assert told is (expected and its_turn and not changes), (changes, first_done, position)
                assert told is takes(asked) is Rating.objects.exists()


def test_an_answer_to_something_else_is_not_stored(trial: Trial, make_study: Any) -> None:
    right = answer_of(trial)
    others = [{"token": "x"}, {"position": 2}, {"method": "abx"}, {"trial": trial.pk + 1}, {"trial": 10**9}]
    for other in others:
        assert not store(replace(right, **other)), other
    assert not Rating.objects.exists()
    assert store(right)


@pytest.mark.parametrize(
    ("sequence", "before", "writer", "replaces"),
    # Stored is change 4 of the browser "ours".
    [
        (5, None, "", True),  # a program that does not say what it knew
        (4, None, "", False),
        (3, None, "", False),
        (5, 4, "theirs", True),  # it showed what is stored
        (5, 3, "theirs", False),  # it never showed it
        (5, 0, "theirs", False),
        (9, 3, "ours", True),  # it sent it, and has not seen the answer
        (4, 3, "ours", False),
        (9, 5, "ours", True),
        (9, 3, "", False),
        (9, 4, "", True),
    ],
)
def test_what_replaces_a_stored_grade(
    trial: Trial, sequence: int, before: int | None, writer: str, replaces: bool
) -> None:
    assert store(answer_of(trial, 4, Basis(0, "ours"), 10.0))
    assert store(answer_of(trial, sequence, Basis(before, writer), 90.0)) is replaces
    stored = Rating.objects.get()
    expected = (90.0, sequence, writer) if replaces else (10.0, 4, "ours")
    assert (stored.score, stored.sequence, stored.writer) == expected
    assert stored.created <= stored.updated <= timezone.now()


def test_a_browser_without_a_token_owns_nothing(trial: Trial) -> None:
    store(answer_of(trial, 4, Basis(0, "")))
    assert not store(answer_of(trial, 9, Basis(3, "")))


def test_the_short_way_is_taken(client: Client, trial: Trial, django_assert_num_queries: Any) -> None:
    def send(sequence: int) -> Any:
        body = {"key": trial.order[0]["key"], "score": 40, "sequence": sequence}
        address = reverse("save_rating", args=[trial.session.token, trial.position])
        return client.post(address, json.dumps(body), content_type="application/json")

    assert send(1).json() == {"sequence": 1, "score": 40.0}
    with django_assert_num_queries(1):
        assert send(2).json() == {"sequence": 2, "score": 40.0}
    # What was remembered is forgotten where it is no longer true.
    Trial.objects.filter(pk=trial.pk).update(position=99)
    assert send(3).status_code == 404
    assert Rating.objects.get().sequence == 2


EVENT = {"kind": "play", "milliseconds": 1500, "detail": {"sound": "a"}}


def post(client: Client, trial: Trial, what: str, body: Any) -> Any:
    address = reverse(what, args=[trial.session.token, trial.position])
    return client.post(address, json.dumps(body), content_type="application/json")


def test_events_come_with_a_grade(client: Client, trial: Trial) -> None:
    events = [EVENT | {"sequence": number} for number in (1, 2)]
    body = {"key": trial.order[0]["key"], "score": 40, "sequence": 1, "events": events}
    for _ in range(2):  # a repeated request is an older one, which takes the ordinary way
        answer = post(client, trial, "save_rating", body)
        assert answer.json() == {"sequence": 1, "score": 40, "events": 2}
    assert list(Event.objects.values_list("sequence", "kind", "milliseconds", "detail")) == [
        (1, "play", 1500, {"sound": "a"}),
        (2, "play", 1500, {"sound": "a"}),
    ]
    trial.refresh_from_db()
    assert trial.started is not None
    assert 1.5 <= (timezone.now() - trial.started).total_seconds() < 600


@pytest.mark.parametrize("events", ["x", [{}], [EVENT], [EVENT | {"sequence": 0}]])
def test_bad_events_do_not_hold_up_a_grade(client: Client, trial: Trial, events: Any) -> None:
    body = {"key": trial.order[0]["key"], "score": 40, "sequence": 1, "events": events}
    assert post(client, trial, "save_rating", body).json() == {"sequence": 1, "score": 40}
    assert not Event.objects.exists()


def test_a_page_that_sends_too_much_waits(client: Client, trial: Trial) -> None:
    def send(*numbers: int) -> Any:
        return post(client, trial, "save_events", {"events": [EVENT | {"sequence": n} for n in numbers]})

    assert send(1, EVENTS_AT_ONCE).status_code == 200
    refused = send(EVENTS_AT_ONCE + 10 * EVENTS_PER_SECOND)
    assert "sends too much" in detail_of(refused, 429)
    assert refused["Retry-After"] in ("8", "9")  # the page says that it was opened 1.5 s before
    body = {"key": trial.order[0]["key"], "score": 40, "sequence": 1}
    body["events"] = [EVENT | {"sequence": EVENTS_AT_ONCE + 10 * EVENTS_PER_SECOND}]
    assert post(client, trial, "save_rating", body).json() == {"sequence": 1, "score": 40}
    assert Event.objects.count() == 2
    Trial.objects.filter(pk=trial.pk).update(started=timezone.now() - timedelta(seconds=60))
    assert send(EVENTS_AT_ONCE + 10 * EVENTS_PER_SECOND).status_code == 200


def test_a_page_cannot_say_that_it_was_opened_before_its_turn(client: Client, trial: Trial) -> None:
    """As the pace is measured from then on, and exports give the time that a trial took."""
    session = trial.session
    ages = {"sequence": 1, "kind": "open", "milliseconds": 2**31 - 1, "detail": {}}
    later = session.trials.get(position=2)
    assert post(client, later, "save_events", {"events": [ages]}).status_code == 409
    body = {"key": later.order[0]["key"], "score": 1, "sequence": 1, "events": [ages]}
    assert post(client, later, "save_rating", body).status_code == 409
    for what, sent in (
        ("save_rating", body | {"key": trial.order[0]["key"]}),
        ("save_events", {"events": [ages]}),
    ):
        Trial.objects.update(started=None)
        Event.objects.all().delete()
        Rating.objects.all().delete()
        assert post(client, trial, what, sent).status_code == 200
        trial.refresh_from_db()
        later.refresh_from_db()
        session.refresh_from_db()
        assert (trial.started, later.started) == (session.instructed, None), what
    many = {"events": [ages | {"sequence": EVENTS_AT_ONCE + 3000}]}
    assert post(client, trial, "save_events", many).status_code == 429
    # The second trial's turn begins when the first is handed in.
    Trial.objects.filter(pk=trial.pk).update(finished=timezone.now())
    assert post(client, later, "save_events", {"events": [ages]}).status_code == 200
    later.refresh_from_db()
    trial.refresh_from_db()
    assert later.started == trial.finished


def test_a_commit_is_shared_by_those_who_wait_for_it() -> None:
    first_is_in, go = Signal(), Signal()
    groups: list[list[int]] = []

    def save(works: Sequence[int]) -> list[int]:
        groups.append(sorted(works))
        if len(groups) == 1:
            first_is_in.set()
            assert go.wait(30)
        if 13 in works:
            raise DatabaseError("full")
        return [10 * work for work in works]

    group: GroupCommit[int, int] = GroupCommit(save)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(group.submit, 1)
        assert first_is_in.wait(30)
        others = [pool.submit(group.submit, number) for number in (2, 3, 13)]
        while len(group._waiting) < 3:
            pass
        go.set()
        assert first.result() == 10
        for other in others:
            with pytest.raises(DatabaseError, match="full"):
                other.result()
    assert groups == [[1], [2, 3, 13]]
    assert group.submit(4) == 40  # what failed does not stay


def test_a_thread_that_is_stopped_leaves_nobody_waiting() -> None:
    is_in, go = Signal(), Signal()

    def save(works: Sequence[int]) -> list[int]:
        if works == [1]:
            is_in.set()
            assert go.wait(30)
            raise SystemExit
        return list(works)

    group: GroupCommit[int, int] = GroupCommit(save)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(group.submit, 1)
        assert is_in.wait(30)
        second = pool.submit(group.submit, 2)
        while not group._waiting:
            pass
        go.set()
        assert isinstance(first.exception(30), SystemExit)
        assert second.result(30) == 2


def test_threads_store_their_grades_together(transactional_db: None, session: Session) -> None:
    trial = session.trials.get(position=1)
    keys = [entry["key"] for entry in trial.order]

    def save(place: int) -> Any:
        body = {"key": keys[place % len(keys)], "score": place, "sequence": 1 + place}
        try:
            return quick.save_answer(session.token, 1, json.dumps(body).encode(), chooses=False)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(save, range(40)))
    assert {answer["sequence"] for answer in answers if answer} >= set(range(36, 41))
    stored = dict(Rating.objects.values_list("sequence", "score"))
    assert stored == {place + 1: float(place) for place in range(35, 40)}


def test_a_database_that_fails_stores_nothing_and_the_next_grade_goes_on(
    transactional_db: None, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"key": session.trials.get(position=1).order[0]["key"], "score": 5, "sequence": 1})
    with monkeypatch.context() as patch:
        patch.setattr(statements, "_GRADE", statements._GRADE.replace("stimulus_id", "no_such_column"))
        assert quick.save_answer(session.token, 1, body.encode(), chooses=False) is None
    assert not Rating.objects.exists()
    assert quick.save_answer(session.token, 1, body.encode(), chooses=False) == {"sequence": 1, "score": 5.0}
    assert Rating.objects.get().score == 5.0
