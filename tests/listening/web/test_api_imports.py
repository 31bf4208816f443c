"""Other tools' files by the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from listening.models import ImportDraft, Study
from tests.evaluation.conftest import script_of

JSON = "application/json"
TABLE = (
    "listener,email,item,system,score\n1,a@b.c,s,Reference,100\n1,a@b.c,s,A,20\n2,d@e.f,s,Reference,98\n"
    "2,d@e.f,s,A,35\n"
)
CONFIGURATION = "testname: T\npages:\n- type: generic\n  id: g\n  content: hello\n"


@pytest.fixture
def client(alice: User) -> Client:
    return script_of(alice)


def sent(client: Client, content: str = TABLE, **extra: str) -> Any:
    files = {"file": SimpleUploadedFile("old.csv", content.encode())}
    files |= {name: SimpleUploadedFile("polqa.csv", text.encode()) for name, text in extra.items()}
    return client.post("/api/imports", files)


def test_seen_then_imported(client: Client, alice: User) -> None:
    answer = sent(client, extra="item,system,POLQA\ns,A,2.1\n")
    assert answer.status_code == 201
    found = answer.json()
    assert found["results"]["systems"] == {"Reference": "original", "A": "A"}
    assert (found["results"]["answers"], found["results"]["listeners"]) == (4, 2)
    assert found["results"]["metrics"] == ["polqa"]
    assert not Study.objects.exists()
    done = client.post(f"/api/imports/{found['id']}", {"name": "Old"}, content_type=JSON)
    assert done.status_code == 201
    study = Study.objects.get(pk=done.json()["study"])
    assert (study.name, study.owner, study.method) == ("Old", alice, "mushra")
    shown = client.get(f"/api/studies/{study.pk}/results").json()
    assert {row["slug"]: row["mean"] for row in shown["systems"]} == {"original": 99.0, "A": 27.5}
    assert (
        "a@b.c" not in client.get(f"/api/studies/{study.pk}/files/study.json?personal=yes").content.decode()
    )
    assert not ImportDraft.objects.exists()


def test_what_cannot_be_read_says_where(client: Client) -> None:
    answer = sent(client, TABLE.replace("35", "many"))
    assert "Line 5, column 5 (score)" in answer.json()["error"]
    done = client.post(f"/api/imports/{answer.json()['id']}", {}, content_type=JSON)
    assert (done.status_code, "Line 5, column 5" in done.json()["detail"]) == (422, True)
    assert not Study.objects.exists()
    unsupported = sent(client, CONFIGURATION).json()
    assert (unsupported["kind"], bool(unsupported["error"])) == ("configuration", True)
    assert client.post("/api/imports", {}).status_code == 422


def test_a_mapping_that_cannot_be_is_refused(client: Client) -> None:
    found = sent(client).json()
    twice = {"systems": {"Reference": "original", "A": "original"}}
    done = client.post(f"/api/imports/{found['id']}", twice, content_type=JSON)
    assert (done.status_code, "cannot both be original" in done.json()["detail"]) == (422, True)
    assert client.delete(f"/api/imports/{found['id']}").status_code == 204
    assert not ImportDraft.objects.exists()


def test_strangers_find_nothing(client: Client, bob: User) -> None:
    found = sent(client).json()
    other = script_of(bob)
    assert other.get(f"/api/imports/{found['id']}").status_code == 404
    assert other.post(f"/api/imports/{found['id']}", {}, content_type=JSON).status_code == 404
    assert other.delete(f"/api/imports/{found['id']}").status_code == 404
