"""Files of a study: for their owner, complete, of one kind of sessions, not while the study is sealed."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from django.contrib.auth.models import User
from django.template import Context, Template
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evaluation.access import Role
from listening.interchange.exports import bundle, ratings
from listening.models import Event, MadeFile, Session, Study
from listening.study.removal import withdraw
from listening.study.studies import delete_study
from listening.tasks import make_file
from listening.web.accounts import make_api_token
from tests.listening.conftest import fetch_made, listen, share

FILES = ["ratings.csv", "ratings.parquet", "events.csv", "mushra.csv", "study.json", "archive.zip"]


def get(client: Client, study: Study, name: str, **query: str) -> bytes:
    answer = client.get(reverse("export", args=[study.pk, name]), query)
    if name == "archive.zip":
        return fetch_made(client, answer)
    assert answer.status_code == 200, answer
    assert f"{study.pk}" in answer.headers["Content-Disposition"]
    return answer.getvalue()


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def anywhere(owner: Client, alice: User) -> Client:
    """The owner, on pages and in the API."""
    owner.defaults["HTTP_AUTHORIZATION"] = f"Bearer {make_api_token(alice)}"
    return owner


def test_files_are_for_the_owner_alone(client: Client, study: Study, bob: User) -> None:
    urls = {name: reverse("export", args=[study.pk, name]) for name in FILES}
    for name, url in urls.items():
        assert client.get(url).headers["Location"].startswith(reverse("signin")), name
    client.force_login(bob)
    for name, url in urls.items():
        assert client.get(url).status_code == 404, name
    client.force_login(study.owner)
    for name, url in urls.items():
        assert client.post(url).status_code == 405, name
        assert client.get(url).headers["Cache-Control"].startswith(("private", "max-age=0")), name


def test_parquet_is_the_csv_with_types(owner: Client, study: Study) -> None:
    listen(study, comment="ok")
    table = pd.read_parquet(io.BytesIO(get(owner, study, "ratings.parquet")))
    text = pd.read_csv(io.BytesIO(get(owner, study, "ratings.csv")))
    assert list(table.columns) == list(text.columns)
    assert table["score"].dtype.kind == "i"
    assert table["kbps"].tolist() == text["kbps"].tolist()
    assert table["assessor"].tolist() == text["assessor"].astype(str).tolist()


def test_events_name_the_signal_that_sounded(owner: Client, study: Study) -> None:
    session = listen(study)
    trial = session.trials.get(position=2)
    for sequence, sound in enumerate([trial.order[2]["key"], "reference"], start=1):
        Event.objects.create(
            trial=trial,
            sequence=sequence,
            kind="switch",
            milliseconds=100 * sequence,
            detail={"sound": sound},
        )
    first, second = csv.DictReader(io.StringIO(get(owner, study, "events.csv").decode()))
    system = trial.item.stimuli.get(pk=trial.order[2]["stimulus"]).system
    assert (first["system"], first["presented"], first["milliseconds"]) == (system, "3", "100")
    assert (second["system"], second["presented"], second["event"]) == ("reference", "", "switch")
    assert json.loads(second["detail"]) == {"sound": "reference"}


def test_kinds_are_never_mixed(owner: Client, study: Study) -> None:
    listen(study)
    Session.objects.filter(pk=listen(study).pk).update(kind="simulated")
    for kind in ("real", "simulated"):
        rows = list(csv.DictReader(io.StringIO(get(owner, study, "ratings.csv", kind=kind).decode())))
        assert {row["kind"] for row in rows} == {kind}
        assert len(rows) == 15
    assert owner.get(reverse("export", args=[study.pk, "ratings.csv"]), {"kind": "x"}).status_code == 404
    with zipfile.ZipFile(io.BytesIO(get(owner, study, "archive.zip"))) as archive:
        assert archive.read("ratings.csv") == get(owner, study, "ratings.csv")
        assert len(json.loads(archive.read("study.json"))["sessions"]) == 2


def test_a_method_has_its_own_tables(owner: Client, study: Study) -> None:
    Study.objects.filter(pk=study.pk).update(method="acr")
    assert owner.get(reverse("export", args=[study.pk, "mushra.csv"])).status_code == 404
    assert owner.get(reverse("export", args=[study.pk, "passwords.csv"])).status_code == 404


def test_nothing_leaves_a_sealed_study(owner: Client, study: Study) -> None:
    listen(study)
    Study.objects.filter(pk=study.pk).update(sealed_until=timezone.now() + timedelta(days=1))
    for name in FILES:
        answer = owner.get(reverse("export", args=[study.pk, name]))
        assert answer.status_code == 302, name
        assert answer.headers["Location"] == reverse("results", args=[study.pk]), name


@pytest.mark.parametrize("kind", ["real", "simulated"])
def test_a_worker_makes_the_same_of_a_large_study(
    anywhere: Client, study: Study, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """By the page and by the API, with what was asked for, under the same name and of the same type."""
    trial = listen(study, comment="crackles").trials.first()
    assert trial is not None
    Event.objects.create(trial=trial, sequence=1, kind="play", milliseconds=5, detail={})
    Session.objects.filter(pk=listen(study).pk).update(kind="simulated")
    query = {"kind": kind, "personal": "yes"}
    for name in FILES[:-1]:
        page, api = reverse("export", args=[study.pk, name]), f"/api/studies/{study.pk}/files/{name}"
        at_once = anywhere.get(page, query)
        content = at_once.getvalue()
        assert anywhere.get(api, query).getvalue() == content
        with monkeypatch.context() as patch:
            patch.setattr(bundle, "MOST_AT_ONCE", 0)
            if (name, kind) == ("events.csv", "simulated"):  # of which there are none
                assert anywhere.get(page, query).getvalue() == content
                continue
            for address, least in ((page, 302), (api, 202)):
                asked = anywhere.get(address, query)
                assert asked.status_code == least
                row = MadeFile.objects.get()
                assert fetch_made(anywhere, asked) == content
                fetched = anywhere.get(reverse("made_file_download", args=[row.pk]))
                for header in ("Content-Type", "Cache-Control", "Content-Disposition"):
                    assert fetched[header] == at_once[header], header
                assert name in anywhere.get(reverse("made_file", args=[row.pk])).content.decode()
                row.delete()


def test_5000_rows_come_at_once_and_one_more_by_a_worker(
    anywhere: Client, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials and what is in them, of the kind of sessions that was asked for; in study.json, of all kinds."""
    assert bundle.MOST_AT_ONCE == 5000
    for kind in ("real", "simulated"):
        Session.objects.filter(pk=listen(study).pk).update(kind=kind)  # 3 trials and 15 grades each
    addresses = {
        name: [reverse("export", args=[study.pk, name]), f"/api/studies/{study.pk}/files/{name}"]
        for name in FILES[:-1]
    }
    for name in ("ratings.csv", "mushra.csv"):
        addresses[name].append(f"/api/studies/{study.pk}/{name}")

    def waits(most: int, name: str) -> set[bool]:
        monkeypatch.setattr(bundle, "MOST_AT_ONCE", most)
        return {anywhere.get(address).status_code in (302, 202) for address in addresses[name]}

    for name in ("ratings.csv", "ratings.parquet", "mushra.csv"):
        assert waits(18, name) == {False}, name
        assert waits(17, name) == {True}, name
    assert waits(36, "study.json") == {False}
    assert waits(35, "study.json") == {True}
    assert waits(0, "events.csv") == {False}  # there are none


