"""What a listener has met stays as it was: language, texts and questions, until the end of the session."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from listening.interchange.archive.describe import describe, sessions_of
from listening.interchange.archive.read import read_archive
from listening.interchange.archive.write import write_archive
from listening.interchange.exports import table
from listening.models import Session, Study
from listening.session.sessions import begin, start_session
from listening.study.removal import delete_session
from listening.study.studies import delete_study, update_study
from tests.listening.conftest import grade, listen

AGE = [{"name": "years", "type": "number", "label": "Your age", "when": "after"}]
MOOD = [{"name": "mood", "type": "text", "label": "Your mood", "when": "after"}]


def document(study: Study) -> dict[str, Any]:
    """What an archive says of a study, its sessions included."""
    return describe(study, sessions=sessions_of(study))


def change(study: Study, **values: Any) -> Study:
    now = Study.objects.get(pk=study.pk)
    for name, value in values.items():
        setattr(now, name, value)
    return update_study(now, values)


def page(session: Session) -> str:
    return Client().get(reverse("session", args=[session.token])).content.decode()


def hand_in(session: Session) -> None:
    for trial in session.trials.all():
        grade(trial)


def rows(study: Study) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table(Study.objects.get(pk=study.pk), "ratings.csv").decode())))


def test_language_texts_and_questions_stay_as_a_listener_met_them(study: Study) -> None:
    change(study, texts={"thanks": "First thanks"}, questionnaire=AGE)
    early = start_session(study)
    begin(early)
    change(study, language="de", texts={"thanks": "Zweiter Dank"}, questionnaire=MOOD)
    late = start_session(study)
    begin(late)
    for session in (early, late):
        hand_in(session)
    first, second = page(early), page(late)
    assert 'lang="en-gb"' in first
    assert ("Your age" in first, "Your mood" in first) == (True, False)
    assert 'lang="de"' in second
    assert ("Your age" in second, "Your mood" in second) == (False, True)
    for session, field, answer, thanks in (
        (early, "years", "30", "First thanks"),
        (late, "mood", "gut", "Zweiter Dank"),
    ):
        sent = {"stage": "after", re.search(rf'name="([^"]*{field}[^"]*)"', page(session))[1]: answer}  # type: ignore[index]
        Client().post(reverse("session_questions", args=[session.token]), sent)
        assert thanks in page(session)
    study.refresh_from_db()
    assert (study.version, [version.number for version in study.versions.all()]) == (2, [1])
    # Refusals speak the language that the session met, too.
    trial = early.trials.first()
    assert trial is not None
    body = {"key": trial.order[0]["key"], "score": 1, "sequence": 9}
    answer = Client().post(
        reverse("save_rating", args=[early.token, trial.position]), json.dumps(body), "application/json"
    )
    assert "This trial has been finished" in answer.content.decode()


def test_exports_name_the_version_only_where_there_are_several(study: Study) -> None:
    listen(study)
    assert "study_version" not in rows(study)[0]
    assert "version" not in document(study)["study"]
    change(study, texts={"consent": "Another consent"})
    listen(study)
    found = rows(study)
    assert {row["study_version"] for row in found} == {"1", "2"}
    by_session = {row["session"]: row["study_version"] for row in found}
    assert by_session == {str(each.pk): str(each.version) for each in Session.objects.all()}


def test_a_listener_chooses_among_the_languages_of_the_study(study: Study) -> None:
    """At the listener link and in the session; exports name what each listener read."""
    change(study, language="de", other_languages=["ar", "ja"])
    client, link = Client(), reverse("join", args=[study.token])
    assert (
        'lang="ar" dir="rtl"' in client.get(link, {"language": "ar", "PROLIFIC_PID": "p1"}).content.decode()
    )
    assert (
        "?language=ja&amp;PROLIFIC_PID=p1"
        in client.get(link, {"language": "ar", "PROLIFIC_PID": "p1"}).content.decode()
    )
    assert '<html lang="de"' in client.get(link, {"language": "fr"}).content.decode()  # not offered
    answer = client.post(link + "?language=ar", {"consent": "yes"})
    session = Session.objects.get()
    assert '<html lang="ar"' in client.get(answer.headers["Location"]).content.decode()
    choose = reverse("session_language", args=[session.token])
    for code, shown in (("ja", "ja"), ("fr", "ja"), ("de", "de"), ("ja", "ja")):
        client.post(choose, {"language": code})
        assert f'<html lang="{shown}"' in page(session), code
    assert page(session).count('name="language"') == 3
    begin(session)
    hand_in(session)
    listen(study)
    read = {row["session"]: row["language"] for row in rows(study)}
    assert sorted(read.values()) == ["de", "ja"]
    assert read[str(session.pk)] == "ja"
    delete_session(session)
    assert '<html lang="ja"' in client.get(reverse("session", args=[session.token])).content.decode()


def test_without_a_choice_pages_and_exports_say_nothing_of_it(study: Study) -> None:
    listen(study)
    assert "language" not in rows(study)[0]
    assert "languages" not in page(start_session(study))
    assert {"other_languages", "language"} & {*document(study)["study"], *document(study)["sessions"][0]} == {
        "language"
    }
    assert "language" not in document(study)["sessions"][0]


def test_answers_to_questions_of_an_earlier_version_are_exported(study: Study) -> None:
    change(study, questionnaire=AGE)
    session = listen(study)
    session.answers.create(question="years", value=30)
    change(study, questionnaire=MOOD)
    study.refresh_from_db()
    header, first, *_ = csv.reader(io.StringIO(table(study, "mushra.csv", personal=True).decode()))
    assert header[:3] == ["session_test_id", "mood", "years"]
    assert first[1:3] == ["", "30"]


def test_what_nobody_has_met_is_no_version(study: Study) -> None:
    start_session(study, kind=Session.Kind.SIMULATED)
    change(study, texts={"consent": "Another consent"})
    start_session(study)
    change(study, texts={"consent": "Another consent"}, max_sessions=9)
    study.refresh_from_db()
    assert (study.version, study.versions.count()) == (1, 0)


def test_an_archive_brings_all_versions_back(make_study: Callable[..., Study], alice: User) -> None:
    study = make_study(1, sound=True)
    listen(study)
    change(study, texts={"consent": "Another consent"}, language="fr", other_languages=["de"])
    Session.objects.filter(pk=listen(study).pk).update(language="de")
    study.refresh_from_db()
    described = document(study)
    assert [session.get("language") for session in described["sessions"]] == [None, "de"]
    assert described["study"]["version"] == 2
    assert [session["version"] for session in described["sessions"]] == [1, 2]
    assert described["study"]["versions"][0]["content"]["language"] == "en"
    archive = io.BytesIO()
    write_archive(study, archive)
    delete_study(study)
    archive.seek(0)
    assert document(read_archive(archive, alice).study) == described


def test_the_study_page_shows_the_versions(study: Study, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    listen(study)
    address = reverse("study", args=[study.pk])
    assert 'id="versions"' not in client.get(address).content.decode()
    change(study, language="ja")
    html = client.get(address).content.decode()
    assert "version 1: 1 listener, until" in html
    assert "version 2: 0 listeners, in force (other language)" in html


@pytest.mark.parametrize("change_to", [{"texts": {"consent": "Another consent"}}, {"language": "de"}])
def test_who_read_another_consent_reads_it_again(study: Study, change_to: Mapping[str, object]) -> None:
    client = Client()
    address = reverse("join", args=[study.token])
    read = re.search(r'name="read" value="(\w+)"', client.get(address).content.decode())
    assert read
    change(study, **change_to)
    answer = client.post(address, {"consent": "yes", "read": read[1]})
    assert (answer.status_code, Session.objects.count()) == (200, 0)
    again = re.search(r'name="read" value="(\w+)"', answer.content.decode())
    assert again
    assert again[1] != read[1]
    assert client.post(address, {"consent": "yes", "read": again[1]}).status_code == 302
