"""Refusals as people and programs meet them: a page, a part of one, or a problem, in their language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from evaluation.models import Clip
from listening.models import Session, Study, Trial
from listening.session.sessions import start_session
from listening.study.removal import delete_session
from listening.study.studies import close_study
from listening.web import accounts, throttling
from tests.conftest import ROOT
from tests.listening import catalogues
from tests.problems import detail_of, fields_of

pytestmark = pytest.mark.django_db


def is_german(said: str) -> bool:
    """Whether the German catalogue can say this, with anything at the places of values."""
    for message in catalogues.read(ROOT / "locale" / "de" / "LC_MESSAGES" / "django.po"):
        for text in message.translations:
            parts = [re.escape(part) for part in re.split(r"%\(\w+\)s", text)]
            if text != message.text and re.fullmatch("[^ ]+".join(parts), said):
                return True
    return False


@pytest.fixture
def trial(study: Study) -> Trial:
    """The first of a session of a study in German."""
    Study.objects.filter(pk=study.pk).update(language="de")
    session = start_session(study)
    Session.objects.filter(pk=session.pk).update(instructed="2026-01-01T00:00:00Z")
    return session.trials.get(position=1)


def send(trial: Trial, what: str, body: Any, position: int = 1) -> Any:
    data = body if isinstance(body, str) else json.dumps(body)
    client = Client(raise_request_exception=False)
    address = reverse(what, args=[trial.session.token, position])
    return client.post(address, data, content_type="application/json")


@pytest.mark.parametrize(
    ("what", "body", "position", "status"),
    [
        ("save_rating", "{", 1, 400),
        ("save_rating", "[]", 1, 400),
        ("save_rating", {"key": "x", "score": 5, "sequence": 1}, 1, 404),
        ("save_rating", {"key": "x", "score": 500, "sequence": 1}, 1, 400),
        ("save_rating", {"key": "x", "score": 5, "sequence": 0}, 1, 400),
        ("save_rating", {"key": "x" * 3_000_000}, 1, 400),
        ("save_rating", {"key": "x", "score": 5, "sequence": 1}, 99, 404),
        ("save_choice", {"score": "A", "sequence": 1}, 1, 400),
        ("save_choice", {"score": "A", "sequence": 0}, 1, 400),
        ("save_comment", {"comment": 7}, 1, 400),
        ("save_comment", {"comment": "x" * 100_000}, 1, 400),
        ("save_events", {"events": 7}, 1, 400),
        ("save_events", {"events": [7]}, 1, 400),
        ("save_events", {"events": [{"kind": "?"}]}, 1, 400),
        ("save_events", {"events": [{"kind": "play", "detail": 7}]}, 1, 400),
        ("save_events", {"events": [{"kind": "play", "sequence": 0}]}, 1, 400),
        ("save_events", {"events": [{"kind": "play", "sequence": 1, "milliseconds": -1}]}, 1, 400),
        ("finish_trial", {}, 1, 409),
        ("finish_trial", {}, 2, 409),
        ("finish_trial", {"comment": 7}, 1, 400),
    ],
)
def test_a_german_listener_is_refused_in_german(
    trial: Trial, what: str, body: Any, position: int, status: int
) -> None:
    said = detail_of(send(trial, what, body, position), status)
    assert is_german(said), said


def test_the_end_of_a_session_or_study_is_told_in_german(trial: Trial, study: Study) -> None:
    rating = {"key": trial.order[0]["key"], "score": 5, "sequence": 1}
    Session.objects.filter(pk=trial.session_id).update(screened_out="2026-01-01T00:00:00Z")
    assert is_german(detail_of(send(trial, "save_rating", rating), 409))
    close_study(study)
    assert detail_of(send(trial, "save_rating", rating), 410) == "Dieser Hörtest ist geschlossen."


def test_what_the_site_itself_refuses_is_german_too(
    trial: Trial, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(raise_request_exception=False)
    wrong_method = client.delete(reverse("save_rating", args=[trial.session.token, 1]))
    assert detail_of(wrong_method, 405) == "Diese Adresse nimmt eine solche Anfrage nicht an."
    assert wrong_method.headers["Allow"] == "GET, HEAD, POST"
    page = client.delete(reverse("session_begin", args=[trial.session.token]))
    assert (page.status_code, "Diese Adresse nimmt" in page.content.decode()) == (405, True)
    session, sounds = f"/s/{trial.session.token}/", f"/s/{trial.session.token}/trials/"
    for nowhere in (
        *("nowhere.wav", "trials/1/nowhere.wav", "trials/99/x.wav", "trials/x/x.wav"),
        *("headphones/none-1.wav", "headphones/x.wav", "x.wav"),
    ):
        lost = client.get(session + nowhere)
        assert (lost.status_code, 'lang="de"' in lost.content.decode()) == (404, True), nowhere
        assert "Hier ist nichts" in lost.content.decode()
    posted = client.post(f"{sounds}1/{trial.order[0]['key']}.wav")
    assert (posted.status_code, "Diese Adresse nimmt" in posted.content.decode()) == (405, True)
    monkeypatch.setattr(throttling, "JOIN", throttling.Limit("join", 1, 60))
    limited = [client.post(reverse("join", args=[study.token]), {"consent": "yes"}) for _ in range(2)][1]
    assert (limited.status_code, 'lang="de"' in limited.content.decode()) == (429, True)
    monkeypatch.setattr("listening.study.selectors.session_of", lambda token: 1 / 0)
    broken = client.get(reverse("session", args=[trial.session.token]))
    told = broken.content.decode()
    assert (broken.status_code, "Hier ist etwas schiefgegangen" in told) == (500, True)
    assert ("<h1>Etwas ist schiefgegangen</h1>" in told, "Das geht nicht" in told) == (True, False)
    assert (
        f'href="/s/{trial.session.token}/">Zurück zum Test' in told
    )  # no dead end: it may work the next time
    monkeypatch.setattr("listening.study.selectors.trial_for_sound", lambda token, position: 1 / 0)
    broken = client.get(f"{sounds}1/x.wav")
    assert (broken.status_code, "Hier ist etwas schiefgegangen" in broken.content.decode()) == (500, True)


def test_a_deleted_sessions_sounds_say_so_in_german(trial: Trial) -> None:
    address = f"/s/{trial.session.token}/trials/1/{trial.order[0]['key']}.wav"
    delete_session(trial.session)
    gone = Client().get(address)
    assert (gone.status_code, "Diese Sitzung" in gone.content.decode()) == (410, True)
    assert 'lang="de"' in gone.content.decode()


def test_one_listeners_language_does_not_stay_for_the_next_request(trial: Trial, study: Study) -> None:
    client = Client()
    assert 'lang="de"' in client.get(reverse("join", args=[study.token])).content.decode()
    assert 'lang="en-GB"' in client.get(reverse("front")).content.decode()


# -- The API


@pytest.fixture
def script(alice: User) -> Client:
    headers = {"Authorization": f"Bearer {accounts.make_api_token(alice)}"}
    return Client(headers=headers, raise_request_exception=False)


def test_every_refusal_of_the_api_is_a_problem(script: Client, client: Client) -> None:
    assert detail_of(client.get("/api/studies"), 401)
    assert detail_of(script.get("/api/nowhere"), 404)
    wrong_method = script.put("/api/studies", "{}", content_type="application/json")
    assert detail_of(wrong_method, 405)
    assert "POST" in wrong_method.headers["Allow"]
    large = script.post("/api/studies", "x" * 3_000_000, content_type="application/json")
    assert detail_of(large, 413)
    form = script.post("/api/clips", "no form", content_type="multipart/form-data; boundary=")
    assert "multipart/form-data" in detail_of(form, 422)


def test_fields_are_named_by_their_paths(script: Client, alice: User, processed: Callable[..., Clip]) -> None:
    clip = str(processed(alice).pk)
    body = {"name": "x" * 201, "items": [{"clip": clip}, {"clip": clip, "start": -1}], "systems": ["opus_12"]}
    answer = script.post("/api/studies", body, content_type="application/json")
    assert detail_of(answer, 422)
    assert set(fields_of(answer)) == {"name", "items.1.start"}
    answer = script.get("/api/studies?limit=x")
    assert detail_of(answer, 422)
    assert set(fields_of(answer)) == {"limit"}
    answer = script.post("/api/imports")
    assert detail_of(answer, 422)
    assert set(fields_of(answer)) == {"file"}


def test_a_refusal_of_a_study_names_its_fields(script: Client, study: Study) -> None:
    questions = [{"name": "a", "label": "A", "type": "text"}, {"name": "b"}]
    answer = script.patch(
        f"/api/studies/{study.pk}", {"questionnaire": questions}, content_type="application/json"
    )
    assert detail_of(answer, 400)
    assert set(fields_of(answer)) == {"questionnaire.1"}
    for wrong, path in (
        ({"name": " "}, "name"),
        ({"opens": "2027-02-01T00:00:00Z", "closes": "2027-01-01T00:00:00Z"}, "closes"),
        ({"opens": "2027-02-01T00:00:00"}, "opens"),
        ({"language": "tlh"}, "language"),
        ({"training_repeats": 1000}, "training_repeats"),
        ({"texts": None}, "texts"),
    ):
        answer = script.patch(f"/api/studies/{study.pk}", wrong, content_type="application/json")
        assert set(fields_of(answer)) == {path}, answer.content


# -- Pages


def test_a_form_is_shown_again_with_the_refusal(client: Client, alice: User) -> None:
    client.force_login(alice)
    page = client.post(reverse("import"), {})
    assert (page.status_code, "No file arrived" in page.content.decode()) == (422, True)


def test_a_part_of_a_page_gets_the_refusal_as_a_part(client: Client, alice: User, study: Study) -> None:
    client.force_login(alice)
    address = reverse("study_simulate", args=[study.pk])
    part = client.post(address, {"listeners": "x"}, headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Retarget"]) == (400, "#refusal")
    assert "is not a number" in part.content.decode()
    assert "<html" not in part.content.decode()


def test_the_form_says_a_refusal_at_its_field(client: Client, alice: User, study: Study) -> None:
    client.force_login(alice)
    address = reverse("study_setup", args=[study.pk, "who"])
    page = client.post(address, {"limits-sealed_until": "2020-01-01T00:00"})
    assert page.status_code == 400
    [section] = [each for each in page.context["sections"] if "sealed_until" in each.fields]
    assert "in the past" in str(section.errors["sealed_until"])
