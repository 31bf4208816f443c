"""Who comes again counts as one, unless the study wants it otherwise; whose session is deleted is told so."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from listening.models import Participation, Session, Study
from listening.session import choices, comments, ratings
from listening.session.sessions import begin, start_session, take_step
from listening.study.errors import SessionGone
from listening.study.removal import delete_session, withdraw
from listening.study.studies import delete_study, update_study
from tests.listening.conftest import listen

PID = "5f" * 12


def recruit(study: Study, **values: Any) -> Study:
    study.recruitment = values
    return update_study(study, ["recruitment"])


def come(study: Study, query: str = "", **sent: str) -> Any:
    return Client().post(f"{reverse('join', args=[study.token])}{query}", sent)


def test_a_plain_link_leads_a_browser_back_to_its_session(study: Study) -> None:
    session = listen(study)
    for sent in ({"continue": "yes"}, {"consent": "yes"}):
        answer = come(study, session=session.token, **sent)
        assert answer.headers["Location"] == reverse("session", args=[session.token])
    assert Session.objects.count() == 1


def test_a_study_may_let_a_browser_begin_again(study: Study) -> None:
    recruit(study, returning="new")
    session = start_session(study)
    answer = come(study, session=session.token, **{"continue": "yes"})
    assert answer.headers["Location"] == reverse("session", args=[session.token])
    answer = come(study, session=session.token, consent="yes")  # somebody else at the same computer
    assert answer.headers["Location"] != reverse("session", args=[session.token])
    assert Session.objects.count() == 2


def test_a_session_of_another_study_or_kind_is_not_gone_on_with(
    study: Study, make_study: Callable[..., Study]
) -> None:
    pilot = start_session(study, kind=Session.Kind.PILOT)
    elsewhere = start_session(make_study(1))
    for session in (pilot, elsewhere):
        answer = come(study, session=session.token, **{"continue": "yes"})
        assert (answer.status_code, "data-forgotten" in answer.content.decode()) == (200, True)
        come(study, session=session.token, consent="yes")
    assert study.sessions.filter(kind="real").count() == 2


@pytest.mark.parametrize(("returning", "sessions"), [("resume", 1), ("new", 2)])
def test_a_platforms_person_counts_as_the_study_says(study: Study, returning: str, sessions: int) -> None:
    recruit(study, platform="prolific", code="C0DE", returning=returning)
    query = f"?PROLIFIC_PID={PID}"
    for turn in range(2):
        come(study, query, consent="yes")
        assert study.sessions.count() == (1 if turn == 0 else sessions)
        come(study, query, consent="yes")  # in the middle of it: the same session
        assert study.sessions.count() == (1 if turn == 0 else sessions)
        Session.objects.filter(finished=None).update(finished="2026-01-01T00:00:00Z")
    assert Participation.objects.filter(person=PID).count() == sessions


def test_a_shared_computers_memory_does_not_count_for_a_platforms_people(study: Study) -> None:
    recruit(study, platform="prolific", code="C0DE", required=False)
    first = start_session(study)
    answer = come(study, f"?PROLIFIC_PID={PID}", consent="yes", session=first.token)
    assert answer.headers["Location"] != reverse("session", args=[first.token])


WRITES = ("save_rating", "save_comment", "save_events", "finish_trial")
GERMAN = "Diese Sitzung wurde gelöscht"


def remove_one(session: Session) -> None:
    delete_session(session)


def remove_all(session: Session) -> None:
    delete_study(session.study)


@pytest.mark.parametrize("remove", [remove_one, withdraw, remove_all])
def test_a_deleted_session_says_so_in_the_listeners_language(study: Study, remove: Any) -> None:
    Study.objects.update(language="de")
    session = start_session(Study.objects.get())
    begin(session)
    trial = session.trials.get(position=1)
    bodies = {"key": trial.order[0]["key"], "score": 5, "sequence": 1, "comment": "x", "events": []}
    remove(session)
    for name in WRITES:
        address = reverse(name, args=[session.token, 1])
        answer = Client().post(address, json.dumps(bodies), "application/json")
        assert (name, answer.status_code) == (name, 410)
        assert answer.json()["detail"].startswith(GERMAN)
    assert Client().get(reverse("stored_work", args=[session.token, 1])).status_code == 410
    for name in ("session", "session_withdraw"):
        answer = Client().get(reverse(name, args=[session.token]))
        assert (name, answer.status_code) == (name, 410)
        assert GERMAN in answer.content.decode()
        assert 'lang="de"' in answer.content.decode()
    for name in ("begin", "questions", "volume", "headphones", "training", "break", "withdraw"):
        answer = Client().post(reverse(f"session_{name}", args=[session.token]), {"stage": "before"})
        assert (name, answer.status_code) == (name, 410)
    # What never was a session is not found, as ever.
    assert Client().get(reverse("session", args=["never-was"])).status_code == 404


@pytest.mark.parametrize("what", ["rating", "choice", "events", "comment", "finish", "step"])
def test_a_session_deleted_between_two_statements_is_refused(study: Study, what: str) -> None:
    """The view has found the trial; the researcher deletes the session before the trial is locked."""
    session = start_session(study)
    begin(session)
    trial = session.trials.get(position=1)
    key = trial.order[0]["key"]
    delete_session(session)
    act = {
        "rating": lambda: ratings.save_rating(trial, key, 5, 1),
        "choice": lambda: choices.save_choice(trial, key, 1),
        "events": lambda: ratings.save_events(trial, []),
        "comment": lambda: comments.save_comment(trial, "x"),
        "finish": lambda: ratings.finish_trial(trial),
        "step": lambda: take_step(session, "volume", {}),
    }
    with pytest.raises(SessionGone):
        act[what]()


@pytest.mark.django_db(transaction=True)
def test_deleting_while_grades_are_saved_is_never_a_server_error(study: Study, alice: User) -> None:
    session = start_session(study)
    begin(session)
    trial = session.trials.get(position=1)
    address = reverse("save_rating", args=[session.token, 1])
    statuses: list[int] = []
    saved = threading.Event()

    def save() -> None:
        client = Client(raise_request_exception=False)
        for sequence in range(1, 60):
            body = json.dumps({"key": trial.order[0]["key"], "score": sequence, "sequence": sequence})
            statuses.append(client.post(address, body, "application/json").status_code)
            saved.set()
            if statuses[-1] == 410:
                return

    listener = threading.Thread(target=save)
    listener.start()
    assert saved.wait(10)
    researcher = Client()
    researcher.force_login(alice)
    researcher.post(reverse("session_delete", args=[study.pk, session.pk]), {"reason": "asked"})
    listener.join(30)
    save()  # if the listener was quicker than the researcher
    assert set(statuses) <= {200, 410}
    assert statuses[-1] == 410
