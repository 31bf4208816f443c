"""Grades: what is refused, what a late request may do, and what threads do to each other."""

from __future__ import annotations

import io
import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from listening.models import Event, Rating, Session, Study, Trial
from listening.session.ratings import finish_trial, save_rating, save_ratings
from listening.session.sessions import start_session
from listening.study.errors import BadRating, TrialFinished, UnknownStimulus
from listening.study.studies import close_study
from tests.listening.conftest import grade, listen
from tests.problems import detail_of


@pytest.fixture
def trial(session: Session) -> Trial:
    return session.trials.get(position=1)


def send(client: Client, trial: Trial, what: str, body: Any) -> Any:
    url = reverse(what, args=[trial.session.token, trial.position])
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post(url, text, content_type="application/json")


def key_of(trial: Trial, place: int = 0) -> str:
    return str(trial.order[place]["key"])


def test_a_grade_is_stored_and_a_newer_one_replaces_it(client: Client, trial: Trial) -> None:
    answer = send(client, trial, "save_rating", {"key": key_of(trial), "score": 72, "sequence": 1})
    assert (answer.status_code, answer.json()) == (200, {"sequence": 1, "score": 72})
    assert answer["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    answer = send(client, trial, "save_rating", {"key": key_of(trial), "score": 31, "sequence": 4})
    assert answer.json() == {"sequence": 4, "score": 31}
    rating = Rating.objects.get()
    assert (rating.score, rating.sequence, rating.stimulus_id) == (31, 4, trial.order[0]["stimulus"])


def test_a_program_stores_all_grades_of_a_trial_or_none(trial: Trial) -> None:
    keys = [entry["key"] for entry in trial.order]
    for wrong, refusal in (({keys[1]: 101}, BadRating), ({"x": 50}, UnknownStimulus)):
        with pytest.raises(refusal):
            save_ratings(trial, {keys[0]: 50, **wrong})
        assert not Rating.objects.exists()
    save_ratings(trial, {key: 10 * place for place, key in enumerate(keys)})
    stored = dict(Rating.objects.values_list("stimulus_id", "score"))
    assert stored == {entry["stimulus"]: 10 * place for place, entry in enumerate(trial.order)}
    assert set(Rating.objects.values_list("sequence", flat=True)) == {1}
    finish_trial(trial)
    with pytest.raises(TrialFinished):
        save_ratings(trial, {keys[0]: 50})


@pytest.mark.parametrize("sequence", [1, 4])
def test_an_older_or_repeated_request_changes_nothing(client: Client, trial: Trial, sequence: int) -> None:
    send(client, trial, "save_rating", {"key": key_of(trial), "score": 31, "sequence": 4})
    answer = send(client, trial, "save_rating", {"key": key_of(trial), "score": 99, "sequence": sequence})
    assert (answer.status_code, answer.json()) == (200, {"sequence": 4, "score": 31})


def test_a_grade_that_the_page_never_showed_stays(client: Client, trial: Trial) -> None:
    def save(score: int, sequence: int, before: int, writer: str) -> tuple[int, int]:
        body = {
            "key": key_of(trial),
            "score": score,
            "sequence": sequence,
            "before": before,
            "writer": writer,
        }
        answer = send(client, trial, "save_rating", body)
        assert answer.status_code == 200, answer.content
        stored = answer.json()
        return stored["score"], stored["sequence"]

    assert save(40, 1, 0, "desk") == (40, 1)
    # Nine changes of a page without a network that knows of no grade.
    assert save(90, 9, 0, "phone") == (40, 1)
    # It shows the stored grade now, and may change it; so may a browser whose answer got lost on its way.
    assert save(90, 2, 1, "phone") == (90, 2)
    assert save(91, 3, 1, "phone") == (91, 3)
    assert save(10, 4, 1, "desk") == (91, 3)
    assert Rating.objects.get().score == 91


@pytest.mark.parametrize(
    "wrong",
    [{"before": "x"}, {"before": -1}, {"before": True}, {"before": [1]}, {"writer": 7}, {"writer": "x" * 33}],
)
def test_what_a_page_cannot_have_known_is_refused(
    client: Client, trial: Trial, wrong: dict[str, Any]
) -> None:
    body = {"key": key_of(trial), "score": 5, "sequence": 1, **wrong}
    assert detail_of(send(client, trial, "save_rating", body), 400)
    assert not Rating.objects.exists()


@pytest.mark.parametrize(
    "score", [-1, 101, 50.0, 50.5, True, False, "50", None, [50], {}, 10**400, float("nan"), float("inf")]
)
def test_a_score_that_is_none_is_refused(client: Client, trial: Trial, score: Any) -> None:
    answer = send(client, trial, "save_rating", {"key": key_of(trial), "score": score, "sequence": 1})
    assert answer.status_code == 400
    assert "whole number from 0 to 100" in answer.json()["error"]
    assert not Rating.objects.exists()


@pytest.mark.parametrize("score", [0, 100])
def test_both_ends_of_the_scale_are_grades(client: Client, trial: Trial, score: int) -> None:
    answer = send(client, trial, "save_rating", {"key": key_of(trial), "score": score, "sequence": 1})
    assert answer.json()["score"] == score


@pytest.mark.parametrize("sequence", [0, -1, 1.0, True, "1", None, 2**31])
def test_a_sequence_that_is_none_is_refused(client: Client, trial: Trial, sequence: Any) -> None:
    answer = send(client, trial, "save_rating", {"key": key_of(trial), "score": 5, "sequence": sequence})
    assert answer.status_code == 400


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "1", b"\xff\xfe", "[" * 100_000, "9" * 5000])
def test_what_is_no_json_object_is_refused(client: Client, trial: Trial, body: str | bytes) -> None:
    for what in ("save_rating", "save_events", "finish_trial"):
        answer = send(client, trial, what, body)
        assert answer.status_code == 400
        assert "JSON" in answer.json()["error"]