def test_a_file_that_was_made_forgets_who_withdraws(
    owner: Client,
    study: Study,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[Any]],
) -> None:
    monkeypatch.setattr(bundle, "MOST_AT_ONCE", 0)
    stays, goes = listen(study), listen(study)
    asked = owner.get(reverse("export", args=[study.pk, "ratings.csv"]))
    assert goes.assessor.code.encode() in fetch_made(owner, asked)
    before = MadeFile.objects.get().file
    with django_capture_on_commit_callbacks(execute=True):
        withdraw(goes)
    assert not before.storage.exists(str(before.name))
    row = MadeFile.objects.get()
    assert (row.status, row.file.name) == ("queued", "")
    make_file(str(row.pk))
    content = owner.get(reverse("made_file_download", args=[row.pk])).getvalue()
    assert stays.assessor.code.encode() in content
    assert goes.assessor.code.encode() not in content


def test_a_large_file_goes_to_who_may_have_it(
    owner: Client, study: Study, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may only view gets no personal data, nor the file that they asked for as an editor."""
    listen(study)
    monkeypatch.setattr(bundle, "MOST_AT_ONCE", 0)
    share(study, bob, Role.EDITOR)
    editor = Client()
    editor.force_login(bob)
    address = reverse("export", args=[study.pk, "study.json"])
    personal = editor.get(address, {"personal": "yes"})
    plain = editor.get(address)
    assert personal["Location"] != plain["Location"]
    share(study, bob, Role.VIEWER)
    assert editor.get(address, {"personal": "yes"}).status_code == 403
    assert fetch_made(editor, plain)
    make_file(personal["Location"].strip("/").split("/")[-1])
    assert editor.get(f"{personal['Location']}download").status_code == 403
    assert owner.get(f"{plain['Location']}download").status_code == 404  # each asks for their own
    Study.objects.filter(pk=study.pk).update(sealed_until=timezone.now() + timedelta(days=1))
    assert editor.get(f"{plain['Location']}download").status_code == 400
    delete_study(study)
    assert editor.get(plain["Location"]).status_code == 404


def test_a_file_is_made_anew_after_new_grades_and_after_a_failure(
    owner: Client, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(study)
    monkeypatch.setattr(bundle, "MOST_AT_ONCE", 0)
    address = reverse("ratings_csv", args=[study.pk])
    first = fetch_made(owner, owner.get(address))
    listen(study)
    assert fetch_made(owner, owner.get(address)).count(b"\n") == 2 * first.count(b"\n") - 1
    asked = owner.get(address)["Location"]
    row = MadeFile.objects.get(status="queued")
    with monkeypatch.context() as broken:
        broken.setattr(ratings, "time_text", None)
        make_file(str(row.pk))
    page = owner.get(asked).content.decode()
    assert "The file could not be made" in page
    assert owner.get(f"{asked}download").status_code == 409
    owner.post(reverse("job_retry", args=["madefile", row.pk]))
    make_file(str(row.pk))
    assert owner.get(f"{asked}download").getvalue().count(b"\n") == 31


def test_the_menu_lists_what_there_is(study: Study) -> None:
    menu = Template("{% load exports %}{% export_menu study %}").render(Context({"study": study}))
    assert all(reverse("export", args=[study.pk, name]) in menu for name in FILES)
    other = Template("{% load exports %}{% export_menu study 'simulated' %}").render(
        Context({"study": study})
    )
    assert "ratings.csv?kind=simulated" in other
    assert "archive.zip" not in other
