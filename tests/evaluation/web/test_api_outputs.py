"""A researcher's own systems by the API: from a title to outputs that a study can use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client

from evaluation import tasks
from evaluation.models import Clip, OutputBatch, Rendition, UploadedSystem
from tests.evaluation.conftest import make_speech, make_upload, make_wav, script_of
from tests.problems import detail_of, fields_of

JSON = "application/json"


@pytest.fixture
def client(alice: User, make_clip: Callable[..., Clip]) -> Client:
    make_clip(alice, make_speech(1.0), title="one", original_name="one.wav")
    return script_of(alice)


def made(client: Client) -> str:
    answer = client.post("/api/systems", {"title": "Mine", "note": "v3", "kbps": 1.5}, content_type=JSON)
    assert answer.status_code == 201
    return str(answer.json()["slug"])


def test_a_system_is_made_changed_and_deleted(client: Client) -> None:
    slug = made(client)
    again = client.post("/api/systems", {"title": "mine"}, content_type=JSON)
    assert (again.status_code, "already" in again.json()["detail"]) == (422, True)
    changed = client.patch(f"/api/systems/{slug}", {"note": "v4"}, content_type=JSON).json()
    assert (changed["title"], changed["note"], changed["kbps"]) == ("Mine", "v4", 1.5)
    assert client.patch(f"/api/systems/{slug}", {"kbps": None}, content_type=JSON).json()["kbps"] is None
    assert client.patch(f"/api/systems/{slug}", {"kbps": -1}, content_type=JSON).status_code == 422
    for wrong, path in (
        ({"title": " "}, "title"),
        ({"title": "mine"}, "title"),
        ({"title": "x", "note": "n" * 5001}, "note"),
    ):
        refused = client.post("/api/systems", wrong, content_type=JSON)
        assert fields_of(refused) == {path: detail_of(refused, 422)}
    assert slug in {row["slug"] for row in client.get("/api/systems").json()}
    assert client.delete(f"/api/systems/{slug}").status_code == 204
    assert not UploadedSystem.objects.exists()


def test_outputs_are_checked_confirmed_and_stored(client: Client) -> None:
    slug = made(client)
    late = np.concatenate([np.zeros(800, np.float32), make_speech(1.0)])[:16000]
    sent = client.post(
        f"/api/systems/{slug}/outputs",
        {"file": [make_upload(make_wav(late), "one.wav"), make_upload(b"no sound", "other.wav")]},
    )
    assert sent.status_code == 202, sent.content
    address = f"/api/outputs/{sent.json()['id']}"
    early = client.post(f"{address}/confirm", {}, content_type=JSON)
    assert (early.status_code, "not been checked" in early.json()["detail"]) == (422, True)
    tasks.handle_outputs(sent.json()["id"])
    files = {row["name"]: row for row in client.get(address).json()["files"]}
    assert files["one.wav"]["checks"]["delay_seconds"] == pytest.approx(0.05, abs=1e-4)
    assert files["other.wav"]["problem"]
    confirmed = client.post(f"{address}/confirm", {"shift": [files["one.wav"]["id"]]}, content_type=JSON)
    assert (confirmed.status_code, confirmed.json()) == (202, {"taken": 1})
    tasks.handle_outputs(sent.json()["id"])
    rendition = Rendition.objects.get(system=slug)
    assert rendition.parameters["delay_seconds"] == pytest.approx(0.05, abs=1e-4)
    assert client.get(f"/api/systems/{slug}").json()["outputs"] == [str(rendition.clip_id)]
    assert client.get(f"/api/systems/{slug}?limit=1&offset=1").json()["outputs"] == []
    assert client.get(f"/api/systems/{slug}?limit=1").json()["output_count"] == 1
    assert client.get(f"/api/systems/{slug}?offset={2**64}").status_code == 422
    assert client.delete(f"/api/systems/{slug}/outputs/{rendition.clip_id}").status_code == 204
    assert not Rendition.objects.exists()
    assert client.delete(address).status_code == 204
    assert not OutputBatch.objects.exists()


def test_what_cannot_be_taken_is_refused_in_words(client: Client) -> None:
    slug = made(client)
    nothing = client.post(f"/api/systems/{slug}/outputs", {})
    assert (nothing.status_code, nothing.json()["detail"]) == (422, "No recording arrived.")
    broken = client.post(
        f"/api/systems/{slug}/outputs", b"--x\r\nnothing", content_type="multipart/form-data; boundary="
    )
    assert broken.status_code == 422


def test_strangers_find_nothing(client: Client, bob: User) -> None:
    slug = made(client)
    sent = client.post(
        f"/api/systems/{slug}/outputs", {"file": make_upload(make_wav(make_speech(1.0)), "one.wav")}
    )
    other = script_of(bob)
    for path in (f"/api/systems/{slug}", f"/api/outputs/{sent.json()['id']}"):
        assert other.get(path).status_code == 404
        assert other.delete(path).status_code == 404
    assert other.post(f"/api/systems/{slug}/outputs", {}).status_code == 404
    assert UploadedSystem.objects.exists()
