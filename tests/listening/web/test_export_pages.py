"""Files of a study: for their owner, complete, of one kind of sessions, not while the study is sealed."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import timedelta

import pandas as pd
import pytest
from django.contrib.auth.models import User
from django.template import Context, Template
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from listening.models import Event, Session, Study
from tests.listening.conftest import fetch_made, listen

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


@pytest.mark.parametrize("name", FILES)
def test_files_are_for_the_owner_alone(client: Client, study: Study, bob: User, name: str) -> None:
    url = reverse("export", args=[study.pk, name])
    assert client.get(url).headers["Location"].startswith(reverse("signin"))
    client.force_login(bob)
    assert client.get(url).status_code == 404
    client.force_login(study.owner)
    assert client.post(url).status_code == 405
    assert client.get(url).headers["Cache-Control"].startswith(("private", "max-age=0"))


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


@pytest.mark.parametrize("name", FILES)
def test_nothing_leaves_a_sealed_study(owner: Client, study: Study, name: str) -> None:
    listen(study)
    Study.objects.filter(pk=study.pk).update(sealed_until=timezone.now() + timedelta(days=1))
    answer = owner.get(reverse("export", args=[study.pk, name]))
    assert answer.status_code == 302
    assert answer.headers["Location"] == reverse("results", args=[study.pk])


def test_the_menu_lists_what_there_is(study: Study) -> None:
    menu = Template("{% load exports %}{% export_menu study %}").render(Context({"study": study}))
    assert all(reverse("export", args=[study.pk, name]) in menu for name in FILES)
    other = Template("{% load exports %}{% export_menu study 'simulated' %}").render(
        Context({"study": study})
    )
    assert "ratings.csv?kind=simulated" in other
    assert "archive.zip" not in other
