"""The API: what a script with a token can do, and what everyone else gets."""

from __future__ import annotations

import csv
import hashlib
import io
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evaluation.models import Clip, Score
from listening.models import Act, Demo, Session, Study
from listening.tasks import prepare_study
from listening.web import accounts
from tests.listening.conftest import SYSTEMS, fetch_made, listen
from tests.problems import detail_of


class Script:
    """A client with a bearer token, and with CSRF checks on."""

    def __init__(self, user: User) -> None:
        self.client = Client(
            enforce_csrf_checks=True, headers={"Authorization": f"Bearer {accounts.make_api_token(user)}"}
        )

    def get(self, path: str) -> Any:
        return self.client.get(f"/api{path}")

    def delete(self, path: str) -> Any:
        return self.client.delete(f"/api{path}")

    def patch(self, path: str, body: Any) -> Any:
        return self.client.patch(f"/api{path}", body, content_type="application/json")

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
    assert [row["id"] for row in script.get("/studies").json()["items"]] == [str(study.pk)]
    answer = script.get(f"/studies/{study.pk}/ratings.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert len(list(csv.DictReader(io.StringIO(answer.getvalue().decode())))) == 10
    assert script.get(f"/studies/{study.pk}/mushra.csv").getvalue().decode().startswith("session_test_id,")


def test_a_study_is_copied_and_put_away(script: Script, study: Study) -> None:
    made = script.post(f"/studies/{study.pk}/duplicate", {"name": "Again"})
    assert (made.status_code, made.json()["name"], made.json()["status"]) == (201, "Again", "preparing")
    copy = made.json()["id"]
    assert script.post(f"/studies/{copy}/archive", {}).json()["archived"]
    for query, expected in (("", study.pk), ("?archived=yes", copy)):
        assert [row["id"] for row in script.get(f"/studies{query}").json()["items"]] == [str(expected)]
    assert script.post(f"/studies/{copy}/restore", {}).json()["archived"] is None


@pytest.mark.parametrize("path", ["", "/ratings.csv", "/mushra.csv"])
def test_someone_elses_study_is_not_found(study: Study, bob: User, path: str) -> None:
    for study_id in (study.pk, uuid.uuid4()):
        answer = Script(bob).get(f"/studies/{study_id}{path}")
        assert answer.status_code == 404
        assert "belongs to someone else" in answer.json()["detail"]
    assert Script(bob).get("/studies").json()["count"] == 0


def test_someone_elses_clip_is_not_found(script: Script, bob: User, processed: Callable[..., Clip]) -> None:
    clip = processed(bob)
    answer = script.post("/studies", {"name": "x", "clips": [str(clip.pk)], "systems": SYSTEMS})
    assert answer.status_code == 404
    assert not Study.objects.exists()


@pytest.mark.parametrize("path", ["/clips/7", "/studies/7", "/nowhere"])
def test_a_mistyped_address_is_told_in_json(script: Script, client: Client, path: str) -> None:
    answer = script.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.json()["detail"]
    assert client.get("/nowhere").headers["Content-Type"].startswith("text/html")


def test_a_body_that_is_no_json_is_told_in_json(script: Script) -> None:
    answer = script.post("/studies", "{")
    assert "cannot be understood" in detail_of(answer, 400)


def test_without_a_token_there_is_nothing(client: Client, alice: User, study: Study) -> None:
    client.force_login(alice)  # a cookie is no token: no other site can make a browser use the API
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
        answer = client.get(f"/api/studies/{study.pk}", headers=headers)
        assert "token" in detail_of(answer, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"name": " "}, 400, "Give the study a name."),
        ({"systems": ["mp3"]}, 400, "There is no system 'mp3'."),
        ({"systems": ["opus-12k"]}, 400, "has not been processed by Opus 12k"),
        ({"systems": []}, 422, "systems: "),
        ({"systems": "opus-9k"}, 422, "systems: "),
        ({"clips": ["x"]}, 422, "clips.0: "),
        ({"clips": []}, 400, "Choose at least one clip"),
        ({"closes": "2026-01-01T00:00:00"}, 400, "time zone"),
        ({"language": "tlh"}, 400, "no language 'tlh'"),
        ({"colour": "red"}, 422, "colour: "),
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
    assert message in answer.json()["detail"]
    assert not Study.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", "null"])
