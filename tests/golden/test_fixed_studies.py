"""Studies made before the rooms were moved say the same as they did then, byte for byte.

``studies/`` was written by the code of commit cf6d48c (`make_studies.py`, in the history beside it): a
database with a study of each method, and everything that left it. It is not to be written again.
"""

from __future__ import annotations

import gzip
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client

from listening.interchange.archive.read import read_archive
from listening.models import Study
from tests.database import connected_to
from tests.golden.collect import FOLDER, METHODS, archive_of, exports_of, findings_of, stored_recordings
from tests.rows import some

#: Grades, and choices.
methods = pytest.mark.parametrize("method", some(METHODS, "mushra".__eq__))


def expected(method: str) -> dict[str, str]:
    return {path.name: path.read_bytes().decode() for path in (FOLDER / method).iterdir()}


#: Members of an archive that compute its report anew, and its README, which names them.
_ANALYSIS = re.compile(r"^(?:analysis/\S+|README\.txt) .*\n", re.M)
#: Settings that the API has since then, as they are in an old study; and what it says of each system.
_SINCE = re.compile(
    r' *"(analysis": \{\}|channels": 1|archived": null|other_languages": \[\]'
    r'|owner": "alice"|role": "owner"|sessions_waiting": 0|objective_items": \{[^}]*\}),\n'
)
#: The interval of a mean in a LaTeX table.
_SPREAD = re.compile(r"\$\\pm\$ [\d.]+|\([\d.]+ to [\d.]+\)")


def as_before(files: dict[str, str], study: Study) -> dict[str, str]:
    """`files` without what was changed on purpose since they were written.

    webMUSHRA's files mark simulated grades, the API has the settings ``analysis``, ``channels`` and
    ``other_languages`` and says what is archived, whose a study is, what one may do with it and how many are
    not grading yet, and of how many items an objective mean is; an interval that would leave the scale is
    printed by its ends, archives hold ``analysis/``, and a report has uploads in kHz and words.
    """
    made = dict(files)
    for name, text in files.items():
        if name.endswith("-simulated.csv"):
            made[name] = text.replace(f"simulated-{study.pk}", str(study.pk))
        elif name.startswith("archive-"):
            made[name] = _ANALYSIS.sub("", text)
    if "api.json" in files:
        made["api.json"] = _SINCE.sub("", files["api.json"])
    if "table3.tex" in files:
        made["table3.tex"] = _SPREAD.sub("interval", files["table3.tex"]).replace(
            "means over items", "means over the items"
        )
    if "report.txt" in files:
        made["report.txt"] = files["report.txt"].replace(" 16 16000 1 ", " 16 16 ")
    return made


def owner_of(study: Study) -> Client:
    client = Client()
    client.force_login(study.owner)
    return client


@pytest.fixture(scope="module")
def old_database(django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old database, brought up to date as an installation does it."""
    if connection.vendor != "sqlite":
        pytest.skip("the old database is one of SQLite")
    path = tmp_path_factory.mktemp("golden") / "old.sqlite3"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(gzip.decompress((FOLDER / "database.sql.gz").read_bytes()).decode())
    with django_db_blocker.unblock(), connected_to(path):
        call_command("migrate", verbosity=0)
    return path


@pytest.fixture
def migrated(old_database: Path, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), connected_to(old_database):
        yield


@methods
def test_a_database_from_before_says_what_it_said(migrated: None, media: Path, method: str) -> None:
    study = Study.objects.get(method=method)
    for name, sound in stored_recordings(study):
        (media / name).parent.mkdir(parents=True, exist_ok=True)
        (media / name).write_bytes(sound)
    client = owner_of(study)
    found = exports_of(client, study) | findings_of(client, study)
    assert as_before(found, study) == as_before(expected(method), study)


@pytest.mark.django_db
@methods
def test_an_archive_from_before_is_exported_as_it_was(method: str, alice: User) -> None:
    wanted = expected(method)
    study = read_archive(archive_of(wanted["study.json"]), alice).study
    found = as_before(exports_of(owner_of(study), study), study)
    assert found == {name: text for name, text in as_before(wanted, study).items() if name in found}
    assert "archive-personal.txt" in found