@pytest.mark.parametrize("form", [{"key": "x", "score": "5"}, {"file": io.BytesIO(b"sound")}])
def test_a_form_instead_of_json_is_refused(trial: Trial, form: dict[str, Any]) -> None:
    client = Client(enforce_csrf_checks=True)  # which reads a form before the view does
    answer = client.post(reverse("save_rating", args=[trial.session.token, 1]), form)
    assert detail_of(answer, 400) == answer.json()["error"] == "Expected JSON."


def test_too_large_a_body_is_refused_as_json(client: Client, trial: Trial) -> None:
    answer = send(client, trial, "save_rating", json.dumps({"key": "x" * 3_000_000}))
    assert detail_of(answer, 400) == answer.json()["error"] == "This is too much for one request."


@pytest.mark.parametrize("key", ["", "x", None, 1, [], {}])
def test_a_forged_key_is_not_found(client: Client, trial: Trial, key: Any) -> None:
    answer = send(client, trial, "save_rating", {"key": key, "score": 5, "sequence": 1})
    assert answer.status_code == 404


def test_keys_of_the_reference_another_trial_and_another_listener_are_not_found(
    client: Client, study: Study, trial: Trial
) -> None:
    other = start_session(study).trials.get(position=1)
    for key in (trial.reference_key, key_of(trial.session.trials.get(position=2)), key_of(other)):
        answer = send(client, trial, "save_rating", {"key": key, "score": 5, "sequence": 1})
        assert answer.status_code == 404
    assert not Rating.objects.exists()


def test_a_finished_trial_refuses_changes(client: Client, trial: Trial) -> None:
    grade(trial)
    answer = send(client, trial, "save_rating", {"key": key_of(trial), "score": 5, "sequence": 9})
    assert answer.status_code == 409
    assert send(client, trial, "save_events", {"events": []}).status_code == 409
    assert set(trial.ratings.values_list("score", flat=True)) == {50}