def test_what_is_no_json_object_is_refused_as_json(script: Script, body: str) -> None:
    answer = script.post("/studies", body)
    assert answer.status_code in (400, 422)
    assert detail_of(answer, answer.status_code)


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


def test_studies_are_paged_and_filtered(
    script: Script, study: Study, make_study: Callable[..., Study]
) -> None:
    other = make_study(clips=1)
    Study.objects.filter(pk=other.pk).update(name="Music", status="closed")
    page = script.get("/studies?limit=1").json()
    assert (page["count"], len(page["items"])) == (2, 1)
    for query, found in (("search=musi", other), ("status=closed", other), ("status=open", study)):
        assert [row["id"] for row in script.get(f"/studies?{query}").json()["items"]] == [str(found.pk)]
    assert script.get("/studies?method=abx").json()["count"] == 0


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/clips", Clip),
        ("/studies", Study),
        ("/studies/{study}/sessions", Session),
        ("/studies/{study}/history", Act),
        ("/demos", Demo),
    ],
)
def test_a_list_reads_only_the_rows_that_it_shows(
    script: Script, alice: User, study: Study, make_study: Callable[..., Study], path: str, model: Any
) -> None:
    for name in ("one", "two"):
        make_study(clips=1)
        listen(study)
        Act.objects.create(study=study, user=alice, what="rename", detail=name)
        Demo.objects.create(owner=alice, token=name)
    path = path.format(study=study.pk)
    whole = script.get(path).json()
    assert whole["count"] == len(whole["items"]) == model.objects.count() >= 2
    pages = [script.get(f"{path}?limit=1&offset={offset}").json() for offset in range(whole["count"] + 1)]
    assert [row for page in pages for row in page["items"]] == whole["items"]
    assert {page["count"] for page in pages} == {whole["count"]}
    with CaptureQueriesContext(connection) as queries:
        script.get(f"{path}?limit=1")
    read = [
        query["sql"]
        for query in queries
        if f'FROM "{model._meta.db_table}"' in query["sql"]
        and query["sql"].startswith(f'SELECT "{model._meta.db_table}"."id"')
    ]
    assert [sql for sql in read if "LIMIT 1" in sql]
    assert [sql for sql in read if "LIMIT" not in sql] == []
    assert detail_of(script.get(f"{path}?limit=1001"), 422).startswith("limit: ")
    assert detail_of(script.get(f"{path}?offset={2**64}"), 422).startswith("offset: ")


def test_settings_change_and_what_was_heard_is_locked(script: Script, study: Study) -> None:
    address = f"/studies/{study.pk}"
    closes = "2030-01-02T03:04:05Z"
    body = script.patch(address, {"name": "New", "closes": closes, "max_sessions": 20}).json()
    assert (body["name"], body["closes"], body["max_sessions"]) == ("New", closes, 20)
    assert body["systems"] == SYSTEMS
    assert script.patch(address, {"closes": None}).json()["closes"] is None
    assert script.patch(address, {"systems": SYSTEMS[:1]}).json()["systems"] == SYSTEMS[:1]
    Study.objects.filter(pk=study.pk).update(status="open")
    listen(study)
    refused = script.patch(address, {"systems": SYSTEMS})
    assert refused.status_code == 400
    assert "A listener has begun" in refused.json()["detail"]
    assert script.patch(address, {"max_sessions": 0}).status_code == 422
    assert script.patch(address, {"texts": {"thanks": "Bye."}}).json()["texts"] == {"thanks": "Bye."}


