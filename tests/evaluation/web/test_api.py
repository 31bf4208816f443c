"""The clips' part of the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from codec import registry
from evaluation import tasks
from evaluation.models import Clip, Rendition, Score
from tests.evaluation.conftest import make_speech, make_wav, script_of

MakeClip = Callable[..., Clip]


@pytest.fixture
def client(alice: User) -> Client:
    return script_of(alice)


@pytest.fixture
def strangers_client(bob: User) -> Client:
    return script_of(bob)


def test_from_upload_to_scores(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script's whole day: upload, poll, read figures, download."""
    some = {slug: registry.SYSTEMS[slug] for slug in ("original", "anchor35")}
    monkeypatch.setattr(registry, "SYSTEMS", some)
    response = client.post("/api/clips", {"file": SimpleUploadedFile("a.wav", make_wav(make_speech(1.0)))})
    assert response.status_code == 201
    address = f"/api/clips/{response.json()['id']}"

    clip = client.get(address).json()
    assert clip["status"] == "queued"
    assert [(r["system"], r["status"], r["kbps"]) for r in clip["renditions"]] == [
        ("original", "queued", None),
        ("anchor35", "queued", None),
    ]

    for rendition in Rendition.objects.all():
        tasks.make_rendition(str(rendition.pk))
    clip = client.get(address).json()
    assert clip["status"] == "running", "audio is there, figures are not"
    assert {r["status"] for r in clip["renditions"]} == {"running"}

    for score in Score.objects.all():
        tasks.make_score(score.pk)
    clip = client.get(address).json()
    assert clip["status"] == "done"
    original, anchor = clip["renditions"]
    assert original["status"] == anchor["status"] == "done"
    assert original["error"] == ""
    assert original["kbps"] == pytest.approx(256.0)
    assert original["pesq_wb"] == pytest.approx(4.64, abs=0.01)
    assert original["pesq_word"] == "Excellent"
    assert anchor["pesq_wb"] < original["pesq_wb"]
    assert original["stoi"] == pytest.approx(1.0, abs=1e-6)
    assert original["audio_url"].startswith("http://testserver/renditions/")

    for url in (anchor["audio_url"], anchor["bitstream_url"], clip["audio_url"], clip["zip_url"]):
        assert client.get(url).status_code == 200
        assert Client().get(url).status_code == 404


def test_a_rendition_has_the_promised_fields(client: Client, rendition: Rendition) -> None:
    (row,) = client.get(f"/api/clips/{rendition.clip_id}").json()["renditions"]
    promised = "system status error kbps pesq_nb pesq_wb stoi audio_url bitstream_url"
    assert set(promised.split()) <= set(row)
    assert row["audio_url"] is None


def test_failure_is_told(client: Client, rendition: Rendition) -> None:
    Rendition.objects.update(status="failed", error="Install libopus.")
    clip = client.get(f"/api/clips/{rendition.clip_id}").json()
    assert clip["status"] == "failed"
    assert clip["renditions"][0]["error"] == "Install libopus."


def test_list_has_ones_own_clips_only(client: Client, alice: User, bob: User, make_clip: MakeClip) -> None:
    mine = make_clip(alice, title="Mine")
    make_clip(bob, public=True)
    assert [(c["id"], c["title"], c["status"]) for c in client.get("/api/clips").json()["items"]] == [
        (str(mine.pk), "Mine", "queued")
    ]


def test_list_takes_the_same_queries_for_any_number(
    client: Client, alice: User, make_clip: MakeClip, django_assert_max_num_queries: Any
) -> None:
    for _ in range(10):
        Rendition.objects.create(clip=make_clip(alice), system="original")
    with django_assert_max_num_queries(8):  # count, clips, renditions, scores; the others are the token's
        assert len(client.get("/api/clips").json()["items"]) == 10


