"""Importing in the browser's way: send, see, decide."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from listening.models import ImportDraft, Study
from listening.results.objective_frame import objective_frame

TEXT = (
    "listener,email,item,system,score\n1,a@b.c,s,Reference,100\n1,a@b.c,s,A,20\n2,d@e.f,s,Reference,98\n"
    "2,d@e.f,s,A,35\n"
)


@pytest.fixture
def page(alice: User, client: Client) -> Client:
    client.force_login(alice)
    return client


def send(page: Client, content: str | bytes = TEXT, name: str = "old.csv", extra: str = "") -> ImportDraft:
    content = content.encode() if isinstance(content, str) else content
    data = {"file": SimpleUploadedFile(name, content)}
    if extra:
        data["extra"] = SimpleUploadedFile("polqa.csv", extra.encode())
    answer = page.post("/import/", data)
    assert answer.status_code == 302, answer.content
    return ImportDraft.objects.get(pk=answer["Location"].strip("/").split("/")[-1])


def test_seen_before_it_is_imported(page: Client, media: Path) -> None:
    draft = send(page, extra="item,system,POLQA\ns,A,2.1\n")
    shown = page.get(f"/import/{draft.pk}/").content.decode()
    assert "a table with a grade a row" in shown
    assert "suggested by its name" in shown
    assert '<bdi dir="auto">polqa</bdi> of 1 stimulus' in shown
    assert not Study.objects.exists()
    data = {"name": "Old", "method": "mushra", "from": ["Reference", "A"], "to": ["original", "anchor35"]}
    answer = page.post(f"/import/{draft.pk}/", data)
    study = Study.objects.get()
    assert answer["Location"] == f"/studies/{study.pk}/results/"
    assert study.imported["systems"] == {"Reference": "original", "A": "anchor35"}
    assert objective_frame(study).values.tolist() == [[1, "anchor35", "polqa", 2.1]]
    assert not ImportDraft.objects.exists()
    results = page.get(answer["Location"])
    assert results.status_code == 200


def test_a_mapping_that_cannot_be_is_shown_again(page: Client) -> None:
    draft = send(page)
    data = {"name": "Old", "method": "mushra", "from": ["Reference", "A"], "to": ["original", "original"]}
    answer = page.post(f"/import/{draft.pk}/", data)
    assert answer.status_code == 422
    assert b"cannot both be original" in answer.content
    assert b'value="Old"' in answer.content
    assert not Study.objects.exists()


def test_what_cannot_be_read_says_where(page: Client) -> None:
    draft = send(page, TEXT.replace("35", "many"))
    answer = page.get(f"/import/{draft.pk}/")
    assert "Line 5, column 5 (score)" in answer.content.decode()
    assert page.post("/import/", {"file": SimpleUploadedFile("x.csv", b"")}).status_code == 422
    assert page.post("/import/", {"file": SimpleUploadedFile("x.zip", b"PK\x03\x04x")}).status_code == 422


def test_strangers_find_nothing(page: Client, bob: User) -> None:
    draft = send(page)
    page.logout()
    assert "/signin/" in page.get("/import/")["Location"]
    page.force_login(bob)
    assert page.get(f"/import/{draft.pk}/").status_code == 404
    assert page.post(f"/import/{draft.pk}/discard/").status_code == 404
    assert ImportDraft.objects.exists()


@pytest.mark.shared
def test_benjsta_through_the_site(page: Client, shared: Path) -> None:
    folder = shared / "reference" / "ratings" / "benjsta"
    sent = page.post(
        "/import/",
        {
            "file": SimpleUploadedFile("ratings.csv", (folder / "ratings_formated.csv").read_bytes()),
            "extra": SimpleUploadedFile(
                "pesq_wb_vs_mushra.csv", (folder / "pesq_wb_vs_mushra.csv").read_bytes()
            ),
        },
    )
    shown = page.get(sent["Location"]).content.decode()
    assert '<bdi dir="auto">pesq_wb</bdi> of 128 stimuli' in shown
    assert "168 times a listener has no grade of an item" in shown
    done = page.post(sent["Location"], {"name": "benjsta", "method": "mushra"})
    results = page.get(done["Location"]).content.decode()
    listeners = re.findall(r"in the file: (\d+).*?badge (failed|done)", results, flags=re.DOTALL)
    assert sorted(int(who) for who, state in listeners if state == "failed") == [6, 17]
    assert len(listeners) == 21
    assert "PESQ-WB and the listeners order the systems differently" in results


def test_discarding(page: Client, media: Path) -> None:
    draft = send(page)
    assert list((media / "imports").iterdir())
    page.post(f"/import/{draft.pk}/discard/")
    assert not ImportDraft.objects.exists()