def test_a_study_of_excerpts_waits_to_be_opened(
    script: Script, alice: User, processed: Callable[..., Clip]
) -> None:
    clip = processed(alice, sound=True)
    items = [
        {"clip": str(clip.pk), "training": True},
        {"clip": str(clip.pk), "start": 0.0, "end": 0.5, "name": "Half a second"},
    ]
    body = {"name": "x", "items": items, "systems": SYSTEMS, "open_when_ready": False, "pilot": True}
    made = script.post("/studies", body).json()
    assert [(row["title"], row["training"]) for row in made["items"]] == [
        (clip.title, True), ("Half a second", False),
    ]  # fmt: skip
    assert made["pilot"] is True
    prepare_study(made["id"])
    assert script.get(f"/studies/{made['id']}").json()["status"] == "ready"
    for action, status in (("open", "open"), ("close", "closed"), ("reopen", "open")):
        assert script.post(f"/studies/{made['id']}/{action}", {}).json()["status"] == status
    assert script.post(f"/studies/{made['id']}/paint", {}).status_code == 404
    assert script.delete(f"/studies/{made['id']}").status_code == 204
    assert not Study.objects.exists()


def test_sessions_are_listed_and_deleted(script: Script, study: Study) -> None:
    session = listen(study)
    address = f"/studies/{study.pk}/sessions"
    (row,) = script.get(address).json()["items"]
    assert (row["id"], row["trials"], row["trials_finished"]) == (str(session.pk), 3, 3)
    assert script.get(f"{address}?finished=false").json()["count"] == 0
    assert script.get(f"{address}?kind=pilot").json()["count"] == 0
    assert script.get(f"{address}?kind=x").status_code == 400
    note = script.delete(f"{address}/{session.pk}?reason=asked").json()
    assert (note["number"], note["ratings"], note["reason"]) == (1, 15, "asked")
    assert script.delete(f"{address}/{session.pk}").status_code == 404


def test_results_by_program(script: Script, study: Study) -> None:
    for opus in (80, 60):
        listen(study, {"original": 100, "anchor35": 20, "anchor70": 60, "opus-9k": opus, "bpgan-2k": 64})
    Score.objects.filter(metric="stoi", rendition__stimuli__item__position=2).delete()
    found = script.get(f"/studies/{study.pk}/results").json()
    opus_9k = next(row for row in found["systems"] if row["slug"] == "opus-9k")
    assert (opus_9k["mean"], opus_9k["listeners"], opus_9k["n"]) == (70.0, 2, 4)
    assert opus_9k["ci95"] == pytest.approx(12.7062 * 10, abs=1e-3)
    assert opus_9k["objective"]["pesq_wb"] is not None
    assert opus_9k["objective_items"] == {"pesq_nb": 2, "pesq_wb": 2, "stoi": 1}
    assert (found["listeners"], found["items"], found["profile"]) == (2, 2, "bs1534")
    assert script.get(f"/studies/{study.pk}/results?profile=x").status_code == 400
    assert script.get(f"/studies/{study.pk}/results?kind=simulated").json()["listeners"] == 0


def test_a_sealed_study_tells_a_program_nothing(script: Script, study: Study) -> None:
    listen(study)
    Study.objects.filter(pk=study.pk).update(sealed_until=timezone.now() + timedelta(days=1))
    for path in ("results", "ratings.csv", "mushra.csv", "files/archive.zip", "files/study.json"):
        answer = script.get(f"/studies/{study.pk}/{path}")
        assert answer.status_code == 400
        assert "sealed" in answer.json()["detail"]


def test_a_seal_is_true_or_is_not_set(script: Script, study: Study) -> None:
    def asked(when: datetime | None) -> str:
        answer = script.patch(f"/studies/{study.pk}", {"sealed_until": when and when.isoformat()})
        return str(answer.json().get("detail", ""))

    now = timezone.now()
    assert asked(now + timedelta(days=2)) == ""
    listen(study)
    assert "only be prolonged" in asked(now + timedelta(days=1))
    assert "only be prolonged" in asked(None)
    assert asked(now + timedelta(days=3)) == ""
    rows = Study.objects.filter(pk=study.pk)
    rows.update(sealed_until=now - timedelta(days=1))  # its time comes
    assert "could be seen" in asked(now + timedelta(days=1))
    assert asked(now - timedelta(days=1)) == ""  # nothing changes
    rows.update(sealed_until=None)  # there was none
    assert "could be seen" in asked(now + timedelta(days=1))
    rows.update(sealed_until=now + timedelta(days=1), unsealed=now)
    assert "was broken" in asked(now + timedelta(days=2))
    assert "was broken" in asked(None)


