"""Backups: what they hold, what they refuse, and that a site comes back from one, wherever it goes."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from evaluation.clips.removal import remove_clip
from evaluation.models import Clip
from listening.delivery.files import ask_for
from listening.models import MadeFile, Rating, Session, Study
from listening.operations.backup import make
from listening.operations.backup.make import snapshot
from listening.operations.backup.rows import write_rows
from listening.session.sessions import begin, start_session
from listening.tasks import make_file
from tests.database import connected_to
from tests.evaluation.conftest import make_speech
from tests.listening.conftest import grade, listen
from tests.postgres import postgresql

__all__ = ["postgresql"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)


def run(command: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def rows_here() -> list[str]:
    """All rows as a backup would write them, sorted: databases return them in their own orders."""
    lines: list[str] = []
    with snapshot() as database:
        write_rows(database, lines.append, lambda name: None)
    return sorted(lines)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def target(tmp_path: Path) -> str:
    return str(tmp_path / "target")


@pytest.fixture
def graded(make_study: Callable[..., Study]) -> Study:
    """A study with sounds that one listener has taken and another has begun."""
    study = make_study(1, ["opus-9k"], sound=True)
    listen(study)
    begin(start_session(study))
    return study


@pytest.mark.rest
def test_a_site_moves_to_postgresql_and_by_s3_back_to_sqlite(
    graded: Study, tmp_path: Path, target: str, media: Path, postgresql: str, settings: Any
) -> None:
    made = ask_for(graded.owner, MadeFile.Kind.ARCHIVE, graded)
    make_file(str(made.pk))
    rows = rows_here()
    files = {name: content for name, content in files_of(media).items() if not name.startswith("made/")}
    assert len(files) == len(files_of(media)) - 1
    assert sum("listening_rating" in row for row in rows) == 1
    assert len(rows) > 100
    assert len(files) > 8
    key = tmp_path / "key"
    recipient = run("backup", "--make-key", str(key)).strip()
    run("backup", target, "--recipient", recipient)
    stored = files_of(Path(target))
    for name in files:
        assert stored[f"media/{name}.age"].startswith(b"age-encryption.org/v1")
    assert not any(b"Speech at 2 kbit/s" in content for content in stored.values())
    assert "is whole" in run("restore", target, "--key", str(key), "--check")

    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    settings.BACKUP_S3_ENDPOINT = "http://{}:{}".format(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as patch, connected_to(postgresql):
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "y")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        settings.MEDIA_ROOT = tmp_path / "second"
        run("restore", target, "--key", str(key))
        assert connection.vendor == "postgresql"
        assert rows_here() == rows
        assert files_of(tmp_path / "second") == files
        assert not MadeFile.objects.exists()  # it was for a day
        # Sequences go on after the rows that came.
        known = set(Rating.objects.values_list("pk", flat=True))
        for session in Session.objects.filter(finished=None):
            grade(session.trials.earliest("position"), finish=False)
        assert Rating.objects.count() > len(known)
        moved = rows_here()
        boto3.client("s3", endpoint_url=settings.BACKUP_S3_ENDPOINT).create_bucket(Bucket="copies")
        run("backup", "s3://copies/earshot")
        with connected_to(tmp_path / "new.sqlite3"):
            settings.MEDIA_ROOT = tmp_path / "third"
            run("restore", "s3://copies/earshot")
            assert connection.vendor == "sqlite"
            assert rows_here() == moved
            assert files_of(tmp_path / "third") == files
            assert connection.introspection.table_names()
            listen(Study.objects.get())
    server.stop()


def test_files_are_copied_once_and_removed_with_the_last_backup_that_has_them(
    alice: User, make_clip: Callable[..., Clip], target: str, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(datetime(2026, 11, 1 + day, tzinfo=UTC) for day in range(9))
    monkeypatch.setattr(make, "database_time", lambda: next(moments))
    first = make_clip(alice)
    assert "2 files, 2 of them new" in run("backup", target)
    assert "2 files, 0 of them new" in run("backup", target)
    second = make_clip(alice, make_speech(0.6))
    old = {first.upload.name, first.audio.name}
    new = {second.upload.name, second.audio.name}
    (Path(target) / "media" / second.audio.name).write_bytes(b"of a backup that was killed")
    assert "4 files, 2 of them new" in run("backup", target)
    remove_clip(first)
    # One that removes old backups would take files that another, running, counts on.
    before = files_of(Path(target))
    lock = Path(target) / "locks" / "of-another"
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    with pytest.raises(CommandError, match="locks/of-another"):
        run("backup", target, "--keep", "2")
    assert files_of(Path(target)) == before | {"locks/of-another": b""}
    killed = lock.stat().st_mtime - 2 * 3600
    os.utime(lock, (killed, killed))  # by one that was killed
    assert "2 files, 0 of them new" in run("backup", target, "--keep", "2")
    assert not files_of(lock.parent)
    assert run("restore", target, "--list").count("\n") == 2
    assert set(files_of(Path(target) / "media")) == old | new
    assert "is whole" in run("restore", target, "--check", "--backup", "2026-11-03T00-00-00Z")
    run("backup", target, "--keep", "1")
    assert set(files_of(Path(target) / "media")) == new
    assert "is whole: " in run("restore", target, "--check")
    # A file that is deleted while a backup is made does not stop it, and is named.
    gone = make_clip(alice, make_speech(0.7), sha256="f" * 64)
    (media / gone.audio.name).unlink()
    assert f"Warning: {gone.audio.name} was deleted" in run("backup", target)


def test_what_cannot_be_restored_says_why_and_changes_nothing(
    alice: User, make_clip: Callable[..., Clip], target: str, tmp_path: Path, settings: Any
) -> None:
    def refusal(*arguments: str, command: str = "restore") -> str:
        with pytest.raises(CommandError) as raised:
            run(command, *arguments)
        return str(raised.value)

    assert refusal(command="backup") == "Name the target: a folder, or s3://BUCKET/PREFIX."
    assert refusal(target) == "There is no backup in this target."
    # No folder can be made there, by root neither.
    unwritable = "/proc/backup cannot be written: No such file or directory."
    assert refusal("/proc/backup", command="backup") == unwritable
    clip = make_clip(alice)
    key, other = tmp_path / "key", tmp_path / "other"
    recipient = run("backup", "--make-key", str(key)).strip()
    run("backup", "--make-key", str(other))
    assert "a key is never overwritten" in refusal("--make-key", str(key), command="backup")
    assert "not a recipient of age" in refusal(target, "--recipient", "age1wrong", command="backup")
    run("backup", target, "--recipient", recipient)
    assert "This database is not empty: there are rows in " in refusal(target)
    with connected_to(tmp_path / "empty.sqlite3"):
        settings.MEDIA_ROOT = tmp_path / "restored"
        assert "give its key with --key FILE" in refusal(target)
        assert "cannot be decrypted with this key" in refusal(target, "--key", str(other))
        assert "has no key of age" in refusal(target, "--key", __file__)
        [manifest] = Path(target).glob("backups/*/manifest.json")
        right = manifest.read_text()
        wrong = json.loads(right)
        wrong["migrations"]["listening"] = ["9999_to_come"]
        manifest.write_text(json.dumps(wrong))
        assert "newer than this one (listening.9999_to_come)" in refusal(target, "--key", str(key))
        manifest.write_text(right)
        damaged = Path(target) / "media" / f"{clip.audio.name}.age"
        content = damaged.read_bytes()
        damaged.write_bytes(content[:-1])
        assert "decrypted" in refusal(target, "--key", str(key))
        assert "decrypted" in refusal(target, "--key", str(key), "--check")
        assert not User.objects.exists()
        damaged.write_bytes(content)
        run("restore", target, "--key", str(key))  # goes on where it was cut off
        assert User.objects.get().username == "alice"
        manifest.unlink()
        assert refusal(target) == "There is no backup in this target."


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_snapshot_neither_sees_later_grades_nor_holds_them_up(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        if kind == "postgresql":
            stack.enter_context(connected_to(request.getfixturevalue("postgresql")))
        User.objects.create_user("before")
        with snapshot() as database, database.cursor() as cursor:
            cursor.execute("SELECT username FROM auth_user")
            assert cursor.fetchall() == [("before",)]
            User.objects.create_user("after")
            cursor.execute("SELECT username FROM auth_user")
            assert cursor.fetchall() == [("before",)]
        assert User.objects.count() == 2


@pytest.mark.rest
def test_a_backup_of_an_older_version_is_restored_and_migrated(
    graded: Study, target: str, tmp_path: Path, settings: Any
) -> None:
    """Its rows have the columns of their time; the newest migrations of today's are taken out of it."""
    run("backup", target)
    ratings = Rating.objects.count()
    [manifest] = Path(target).glob("backups/*/manifest.json")
    told = json.loads(manifest.read_text())
    told["migrations"] |= {"evaluation": ["0010_favourites"], "listening": ["0024_own_voice"]}
    packed = manifest.parent / "database.gz"
    executor = MigrationExecutor(connection)
    leaves = [(app, name) for app, names in told["migrations"].items() for name in names]
    old = executor.loader.project_state(leaves).apps
    tables = {
        model._meta.db_table: [field.column for field in model._meta.local_concrete_fields]
        for model in old.get_models(include_auto_created=True)
    }
    lines: list[str] = []
    keep: list[int] = []
    told["rows"] = {}
    for line in gzip.decompress(packed.read_bytes()).decode().splitlines():
        entry = json.loads(line)
        if isinstance(entry, dict):
            table = entry["table"]
            names = [name for name, _kind in entry["columns"]]
            keep = [place for place, name in enumerate(names) if name in tables.get(table, ())]
            if keep:
                lines.append(json.dumps({**entry, "columns": [entry["columns"][place] for place in keep]}))
                told["rows"][table] = 0
        elif keep:
            lines.append(json.dumps([entry[place] for place in keep]))
            told["rows"][table] += 1
    packed.write_bytes(gzip.compress("\n".join(lines).encode()))
    told["database_sha256"] = hashlib.sha256(packed.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(told))
    with connected_to(tmp_path / "new.sqlite3"):
        settings.MEDIA_ROOT = tmp_path / "restored"
        run("restore", target)
        assert MigrationExecutor(connection).migration_plan(executor.loader.graph.leaf_nodes()) == []
        assert Rating.objects.count() == ratings
        assert Session.objects.count() == 2
        listen(Study.objects.get())
