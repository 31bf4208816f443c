"""A study as one file: complete, reproducible, without secrets, and back again."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import soundfile
from django.apps import apps
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from evaluation.models import Clip, Rendition, UploadedSystem
from evaluation.outputs.archives import ArchiveProblem
from listening.interchange.archive.fields import KEPT_HERE
from listening.interchange.archive.read import read_archive
from listening.interchange.archive.write import document_parts, write_archive
from listening.interchange.imports import read_results
from listening.interchange.imports.storing import Decisions, store
from listening.models import (
    Answer,
    Assessor,
    Choice,
    Event,
    Participation,
    Rating,
    Session,
    Simulation,
    Stage,
    Stimulus,
    Study,
)
from listening.session.sessions import start_session
from listening.simulation import runs as simulation
from listening.study import preparing, removal
from listening.study.studies import delete_study, update_study
from tests.listening.conftest import listen
from tests.listening.results.test_method_results import right

pytestmark = pytest.mark.django_db


def document(study: Study, *, personal: bool = False) -> str:
    """``study.json``."""
    return b"".join(document_parts(study, personal=personal)).decode()


@pytest.fixture
def full(make_study: Callable[..., Study], alice: User) -> Study:
    """A study with a row in every table and sound in every file."""
    study = make_study(clips=1, sound=True)
    study.texts = {"consent": "Ja, gerne. ½"}
    study.analysis = {"population": "these", "margin": 2.5}
    study.opens = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    study.questionnaire = [
        {"name": "age", "type": "number", "label": "Your age", "when": "before", "required": True}
    ]
    study.save()
    clip = Clip.objects.get()
    with clip.upload.open("rb") as file:
        Clip.objects.update(sha256=hashlib.file_digest(file, "sha256").hexdigest())
    UploadedSystem.objects.create(owner=alice, slug="our-codec", title="Our codec", kbps=3.2)
    Stimulus.objects.filter(system="opus-9k").update(system="our-codec")
    Rendition.objects.filter(system="opus-9k").update(system="our-codec")
    Study.objects.filter(pk=study.pk).update(systems=["our-codec", "bpgan-2k"])
    rendition = Rendition.objects.get(system="our-codec")
    rendition.upload.save("ours.wav", ContentFile(b"whatever our codec gave"))
    session = listen(study, comment="eine Anmerkung, mit Komma")
    trial = session.trials.get(position=2)
    Event.objects.create(
        trial=trial, sequence=1, kind="play", milliseconds=5, detail={"sound": trial.order[0]["key"]}
    )
    Choice.objects.create(trial=trial, chosen_id=trial.order[0]["stimulus"], sequence=3)
    Stage.objects.create(session=session, name="volume", data={"db": -6})
    Answer.objects.create(session=session, question="age", value=41)
    Participation.objects.create(study=study, session=session, platform="prolific", person="5f3a")
    removal.delete_session(listen(study))
    Session.objects.create(
        study=study,
        assessor=session.assessor,
        number=9,
        seed=9,
        kind="simulated",
        completion_code="X",
        screened_out=study.opens,
    )
    study.refresh_from_db()
    return study


def archive_of(study: Study, *, personal: bool = True) -> bytes:
    target = io.BytesIO()
    write_archive(study, target, personal=personal)
    return target.getvalue()


def empty() -> None:
    """Delete everything but the users, as on another server."""
    for study in Study.objects.all():
        delete_study(study)
    Clip.objects.all().delete()
    UploadedSystem.objects.all().delete()


_packed: list[bytes] = []


@pytest.fixture
def packed(request: pytest.FixtureRequest, db: None) -> bytes:
    """The archive of `full`, made once, on a server that knows nothing of it."""
    if not _packed:
        _packed.append(archive_of(request.getfixturevalue("full")))
        empty()
    return _packed[0]


def edited(content: bytes, change: Callable[[dict[str, Any]], None]) -> io.BytesIO:
    """The archive with its document changed."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "study.json":
                parsed = json.loads(data)
                change(parsed)
                data = json.dumps(parsed).encode()
            new.writestr(name, data)
    target.seek(0)
    return target


def test_exported_imported_and_exported_again_is_identical(full: Study, bob: User) -> None:
    first = archive_of(full)
    empty()
    imported = read_archive(io.BytesIO(first), bob)
    assert imported.notes == []
    assert imported.study.owner == bob
    assert archive_of(imported.study) == first


def round_trip(study: Study, user: User) -> tuple[bytes, bytes]:
    """The archive, and that of the study which it becomes where there is nothing else."""
    for clip in Clip.objects.all():
        content = clip.pk.bytes
        clip.upload.save("speech.wav", ContentFile(content), save=False)
        clip.sha256 = hashlib.sha256(content).hexdigest()
        clip.save()
    first = archive_of(study)
    empty()
    return first, archive_of(read_archive(io.BytesIO(first), user).study)


