"""Files that a worker makes: for whoever asked alone, once while they wait, and gone after a day."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evaluation.access import Role
from evaluation.work import jobs
from listening.delivery import files
from listening.models import MadeFile, Study
from listening.tasks import make_file, remove_made_files
from listening.web.accounts import make_api_token
from tests.listening.conftest import fetch_made, listen, share


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_a_file_is_for_whoever_asked_and_is_made_once(owner: Client, study: Study, bob: User) -> None:
    listen(study)
    address = reverse("export", args=[study.pk, "archive.zip"])
    first = owner.get(address)["Location"]
    assert owner.get(address)["Location"] == first  # it waits already
    assert owner.get(address, {"personal": "yes"})["Location"] != first
    assert MadeFile.objects.count() == 2
    make_file(first.strip("/").split("/")[-1])
    assert "It holds what there was on" in owner.get(first).content.decode()
    again = owner.get(address)
    assert again["Location"] != first  # it holds what there is now
    assert fetch_made(owner, again)[:4] == b"PK\x03\x04"
    other = Client()
    other.force_login(bob)
    for path in (first, f"{first}download", f"/api{first.removesuffix('/')}"):
        assert other.get(path).status_code in (404, 401), path
        assert Client().get(path).status_code in (302, 401), path
    Study.objects.update(owner=bob)
    assert owner.get(f"{first}download").status_code == 404  # of a study that is not theirs any more


def test_files_go_after_a_day_with_what_was_left_without_a_row(
    alice: User, study: Study, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(study)
    rows = [files.ask_for(alice, MadeFile.Kind.ARCHIVE, study, personal=word) for word in ("no", "yes")]
    for row in rows:
        make_file(str(row.pk))
        row.refresh_from_db()
    # Their names are nobody else's: a storage that overwrites would give one's archive to another.
    stored = {path.name for path in (media / "made").iterdir()}
    assert len(stored) == 2
    assert not any(str(study.pk) in name for name in stored)
    assert {files.name_of(row) for row in rows} == {f"earshot-{study.pk}.zip"}
    waiting = files.ask_for(alice, MadeFile.Kind.ARCHIVE, study)
    MadeFile.objects.exclude(pk=rows[1].pk).update(created=timezone.now() - timedelta(hours=25))
    (media / "made" / "left.zip").write_bytes(b"by a worker that was killed")
    monkeypatch.setattr(files, "_ABANDONED", timedelta())
    remove_made_files()
    assert {path.name for path in (media / "made").iterdir()} == {Path(rows[1].file.name).name}
    assert set(MadeFile.objects.values_list("pk", flat=True)) == {rows[1].pk, waiting.pk}


def test_one_person_cannot_fill_the_disk_by_asking(
    owner: Client, study: Study, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_KEPT", 2)
    address = reverse("export", args=[study.pk, "archive.zip"])
    for _ in range(2):
        make_file(owner.get(address)["Location"].strip("/").split("/")[-1])
    refused = owner.get(address)
    assert refused.status_code == 429
    assert "2 files were made for you within a day" in refused.content.decode()
    script = Client(headers={"Authorization": f"Bearer {make_api_token(alice)}"})
    answer = script.get(f"/api/studies/{study.pk}/files/archive.zip")
    assert answer.status_code == 429
    assert 86_000 < int(answer["Retry-After"]) <= 86_400
    share(study, bob, Role.VIEWER)
    other = Client()
    other.force_login(bob)
    assert other.get(address).status_code == 302
    MadeFile.objects.update(created=timezone.now() - timedelta(hours=25))
    remove_made_files()
    assert owner.get(address).status_code == 302


def test_a_worker_that_lost_its_claim_leaves_no_file(
    alice: User, study: Study, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(study)
    row = files.ask_for(alice, MadeFile.Kind.ARCHIVE, study)
    write = files.KINDS[MadeFile.Kind.ARCHIVE].write

    def lose(made: MadeFile, target: object) -> None:
        write(made, target)  # type: ignore[arg-type]
        jobs.restart(made)

    lost = files.Kind(lose, lambda made: "archive.zip")
    monkeypatch.setitem(files.KINDS, MadeFile.Kind.ARCHIVE, lost)
    make_file(str(row.pk))
    assert not list((media / "made").iterdir())
    row.refresh_from_db()
    assert (row.status, row.file.name) == ("queued", "")