def test_a_closed_study_takes_no_grades(client: Client, study: Study, trial: Trial) -> None:
    close_study(study)
    for what, body in (
        ("save_rating", {"key": key_of(trial), "score": 5, "sequence": 1}),
        ("save_events", {"events": []}),
        ("finish_trial", {"comment": ""}),
    ):
        answer = send(client, trial, what, body)
        assert detail_of(answer, 410) == answer.json()["error"] == "This listening test is closed."


def test_a_trial_with_a_stimulus_left_is_not_finished(client: Client, trial: Trial) -> None:
    for entry in trial.order[2:]:
        save_rating(trial, entry["key"], 50, 1)
    answer = send(client, trial, "finish_trial", {"comment": ""})
    assert answer.status_code == 409
    assert answer.json()["missing"] == [key_of(trial, 0), key_of(trial, 1)]


def test_finishing_twice_is_harmless(client: Client, trial: Trial) -> None:
    grade(trial, finish=False)
    first = send(client, trial, "finish_trial", {"comment": " crackles in 3\x00 \ud800"})
    trial.refresh_from_db()
    finished = trial.finished
    again = send(client, trial, "finish_trial", {"comment": "another"})
    assert first.json() == again.json() == {"next": reverse("session", args=[trial.session.token])}
    trial.refresh_from_db()
    assert (trial.comment, trial.finished) == ("crackles in 3 ?", finished)


@pytest.mark.parametrize("comment", [None, 5, "x" * 2001])
def test_a_comment_is_a_text_of_bounded_length(client: Client, trial: Trial, comment: Any) -> None:
    grade(trial, finish=False)
    assert send(client, trial, "finish_trial", {"comment": comment}).status_code == 400


def event(sequence: int, **changes: Any) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "kind": "play",
        "milliseconds": 10 * sequence,
        "detail": {"stimulus": "1"},
    } | changes


def test_events_that_come_twice_are_stored_once(client: Client, trial: Trial) -> None:
    answer = send(client, trial, "save_events", {"events": [event(1), event(2)]})
    assert answer.json() == {"stored": 2}
    answer = send(client, trial, "save_events", {"events": [event(2, kind="loop"), event(3)]})
    assert answer.json() == {"stored": 3}
    assert list(Event.objects.values_list("sequence", "kind")) == [(1, "play"), (2, "play"), (3, "play")]


@pytest.mark.parametrize(
    "events",
    [
        None,
        {},
        ["play"],
        [event(1)] * 501,
        [event(0)],
        [event(1, kind="")],
        [event(1, kind="x" * 21)],
        [event(1, kind="a b")],
        [event(1, milliseconds=-1)],
        [event(1, detail=[])],
        [event(1, detail={"x": "y" * 1000})],
        [event(1, detail={"x": "\x00"})],
        [event(1, detail={"x": float("nan")})],
    ],
)
def test_bad_events_are_refused_all_together(client: Client, trial: Trial, events: Any) -> None:
    answer = send(client, trial, "save_events", {"events": events})
    assert answer.status_code == 400
    assert not Event.objects.exists()


def test_the_token_in_the_address_is_all_that_counts(trial: Trial) -> None:
    """No cookie is set or needed: browsers send none inside MTurk's frame."""
    client = Client(enforce_csrf_checks=True)
    client.get(reverse("session", args=[trial.session.token]))
    assert not client.cookies
    assert (
        send(client, trial, "save_rating", {"key": key_of(trial), "score": 5, "sequence": 1}).status_code
        == 200
    )


@pytest.mark.parametrize("what", ["save_rating", "save_events", "finish_trial"])
def test_a_strange_trial_is_not_found(client: Client, session: Session, what: str) -> None:
    assert client.put(reverse(what, args=[session.token, 1])).status_code == 405
    assert client.post(reverse(what, args=[session.token, 9])).status_code == 404
    assert client.post(reverse(what, args=["no-such-token", 1])).status_code == 404


def at_once(calls: list[Any]) -> list[Any]:
    def run(call: Any) -> Any:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(run, calls))


