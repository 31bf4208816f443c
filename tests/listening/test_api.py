"""The API: what a script with a token can do, and what everyone else gets."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from evaluation.models import Clip
from listening import accounts
from listening.models import Study
from listening.tasks import prepare_study
from tests.listening.conftest import SYSTEMS, listen


class Script:
    """A client with a bearer token, and with CSRF checks on."""

    def __init__(self, user: User) -> None:
        self.client = Client(
            enforce_csrf_checks=True, headers={"Authorization": f"Bearer {accounts.make_api_token(user)}"}
        )

    def get(self, path: str) -> Any:
        return self.client.get(f"/api{path}")

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(f"/api{path}", body, content_type="application/json")


@pytest.fixture
def script(alice: User) -> Script:
    return Script(alice)


def test_the_whole_way(script: Script, alice: User, processed: Callable[..., Clip], settings: Any) -> None:
    clip = processed(alice, sound=True)
    made = script.post(
        "/studies", {"name": "By script", "clips": [str(clip.pk)], "systems": SYSTEMS, "seed": 5}
    )
    assert made.status_code == 201
    body = made.json()
    study = Study.objects.get(pk=body["id"])
    assert (study.owner, study.seed, body["status"]) == (alice, 5, "preparing")
    assert body["listener_url"] == f"{settings.SITE_URL}/t/{study.token}/"
    prepare_study(body["id"])
    listen(study)
    found = script.get(f"/studies/{study.pk}").json()
    assert (found["status"], found["sessions_started"], found["sessions_finished"]) == ("open", 1, 1)
    assert [row["id"] for row in script.get("/studies").json()] == [str(study.pk)]
    answer = script.get(f"/studies/{study.pk}/ratings.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert len(list(csv.DictReader(io.StringIO(answer.content.decode())))) == 10
    assert script.get(f"/studies/{study.pk}/mushra.csv").content.decode().startswith("session_test_id,")


@pytest.mark.parametrize("path", ["", "/ratings.csv", "/mushra.csv"])
def test_someone_elses_study_is_not_found(study: Study, bob: User, path: str) -> None:
    for study_id in (study.pk, uuid.uuid4()):
        answer = Script(bob).get(f"/studies/{study_id}{path}")
        assert answer.status_code == 404
        assert "belongs to someone else" in answer.json()["error"]
    assert Script(bob).get("/studies").json() == []


def test_someone_elses_clip_is_not_found(script: Script, bob: User, processed: Callable[..., Clip]) -> None:
    clip = processed(bob)
    answer = script.post("/studies", {"name": "x", "clips": [str(clip.pk)], "systems": SYSTEMS})
    assert answer.status_code == 404
    assert not Study.objects.exists()


@pytest.mark.parametrize("path", ["/clips/7", "/studies/7", "/nowhere"])
def test_a_mistyped_address_is_told_in_json(script: Script, client: Client, path: str) -> None:
    answer = script.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.json()["error"]
    assert client.get("/nowhere").headers["Content-Type"].startswith("text/html")


def test_a_body_that_is_no_json_is_told_in_json(script: Script) -> None:
    answer = script.post("/studies", "{")
    assert answer.status_code == 400
    assert answer.json() == {"error": "Cannot parse request body"}


def test_without_a_token_there_is_nothing(client: Client, alice: User, study: Study) -> None:
    client.force_login(alice)  # a cookie is no token: no other site can make a browser use the API
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
        answer = client.get(f"/api/studies/{study.pk}", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"] == "Unauthorized"


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"name": " "}, 400, "Give the study a name."),
        ({"systems": ["mp3"]}, 400, "There is no system 'mp3'."),
        ({"systems": ["opus-12k"]}, 400, "has not been through Opus 12k"),
        ({"systems": []}, 422, "systems: "),
        ({"systems": "opus-9k"}, 422, "systems: "),
        ({"clips": ["x"]}, 422, "clips.0: "),
        ({"clips": []}, 422, "clips: "),
        ({"name": None}, 422, "name: "),
        ({"seed": -1}, 422, "seed: "),
    ],
)
def test_bad_requests_are_explained(
    script: Script,
    alice: User,
    processed: Callable[..., Clip],
    changes: dict[str, Any],
    status: int,
    message: str,
) -> None:
    body = {"name": "x", "clips": [str(processed(alice).pk)], "systems": SYSTEMS} | changes
    answer = script.post("/studies", body)
    assert answer.status_code == status
    assert message in answer.json()["error"]
    assert not Study.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", "null"])
def test_what_is_no_json_object_is_refused_as_json(script: Script, body: str) -> None:
    answer = script.post("/studies", body)
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"].startswith("application/json")


def test_a_wrong_method_and_a_wrong_id(script: Script) -> None:
    assert script.client.delete("/api/studies").status_code == 405
    assert script.get("/studies/not-an-id").status_code == 404


def test_it_describes_itself(client: Client, db: None) -> None:
    description = client.get("/api/openapi.json").json()
    assert {"/api/studies", "/api/studies/{study_id}", "/api/studies/{study_id}/ratings.csv"} <= set(
        description["paths"]
    )
    assert "BearerToken" in description["components"]["securitySchemes"]
    page = client.get("/api/docs").content.decode()
    assert "https://" not in page.replace("https://github.com", "")  # nothing comes from elsewhere