def test_a_test_that_was_held_elsewhere_goes_round_too(alice: User, bob: User) -> None:
    reading = read_results(b"listener,item,system,score\n1,s,R,100\n1,s,A,20.5\n2,s,R,98\n2,t,A,35\n")
    imported = store(alice, reading, Decisions("Old", "mushra", {"R": "original"}), "old.csv")
    first = archive_of(imported)
    empty()
    again = read_archive(io.BytesIO(first), bob)
    assert again.notes == []
    assert archive_of(again.study) == first


def test_choices_go_round_too(hold: Callable[..., Study], bob: User) -> None:
    first, again = round_trip(hold("abx", right, trials=2), bob)
    assert again == first


def test_blocks_go_round_too(make_study: Callable[..., Study], bob: User) -> None:
    study = make_study()
    update_study(study, {"design": {"systems_per_trial": 1}})
    for _ in range(2):
        listen(study)
    first, again = round_trip(study, bob)
    assert again == first


def test_a_stereo_study_goes_round_too(make_study: Callable[..., Study], bob: User) -> None:
    study = make_study(clips=1, sound=True, rate=44_100, channels=2)
    assert (study.sample_rate, study.channels) == (44_100, 2)
    clip = Clip.objects.get()
    with clip.upload.open("rb") as file:
        Clip.objects.update(sha256=hashlib.file_digest(file, "sha256").hexdigest())
    first = archive_of(study)
    empty()
    again = read_archive(io.BytesIO(first), bob).study
    assert archive_of(again) == first
    assert (again.sample_rate, again.channels) == (44_100, 2)
    clip = Clip.objects.get()
    assert (clip.rate, clip.channels) == (44_100, 2)
    with Stimulus.objects.filter(item__study=again).first().audio.open("rb") as file:  # type: ignore[union-attr]
        assert soundfile.read(file)[0].shape == (22_050, 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda document: document["study"].update(channels=2), "has 1 channels at 16000 Hz; expected 2"),
        (lambda document: document["study"].update(channels=3), "3 channels at 16000 Hz are not possible"),
        (lambda document: document["clips"][0].update(rate=48_000), "expected 1 at 48000 Hz"),
        (lambda document: document["clips"][0].update(channels=0), "0 channels at 16000 Hz are not possible"),
    ],
)
def test_recordings_in_an_archive_have_what_it_says(
    packed: bytes, alice: User, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    with pytest.raises(ArchiveProblem, match=reason):
        read_archive(edited(packed, change), alice)
    assert not Clip.objects.exists()


def test_the_same_study_gives_the_same_bytes(full: Study) -> None:
    assert archive_of(full) == archive_of(full)


def test_every_column_is_in_the_document_or_kept_here_on_purpose(full: Study) -> None:
    """A column that is added later has to be thought of."""
    models = [
        model
        for label in ("listening", "evaluation")
        for model in apps.get_app_config(label).get_models()
        if model.__name__ in KEPT_HERE
    ]
    for model in models:
        assert KEPT_HERE[model.__name__] <= {field.name for field in model._meta.concrete_fields}, model
    # What is as it ever was is left out.
    Clip.objects.update(rate=48_000, speech=False)
    Session.objects.update(language="de")
    full.channels, full.other_languages = 2, ["de"]
    described = json.loads(document(full, personal=True))
    session = described["sessions"][0]
    trial = session["trials"][1]
    found = {
        "Study": described["study"],
        "UploadedSystem": described["systems"][0],
        "Clip": described["clips"][0],
        "Rendition": described["renditions"][0],
        "Score": described["renditions"][0]["scores"][0],
        "Item": described["items"][0],
        "Stimulus": described["stimuli"][0],
        "Session": session,
        "Stage": session["stages"][0],
        "Answer": session["answers"][0],
        "Participation": session["participation"],
        "Trial": trial,
        "Rating": trial["ratings"][0],
        "Choice": trial["choice"],
        "Deletion": described["deletions"][0],
    }
    for name, row in found.items():
        model = next(m for m in models if m.__name__ == name)
        columns = {field.name for field in model._meta.concrete_fields}
        assert columns - KEPT_HERE[name] <= set(row), name
    # A version is in the document where there is more than one: tests/listening/study/test_versions.py
    assert set(found) | {"Event", "StudyVersion"} == set(KEPT_HERE)


def test_no_key_that_opens_anything_is_in_it(full: Study) -> None:
    text = document(full, personal=True)
    assert full.token not in text
    assert all(session.token not in text for session in full.sessions.all())


def test_personal_data_stays_unless_asked_for(full: Study) -> None:
    asked, not_asked = archive_of(full), archive_of(full, personal=False)
    with zipfile.ZipFile(io.BytesIO(not_asked)) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
        session = json.loads(archive.read("study.json"))["sessions"][0]
    assert b"5f3a" not in everything
    assert (session["answers"], session["participation"]) == ([], None)
    with zipfile.ZipFile(io.BytesIO(asked)) as archive:
        session = json.loads(archive.read("study.json"))["sessions"][0]
        assert session["participation"]["person"] == "5f3a"
        assert [answer["value"] for answer in session["answers"]] == [41]
        assert (
            archive.read("mushra.csv").decode().splitlines()[0].startswith("session_test_id,age,session_uuid")
        )
        assert "personal data" in archive.read("README.txt").decode()


def test_the_key_names_every_stimulus_and_its_file_is_there(full: Study) -> None:
    with zipfile.ZipFile(io.BytesIO(archive_of(full))) as archive:
        header, *rows = archive.read("key.csv").decode().split("\r\n")[:-1]
        assert header == "file,item,clip,start,end,training,system,gain_db"
        assert len(rows) == Stimulus.objects.count() == 10
        for row in rows:
            name, item, *_ = row.split(",")
            audio, rate = soundfile.read(io.BytesIO(archive.read(name)))
            assert (audio.ndim, rate) == (1, 16000)
            assert name.startswith(f"stimuli/item-{int(item):02d}/")


def test_an_imported_study_goes_on_where_it_was(full: Study, bob: User) -> None:
    content = archive_of(full)
    empty()
    study = read_archive(io.BytesIO(content), bob).study
    session = study.sessions.get(number=1)
    assert study.sessions.count() == 2
    assert session.trials.get(position=2).choice.sequence == 3
    assert session.trials.get(position=2).comment == "eine Anmerkung, mit Komma"
    assert (
        session.trials.get(position=2).events.get().detail["sound"]
        == (session.trials.get(position=2).order[0]["key"])
    )
    assert Rating.objects.filter(trial__session=session).count() == 10
    assert UploadedSystem.objects.get().owner == bob
    with Rendition.objects.get(system="our-codec").upload.open("rb") as file:
        assert file.read() == b"whatever our codec gave"
    assert start_session(study).number == 10


def test_beside_the_original_it_is_refused_by_name(full: Study, bob: User) -> None:
    content = archive_of(full)
    stored = {path for path in Path(default_storage.location).rglob("*") if path.is_file()}
    with pytest.raises(ArchiveProblem, match="is already on this server"):
        read_archive(io.BytesIO(content), bob)
    assert {path for path in Path(default_storage.location).rglob("*") if path.is_file()} == stored


def test_what_is_taken_here_gets_another_name_and_a_note(full: Study, alice: User) -> None:
    content = archive_of(full)
    delete_study(full)  # clips, renditions and the uploaded system stay
    code = json.loads(zipfile.ZipFile(io.BytesIO(content)).read("study.json"))["sessions"][0]["assessor"]
    Assessor.objects.create(code=code)
    imported = read_archive(io.BytesIO(content), alice)
    assert Clip.objects.count() == 1
    assert any(code in note for note in imported.notes)
    assert any("existed already" in note for note in imported.notes)


def remove(*path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


def put(value: Any, *path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def repeat(count: int, name: str, **changes: str) -> Callable[[dict[str, Any]], None]:
    """Put in copies of the last row of a list, each with a number of its own in the columns `changes`."""

    def change(document: dict[str, Any]) -> None:
        row = document[name][-1]
        document[name] += [
            {**row, **{key: text.format(n) for key, text in changes.items()}} for n in range(count)
        ]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (repeat(60, "items"), "61 items are too many; this server takes 60"),
        (
            put([f"s{n}" for n in range(41)], "study", "systems"),
            "41 systems are too many; this server takes 40",
        ),
        (repeat(100, "systems", slug="own-{}"), "101 systems of your own.* takes 100"),
        (put(2, "version"), "version 2"),
        (put("webmushra", "format"), "not a study of Earshot"),
        (remove("sessions"), "no list 'sessions'"),
        (put("x" * 300, "study", "name"), "study, name: .*200 characters"),
        (put("telepathy", "study", "method"), "method 'telepathy'"),
        (put("yesterday", "study", "created"), "created: 'yesterday' is not a date"),
        (put("0" * 64, "clips", 0, "sha256"), "differs from its SHA-256"),
        (put("clips/nothing.wav", "clips", 0, "files", "audio"), "lacks the file 'clips/nothing.wav'"),
        (put("README.txt", "stimuli", 0, "file"), "not a readable recording"),
        (put("no-such", "stimuli", 0, "item"), "no item 'no-such'"),
        (put([{"key": "k", "system": "no-such"}], "sessions", 0, "trials", 0, "order"), "no stimulus"),
        (put(101, "sessions", 0, "trials", 1, "ratings", 0, "score"), "101.* is not a grade"),
        (put("loud", "sessions", 0, "trials", 1, "ratings", 0, "score"), "ratings.0., score"),
        (put(7, "sessions", 0, "trials", 1), "expected an object, found int"),
        (put([[1, 2]], "sessions", 0, "trials", 1, "events"), "expected rows of 4"),
        (put(None, "sessions", 0, "assessor"), "not an assessor.s code"),
        (put("a\0b", "study", "name"), "NUL"),
        (put("opus-9k", "systems", 0, "slug"), "Earshot's own"),
        (put("opus-9k", "study", "systems"), "study, systems"),
        (put(["x"], "study", "texts"), "study: "),
        (put("tlh", "study", "language"), "no language 'tlh'"),
        (put([{"label": "x"}], "study", "questionnaire"), "study: "),
        (put([7], "study", "questionnaire"), "study: "),
        (put({"tests": [{"test": "telepathy"}]}, "study", "headphones"), "headphones: "),
        (put([1], "study", "headphones"), "headphones: "),
        (put({"platform": "fiverr"}, "study", "recruitment"), "recruitment: platform"),
        (put({"reference_below": "x"}, "study", "post_screening"), "study: "),
        (put({"items_per_session": "x"}, "study", "design"), "study: "),
        (put({"trials": 7}, "study", "method_options"), "no option 'trials'"),
        (put({"state": "running"}, "study", "simulation"), "simulation: "),
        (put(9, "study", "training_repeats"), "training_repeats: "),
        (put(7, "study", "imported"), "study, imported"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(
    packed: bytes, bob: User, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    content = edited(packed, change)
    before = {path for path in Path(default_storage.location).rglob("*") if path.is_file()}
    with pytest.raises(ArchiveProblem, match=message):
        read_archive(content, bob)
    assert not Study.objects.exists()
    assert not Clip.objects.exists()
    assert {path for path in Path(default_storage.location).rglob("*") if path.is_file()} == before


def test_other_files_are_refused_in_words(bob: User, settings: Any) -> None:
    with pytest.raises(ArchiveProblem, match="zip cannot be opened"):
        read_archive(io.BytesIO(b"RIFF"), bob)
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("letter.txt", bytes(1_000_000))
    with pytest.raises(ArchiveProblem, match="no study\\.json"):
        read_archive(other, bob)
    settings.ARCHIVE_MAX_BYTES = 999_999
    with pytest.raises(ArchiveProblem, match="Unpacked, the zip has 1 MB"):
        read_archive(other, bob)


@pytest.mark.parametrize("folder", ["stimuli/", "study.json"])
def test_a_damaged_file_is_named(packed: bytes, bob: User, folder: str) -> None:
    content = bytearray(packed)
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        member = next(info for info in archive.infolist() if info.filename.startswith(folder))
    content[member.header_offset + 500] ^= 0xFF
    with pytest.raises(ArchiveProblem, match=f"{member.filename} cannot be unpacked"):
        read_archive(io.BytesIO(bytes(content)), bob)
    assert not Study.objects.exists()


def test_an_archive_comes_in_by_the_import_page(full: Study, bob: User, client: Client) -> None:
    content = archive_of(full)
    client.force_login(bob)
    address = reverse("import")
    refused = client.post(address, {"file": SimpleUploadedFile("archive.zip", content)})
    assert refused.status_code == 422
    assert "is already on this server" in refused.content.decode()
    empty()
    answer = client.post(address, {"file": SimpleUploadedFile("archive.zip", content)})
    assert answer.headers["Location"] == reverse("study", args=[full.pk])
    assert Study.objects.get().owner == bob


def test_how_far_a_simulation_is_goes_along(full: Study, bob: User) -> None:
    """As it always stood in the document: before the time when it was asked for. It isn't gone on with."""
    simulation.start(full, {"listeners": 1})
    described = json.loads(document(full))["study"]["simulation"]
    assert list(described)[-3:] == ["qualities", "state", "asked"]
    assert described["state"] == "running"
    simulation.run(str(full.pk))
    full.refresh_from_db()
    assert json.loads(document(full))["study"]["simulation"] == {**described, "state": "done"}
    first = archive_of(full)
    empty()
    again = read_archive(io.BytesIO(first), bob).study
    assert "state" not in again.simulation
    assert not Simulation.objects.exists()
    assert archive_of(again) == first


def test_a_study_that_was_being_prepared_is_prepared_here(full: Study, bob: User) -> None:
    Study.objects.update(status=Study.Status.PREPARING)
    full.refresh_from_db()
    first = archive_of(full)
    empty()
    study = read_archive(io.BytesIO(first), bob).study
    assert study.preparation.status == "queued"
    preparing.prepare_study(str(study.pk))
    study.refresh_from_db()
    assert study.status == Study.Status.OPEN
