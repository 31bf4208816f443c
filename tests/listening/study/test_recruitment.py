"""Prolific and MTurk: who comes, comes once, and goes back paid only when the grades are stored."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from listening.models import Participation, Session, Study
from listening.session.sessions import begin, current_step, start_session
from listening.study import recruitment
from listening.study.studies import close_study
from tests.listening.conftest import grade
from tests.race import at_once

PROLIFIC = {"platform": "prolific", "required": True, "code": "C0DE42", "screened_out_code": "SCR33N"}
MTURK = {"platform": "mturk", "required": True}
PID = {"PROLIFIC_PID": "5f" * 12, "STUDY_ID": "60" * 12, "SESSION_ID": "61" * 12}
WORKER = {
    "workerId": "A1WORKER", "assignmentId": "3ASSIGN", "hitId": "3HIT",
    "turkSubmitTo": "https://workersandbox.mturk.com",
}  # fmt: skip


@pytest.fixture
def prolific(study: Study) -> Study:
    Study.objects.filter(pk=study.pk).update(recruitment=PROLIFIC)
    study.refresh_from_db()
    return study


@pytest.fixture
def mturk(study: Study) -> Study:
    Study.objects.filter(pk=study.pk).update(recruitment=MTURK)
    study.refresh_from_db()
    return study


def link(study: Study, query: dict[str, str]) -> str:
    return reverse("join", args=[study.token]) + "?" + urlencode(query)


def come(study: Study, query: dict[str, str]) -> Session:
    """Follow the link, agree, and be in a session."""
    url = link(study, query)
    html = Client().get(url).content.decode()
    action = re.search(r'<form method="post" action="([^"]+)"', html)
    assert action
    answer = Client(enforce_csrf_checks=True).post(action[1].replace("&amp;", "&"), {"consent": "yes"})
    return Session.objects.get(token=answer.headers["Location"].split("/")[2])


def finish(session: Session) -> str:
    begin(session)
    for trial in session.trials.filter(finished=None):
        grade(trial)
    return page(session)


def page(session: Session) -> str:
    return Client().get(reverse("session", args=[session.token])).content.decode()


def test_prolific_ids_are_kept_apart_and_the_way_back_is_theirs(prolific: Study) -> None:
    session = come(prolific, PID)
    person = Participation.objects.get()
    assert (person.platform, person.person, person.session) == ("prolific", PID["PROLIFIC_PID"], session)
    assert person.references == {"STUDY_ID": PID["STUDY_ID"], "SESSION_ID": PID["SESSION_ID"]}
    before = page(session)
    for secret in ("C0DE42", *PID.values()):
        assert secret not in before
    html = finish(session)
    assert 'href="https://app.prolific.com/submissions/complete?cc=C0DE42"' in html
    assert ">C0DE42<" in html
    assert session.completion_code not in html
    assert "SCR33N" not in html


def test_the_code_comes_only_with_the_last_grade(prolific: Study) -> None:
    session = come(prolific, PID)
    begin(session)
    for trial in session.trials.all():
        assert "C0DE42" not in page(session)
        assert recruitment.completion(session) is None
        grade(trial)
        session.refresh_from_db()
    assert "C0DE42" in page(session)


def test_who_comes_again_goes_on_and_at_the_end_sees_the_thanks(prolific: Study) -> None:
    session = come(prolific, PID)
    again = Client().get(link(prolific, PID | {"SESSION_ID": "62" * 12}))
    assert again.headers["Location"] == reverse("session", args=[session.token])
    assert Participation.objects.get().references["SESSION_ID"] == "62" * 12
    finish(session)
    close_study(prolific)
    for answer in (Client().get(link(prolific, PID)), Client().post(link(prolific, PID), {"consent": "yes"})):
        assert answer.headers["Location"] == reverse("session", args=[session.token])
    assert "C0DE42" in page(session)
    assert Session.objects.count() == 1


def test_another_person_gets_another_session_and_a_full_study_keeps_its_own(prolific: Study) -> None:
    Study.objects.update(max_sessions=1)
    session = come(prolific, PID)
    stranger = PID | {"PROLIFIC_PID": "7a" * 12}
    assert "has all the listeners" in Client().get(link(prolific, stranger)).content.decode()
    Client().post(link(prolific, stranger), {"consent": "yes"})
    assert Session.objects.count() == 1
    assert not Participation.objects.filter(person="7a" * 12).exists()  # nothing is kept of the refused
    assert come_back(prolific, PID) == session


def come_back(study: Study, query: dict[str, str]) -> Session:
    return Session.objects.get(token=Client().get(link(study, query)).headers["Location"].split("/")[2])


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_make_one_session(prolific: Study) -> None:
    entry = recruitment.Entry("prolific", "me", {})
    sessions = at_once([lambda: start_session(prolific, participation=entry)] * 8)
    assert len({session.pk for session in sessions}) == 1
    assert Session.objects.count() == Participation.objects.count() == 1


@pytest.mark.parametrize(
    "query",
    [{}, {"STUDY_ID": "x"}, {"PROLIFIC_PID": ""}, {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"},
     {"PROLIFIC_PID": "<script>"}, {"PROLIFIC_PID": "x" * 129}, {"workerId": "A1", "assignmentId": "3A"}],
)  # fmt: skip
def test_only_whom_the_platform_sends_unless_the_researcher_says(
    prolific: Study, query: dict[str, str]
) -> None:
    html = Client().get(link(prolific, query)).content.decode()
    assert "participants from Prolific" in html
    Client().post(link(prolific, query), {"consent": "yes"})
    assert not Session.objects.exists()
    Study.objects.update(recruitment=PROLIFIC | {"required": False})
    session = come(prolific, query)
    assert not Participation.objects.exists()
    html = finish(session)
    assert session.completion_code in html
    assert "C0DE42" not in html  # Prolific's code is for Prolific's people


def test_the_screened_out_get_a_code_of_their_own(prolific: Study) -> None:
    session = come(prolific, PID)
    Session.objects.filter(pk=session.pk).update(screened_out=session.created)
    html = page(session)
    assert "complete?cc=SCR33N" in html
    assert "C0DE42" not in html
    Study.objects.update(recruitment=PROLIFIC | {"screened_out_code": ""})
    html = page(session)
    assert "cc=" not in html
    assert "return your submission" in html


def test_a_study_for_everybody_takes_no_ids(study: Study) -> None:
    come(study, PID)
    assert not Participation.objects.exists()


# -- MTurk


def test_a_preview_starts_nothing(mturk: Study) -> None:
    query = {"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "hitId": "3HIT"}
    answer = Client().get(link(mturk, query))
    html = answer.content.decode()
    assert "This is a preview" in html
    assert "<form" not in html
    Client().post(link(mturk, query), {"consent": "yes"})
    assert not Session.objects.exists()


def test_an_assignment_is_submitted_to_mturk_only_at_the_end(mturk: Study) -> None:
    session = come(mturk, WORKER)
    assert "externalSubmit" not in page(session)
    html = finish(session)
    assert '<form method="post" action="https://workersandbox.mturk.com/mturk/externalSubmit"' in html
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html))
    assert fields == {"assignmentId": "3ASSIGN", "code": session.completion_code, "outcome": "finished"}


@pytest.mark.parametrize(
    "host",
    ["https://evil.example", "https://www.mturk.com.evil.example", "http://www.mturk.com",
     "https://www.mturk.com@evil.example", "//www.mturk.com", "https://www.mturk.com/x?", "javascript:x"],
)  # fmt: skip
def test_nobody_else_is_sent_the_assignment(mturk: Study, host: str) -> None:
    session = come(mturk, WORKER | {"turkSubmitTo": host})
    html = finish(session)
    assert "externalSubmit" not in html
    assert "evil" not in html
    assert session.completion_code in html  # to hand in by hand


def test_a_worker_takes_part_once(mturk: Study) -> None:
    session = come(mturk, WORKER)
    other = WORKER | {"assignmentId": "3OTHER"}  # returned the first, accepted another
    assert come_back(mturk, other) == session
    assert "3OTHER" in finish(session)
    third = Client().get(link(mturk, WORKER | {"assignmentId": "3THIRD"})).content.decode()
    assert "already taken part" in third
    assert "3OTHER" in page(session)
    assert come_back(mturk, other) == session
    assert Session.objects.count() == 1


def test_only_mturk_may_frame_and_only_its_studies(mturk: Study) -> None:
    session = come(mturk, WORKER)
    begin(session)
    for url in (link(mturk, WORKER | {"workerId": "A2"}), reverse("session", args=[session.token])):
        answer = Client().get(url)
        assert "X-Frame-Options" not in answer
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors https://*.mturk.com" in policy
        assert re.search(
            r"form-action 'self' https://www.mturk.com https://workersandbox.mturk.com(;|$)", policy
        )
    assert Client().get(reverse("signin")).headers["X-Frame-Options"] == "DENY"
    Study.objects.update(recruitment={})
    answer = Client().get(reverse("session", args=[session.token]))
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "mturk" not in answer.headers["Content-Security-Policy"]


def test_no_cookie_is_set_or_needed_on_the_whole_way(mturk: Study) -> None:
    """Inside a frame of another site browsers send none."""
    client = Client(enforce_csrf_checks=True)
    answer = client.post(link(mturk, WORKER), {"consent": "yes"})
    session = Session.objects.get()
    assert answer.status_code == 302
    sound = {"transducer": "earphones", "channels": "right"}
    assert client.post(reverse("session_volume", args=[session.token]), sound).status_code == 302
    assert client.post(reverse("session_begin", args=[session.token])).status_code == 302
    assert client.get(reverse("session", args=[session.token])).status_code == 200
    session.refresh_from_db()
    assert current_step(session).kind == "trial"
    assert not client.cookies