@pytest.mark.django_db(transaction=True)
def test_two_tabs_and_a_bad_line_leave_the_latest_grade(transactional_db: None, session: Session) -> None:
    trial = session.trials.get(position=1)
    changes = [(place, sequence) for place in range(3) for sequence in range(1, 9)] * 2
    random.Random(5).shuffle(changes)

    def save(place: int, sequence: int) -> int:
        return save_rating(trial, key_of(trial, place), (place * 31 + sequence) % 101, sequence).sequence

    stored = at_once([lambda change=change: save(*change) for change in changes])
    assert all(answer >= sequence for answer, (_, sequence) in zip(stored, changes, strict=True))
    assert Rating.objects.count() == 3
    for place in range(3):
        rating = Rating.objects.get(stimulus=trial.order[place]["stimulus"])
        assert (rating.sequence, rating.score) == (8, (place * 31 + 8) % 101)


@pytest.mark.django_db(transaction=True)
def test_no_grade_changes_behind_a_finished_trial(transactional_db: None, session: Session) -> None:
    """What finishing saw is what stays: a grade is either in before, or refused after."""
    trial = session.trials.get(position=1)
    grade(trial, finish=False)

    def save(sequence: int) -> tuple[int, bool]:
        try:
            save_rating(trial, key_of(trial), sequence, sequence)
        except TrialFinished:
            return sequence, False
        return sequence, True

    calls: list[Any] = [lambda sequence=sequence: save(sequence) for sequence in range(2, 34)]
    calls.insert(16, lambda: finish_trial(trial) and (1, True))
    accepted = [sequence for sequence, stored in at_once(calls) if stored]
    rating = Rating.objects.get(stimulus=trial.order[0]["stimulus"])
    assert rating.sequence == max(accepted)
    trial.refresh_from_db()
    assert rating.updated <= trial.finished


@pytest.mark.django_db(transaction=True)
def test_listeners_who_come_together_get_orders_of_their_own(transactional_db: None, study: Study) -> None:
    sessions = at_once([lambda: start_session(study)] * 8)
    assert sorted(session.number for session in sessions) == list(range(1, 9))
    assert len({session.seed for session in sessions}) == 8


def test_the_database_keeps_scores_on_the_scale(study: Study) -> None:
    from django.db import IntegrityError, transaction

    session = listen(study)
    rating = Rating.objects.filter(trial__session=session).first()
    assert rating is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        Rating.objects.filter(pk=rating.pk).update(score=101)


# -- Whose turn it is


def test_a_forged_request_for_a_later_trial_is_refused(client: Client, session: Session) -> None:
    later = session.trials.get(position=2)
    for what, body in (
        ("save_rating", {"key": key_of(later), "score": 5, "sequence": 1}),
        ("save_events", {"events": [{"kind": "play", "sequence": 1, "milliseconds": 5}]}),
        ("finish_trial", {"comment": ""}),
    ):
        answer = send(client, later, what, body)
        assert answer.status_code == 409
        assert "comes later in the test" in answer.json()["error"]
    assert not Rating.objects.exists()
    assert not Event.objects.exists()
    grade(session.trials.get(position=1))
    assert (
        send(client, later, "save_rating", {"key": key_of(later), "score": 5, "sequence": 1}).status_code
        == 200
    )


def test_nothing_is_graded_before_the_instructions(client: Client, study: Study) -> None:
    trial = start_session(study).trials.get(position=1)
    answer = send(client, trial, "save_rating", {"key": key_of(trial), "score": 5, "sequence": 1})
    assert answer.status_code == 409
    assert "instructions" in answer.json()["error"]


def test_a_session_that_was_screened_out_takes_no_grades(client: Client, trial: Trial) -> None:
    Session.objects.filter(pk=trial.session_id).update(screened_out=timezone.now())
    answer = send(client, trial, "save_rating", {"key": key_of(trial), "score": 5, "sequence": 1})
    assert detail_of(answer, 409) == answer.json()["error"] == "This session has ended."


def test_saving_a_grade_takes_few_queries(
    client: Client, trial: Trial, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(7):
        send(client, trial, "save_rating", {"key": key_of(trial), "score": 5, "sequence": 1})
