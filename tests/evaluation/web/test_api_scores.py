"""Metrics by the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from evaluation.metrics import METRICS
from evaluation.models import Clip, Rendition, Score
from tests.evaluation.conftest import script_of

MakeClip = Callable[..., Clip]


@pytest.fixture
def client(alice: User) -> Client:
    return script_of(alice)


@pytest.fixture
def clip(alice: User, make_clip: MakeClip) -> Clip:
    clip = make_clip(alice, title="Two sentences")
    Rendition.objects.create(clip=clip, system="anchor35", status=Rendition.Status.DONE)
    return clip


def table(content: str) -> dict[str, SimpleUploadedFile]:
    return {"file": SimpleUploadedFile("polqa.csv", content.encode())}


def test_every_metric_is_listed_with_what_it_lacks(client: Client) -> None:
    found = {row["slug"]: row for row in client.get("/api/metrics").json()}
    assert list(found) == list(METRICS)
    assert found["stoi"]["default"]
    assert found["polqa"]["missing"]
    assert not found["phones"]["higher_is_better"]


def test_more_is_measured_when_a_script_asks(client: Client, clip: Clip) -> None:
    address = f"/api/clips/{clip.pk}/metrics"
    response = client.post(address, {"metrics": ["visqol", "phones"]}, content_type="application/json")
    assert (response.status_code, response.json()) == (202, {"queued": 2})
    Score.objects.filter(metric="phones").update(status=Score.Status.DONE, value=0.25, version="x 1")
    (rendition,) = client.get(f"/api/clips/{clip.pk}").json()["renditions"]
    assert rendition["others"]["phones"] == {
        "value": 0.25, "status": "done", "version": "x 1", "note": "", "error": "",
    }  # fmt: skip
    assert rendition["others"]["visqol"]["status"] == "queued"
    refused = client.post(address, {"metrics": ["polqa"]}, content_type="application/json")
    assert refused.status_code == 422
    assert "cannot be computed" in refused.json()["detail"]


def test_polqa_is_uploaded(client: Client, clip: Clip) -> None:
    response = client.post("/api/scores", table("clip,system,value\nTwo sentences,anchor35,3.5\n"))
    assert (response.status_code, response.json()) == (200, {"metric": "polqa", "created": 1, "replaced": 0})
    refused = client.post("/api/scores?metric=polqa", table("clip,system,value\nTwo sentences,anchor35,9\n"))
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("Line 2: POLQA ranges from 1")
    assert Score.objects.get().value == 3.5


def test_a_stranger_can_do_neither(clip: Clip, bob: User) -> None:
    stranger = script_of(bob)
    clip.public = True
    clip.save()
    asked = stranger.post(
        f"/api/clips/{clip.pk}/metrics", {"metrics": ["phones"]}, content_type="application/json"
    )
    assert asked.status_code == 403
    assert (
        stranger.post("/api/scores", table("clip,system,value\nTwo sentences,anchor35,3\n")).status_code
        == 422
    )
    assert not Score.objects.exists()
    assert Client().get("/api/metrics").status_code == 401
