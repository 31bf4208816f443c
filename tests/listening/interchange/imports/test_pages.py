"""Importing in the browser's way: send, see, decide."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from listening.models import ImportDraft, Rating, Study
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
    assert "168 cases of a listener without any grade of an item" in shown
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


def test_missing_answers_choices_and_what_follows_are_shown_before_and_after(page: Client) -> None:
    draft = send(page, "listener,item,system,score\n1,s,A,20\n1,s,B,NA\n2,s,A,35\n2,s,B,40\n")
    shown = page.get(f"/import/{draft.pk}/").content.decode()
    assert "Missing answers</dt><dd>1: line 3" in shown
    assert "nobody is screened by it" in shown
    assert "What the file leaves open" in shown
    data = {"name": "Old", "method": "mushra", "from": ["A", "B"], "to": ["A", "B"]}
    results = page.post(f"/import/{draft.pk}/", data)["Location"]
    for address in (results, results.replace("results/", "")):
        after = page.get(address).content.decode()
        assert "nobody is screened by it" in after
        assert "1 answer is missing" in after
    assert "No listeners yet" not in after
    draft = send(page, TEXT)
    data = {"name": "Old", "method": "mushra", "from": ["Reference", "A"], "to": ["original", "anchor35"]}
    after = page.get(page.post(f"/import/{draft.pk}/", data)["Location"]).content.decode()
    assert "nobody is screened by it" not in after
    assert "the 7\xa0kHz anchor" in after


def test_a_file_that_is_not_understood_asks_which_column_is_which(page: Client) -> None:
    draft = send(page, "Wer,Was,Womit,Wieviel\n1,s,A,20\n1,s,B,30\n")
    shown = page.get(f"/import/{draft.pk}/").content.decode()
    assert "No format that can be read has this header" in shown
    assert '<select id="choice-listener"' in shown
    chosen = {"listener": "Wer", "item": "Was", "system": "Womit", "score": "Wieviel"}
    shown = page.get(f"/import/{draft.pk}/", chosen).content.decode()
    assert '<input type="hidden" name="listener" value="Wer">' in shown
    data = {**chosen, "name": "Old", "method": "mushra", "from": ["A", "B"], "to": ["A", "B"]}
    page.post(f"/import/{draft.pk}/", data)
    assert Study.objects.get().systems == ["A", "B"]


def test_what_results_leave_open_is_a_form(page: Client) -> None:
    draft = send(page, "listener,A,B,Age\n1,2,3,31\n2,4,5,24\nMean,3,4,27.5\n")
    shown = page.get(f"/import/{draft.pk}/").content.decode()
    assert 'name="answer-summary:listener:Mean" value="out" checked' in shown
    assert 'name="answer-scale:best" value="high" checked' in shown
    assert 'name="answer-column:Age"' in shown
    answers = {"answer-scale:best": "low", "answer-column:Age": "out", "answer-summary:listener:Mean": "out"}
    sent = page.post(f"/import/{draft.pk}/", {**answers, "preview": "1"})
    assert (sent.status_code, sent["Location"]) == (302, f"/import/{draft.pk}/")  # so that Back works
    shown = page.get(f"/import/{draft.pk}/").content.decode()
    assert "Grades were turned round" in shown
    assert '<input type="hidden" name="answer-scale:best" value="low">' in shown
    assert not Study.objects.exists()
    data = {**answers, "name": "Old", "method": "acr", "from": ["A", "B"], "to": ["A", "B"]}
    page.post(f"/import/{draft.pk}/", data)
    assert sorted(Rating.objects.values_list("score", flat=True)) == [1, 2, 3, 4]


def test_where_a_suggested_role_comes_from(page: Client) -> None:
    table = "listener,item,system,score\n1,a,reference,99\n1,a,lp70,20\n1,a,anchor70,25\n1,a,C,50\n"
    draft = send(page, table)
    address = f"/import/{draft.pk}/"
    rows = re.findall(
        r"<bdi[^>]*>(\w+)</bdi> <small class=\"muted\">([^<]*)", page.get(address).content.decode()
    )
    assert dict(rows) == {"reference": "suggested by its name", "lp70": "by the answer to the question above"}
    page.post(address, {"answer-role:anchor70": "all", "preview": "1"})
    shown = page.get(address).content.decode()
    assert 'value="all" checked' in shown
    names = re.findall(r'name="from" value="(\w+)"', shown)
    slugs = re.findall(r'name="to".*?</select>', shown)
    to = [
        (re.findall(r'value="([^"]+)" selected', each) or [name])[0]
        for name, each in zip(names, slugs, strict=True)
    ]
    sent = page.post(
        address, {"name": "N", "method": "mushra", "from": names, "to": to, "answer-role:anchor70": "all"}
    )
    assert sent.status_code == 302
    assert Study.objects.get().systems == ["C", "lp70"]