def test_an_archive_goes_in_and_out(script: Script, study: Study) -> None:
    clip = study.items.first().clip
    with clip.upload.open("rb") as file:
        Clip.objects.filter(pk=clip.pk).update(sha256=hashlib.file_digest(file, "sha256").hexdigest())
    study.items.exclude(clip=clip).update(clip=clip)
    content = fetch_made(script.client, script.get(f"/studies/{study.pk}/files/archive.zip"))
    again = SimpleUploadedFile("archive.zip", content)
    assert "already" in script.client.post("/api/studies/import", {"file": again}).json()["detail"]
    script.delete(f"/studies/{study.pk}")
    again.seek(0)
    made = script.client.post("/api/studies/import", {"file": again})
    assert made.status_code == 201, made.content
    assert made.json()["study"]["id"] == str(study.pk)
    assert script.client.post("/api/studies/import").status_code == 422
    assert script.get(f"/studies/{study.pk}/files/nothing.csv").status_code == 404


@pytest.mark.parametrize(
    ("setting", "kept"),
    [
        ({"headphones": {"tests": [{"test": "huggins", "pass": 5}]}},
         {"tests": [{"test": "huggins", "pass": 5, "attempts": 1}], "on_fail": "end"}),
        ({"headphones": {}}, {}),
        ({"recruitment": {"platform": "prolific", "code": "C0DE"}},
         {"platform": "prolific", "required": True, "code": "C0DE", "screened_out_code": ""}),
        ({"questionnaire": []}, []),
        ({"post_screening": {"reference_below": 80}}, {"reference_below": 80}),
        ({"training_repeats": 2}, 2),
    ],
)  # fmt: skip
def test_settings_are_kept_as_the_pages_keep_them(
    script: Script, study: Study, setting: dict[str, Any], kept: Any
) -> None:
    answer = script.patch(f"/studies/{study.pk}", setting)
    assert answer.status_code == 200, answer.content
    assert answer.json()[next(iter(setting))] == kept


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"headphones": {"tests": [{"test": "huggins", "pass": 50}]}},
            "headphones: tests[0].pass: must be a whole number from 1 to 6",
        ),
        ({"headphones": {"tests": ["huggins"]}}, "headphones: tests[0]: must be an object"),
        ({"headphones": {"colour": "red"}}, "'colour' does not belong here"),
        ({"recruitment": {"platform": "prolific"}}, "recruitment: code"),
        ({"recruitment": {"platform": "fiverr"}}, "recruitment: platform"),
        ({"questionnaire": [{"label": "x"}]}, "Question 1: give it a name"),
        (
            {"questionnaire": [{"name": "x", "label": "x", "type": "text", "colour": 1}]},
            "'colour' does not belong",
        ),
        ({"texts": {"consnt": "Yes"}}, "texts: 'consnt' does not belong here"),
        ({"method_options": {"plays": "once"}}, "'plays' does not belong here"),
        ({"design": {"systems_per_trail": 3}}, "design: 'systems_per_trail' does not belong here"),
        ({"post_screening": {"reference_belw": 80}}, "post_screening: 'reference_belw' does not belong here"),
        ({"training_repeats": 6}, "training_repeats: "),
        ({"training_repeats": None}, "training_repeats cannot be null"),
        ({"texts": None}, "texts cannot be null"),
        ({"pilot": None}, "pilot cannot be null"),
        ({"sealed_until": "2026-01-01T00:00:00Z"}, "end in the past"),
        ({"opens": "2026-02-01T00:00:00Z", "closes": "2026-01-01T00:00:00Z"}, "close before it opens"),
    ],
)
def test_settings_that_do_not_fit_are_named(
    script: Script, study: Study, setting: dict[str, Any], message: str
) -> None:
    answer = script.patch(f"/studies/{study.pk}", setting)
    assert answer.status_code == 400, answer.content
    assert message in answer.json()["detail"]
    study.refresh_from_db()
    assert (study.headphones, study.recruitment, study.questionnaire) == ({}, {}, [])