def test_list_is_paged_and_filtered(client: Client, alice: User, make_clip: MakeClip) -> None:
    for number in range(5):
        make_clip(alice, title=f"Sentence {number}")
    page = client.get("/api/clips", {"limit": 2, "offset": 1}).json()
    assert page["count"] == 5
    assert [clip["title"] for clip in page["items"]] == ["Sentence 3", "Sentence 2"]
    found = client.get("/api/clips", {"search": "ENCE 4"}).json()
    assert [clip["title"] for clip in found["items"]] == ["Sentence 4"]
    assert client.get("/api/clips", {"public": True}).json()["count"] == 0
    assert client.get("/api/clips", {"limit": "all"}).status_code == 422


def test_a_clip_is_changed_published_and_deleted(client: Client, alice: User, make_clip: MakeClip) -> None:
    clip = make_clip(alice)
    address = f"/api/clips/{clip.pk}"
    body = client.patch(address, {"title": "New", "public": True}, content_type="application/json").json()
    assert (body["title"], body["public"]) == ("New", True)
    refused = client.patch(address, {"title": ""}, content_type="application/json")
    assert refused.status_code == 422
    clip.refresh_from_db()
    assert (clip.title, clip.public) == ("New", True)
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_strangers_public_clip_cannot_be_changed(
    strangers_client: Client, rendition: Rendition, method: str
) -> None:
    Clip.objects.update(public=True)
    answer = getattr(strangers_client, method)(
        f"/api/clips/{rendition.clip_id}", {"title": "Mine"}, content_type="application/json"
    )
    assert answer.status_code == 403
    assert Clip.objects.exclude(title="Mine").count() == 1


def test_what_failed_is_tried_again(client: Client, rendition: Rendition) -> None:
    address = f"/api/clips/{rendition.clip_id}/retry"
    assert client.post(address).json() == {"queued": 0}
    Rendition.objects.update(status="failed", error="Install libopus.")
    assert client.post(address).json() == {"queued": 1}
    assert Rendition.objects.get().status == "queued"


def test_someone_elses_clip_is_not_found(strangers_client: Client, rendition: Rendition) -> None:
    theirs = strangers_client.get(f"/api/clips/{rendition.clip_id}")
    missing = strangers_client.get(f"/api/clips/{uuid4()}")
    assert theirs.status_code == missing.status_code == 404
    assert theirs.json() == missing.json()


def test_public_clip_is_for_everybody(strangers_client: Client, rendition: Rendition) -> None:
    Clip.objects.update(public=True)
    assert strangers_client.get(f"/api/clips/{rendition.clip_id}").status_code == 200


def test_odd_ids_are_not_found(client: Client) -> None:
    assert client.get("/api/clips/../../etc/passwd").status_code == 404
    assert client.get("/api/clips/1").status_code == 404


@pytest.mark.parametrize(("method", "address"), [("get", "clips"), ("post", "clips"), ("get", "systems")])
def test_token_is_needed(db: None, method: str, address: str) -> None:
    for client in (Client(), Client(headers={"Authorization": "Bearer nobody"})):
        assert getattr(client, method)(f"/api/{address}").status_code == 401


def test_hostile_title_stays_text(client: Client) -> None:
    title = "<script>alert(1)</script>"
    response = client.post(
        "/api/clips", {"file": SimpleUploadedFile("a.wav", make_wav(make_speech(0.5))), "title": title}
    )
    answer = client.get(f"/api/clips/{response.json()['id']}")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["title"] == title


def test_systems_are_listed_in_order(client: Client) -> None:
    systems = client.get("/api/systems").json()
    assert [system["slug"] for system in systems] == list(registry.SYSTEMS)
    assert systems[0] == {
        "slug": "original",
        "title": "Original",
        "kind": "registry",
        "family": "reference",
        "kbps": 256.0,
        "note": "16-bit PCM",
    }


def test_upload_is_described(client: Client) -> None:
    operation = client.get("/api/openapi.json").json()["paths"]["/api/clips"]["post"]
    properties = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert set(properties) == {"file", "title", "systems"}
    assert properties["systems"]["type"] == "array"
    assert {"200", "201", "413", "422"} <= set(operation["responses"])
