"""Bringing a backup back into an empty database, of either kind, and an empty storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.core.files import File
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from listening.operations.backup.make import list_backups, read_files, read_manifest
from listening.operations.backup.rows import UnknownRows, count_rows, read_rows, reset_sequences
from listening.operations.backup.targets import BackupProblem, Vault, digest_of, read_lines


def choose_backup(vault: Vault, name: str) -> str:
    """The backup of this name, or the newest if the name is empty.

    Raises:
        BackupProblem: there is none.
    """
    names = list_backups(vault)
    if not names:
        raise BackupProblem("There is no backup in this target.")
    if name and name not in names:
        raise BackupProblem(f"There is no backup {name!r}. There are: {', '.join(names)}.")
    return name or names[-1]


def check_backup(vault: Vault, name: str) -> tuple[int, int]:
    """Read all of a backup and compare its hashes; returns its numbers of rows and files.

    Raises:
        BackupProblem: something is missing, damaged or cannot be decrypted.
    """
    manifest = read_manifest(vault, name)
    with _rows_of(vault, name, manifest):
        pass
    files = read_files(vault, name)
    for stored, expected in files.items():
        with _file_of(vault, stored, expected, is_encrypted=manifest["encrypted"]):
            pass
    return sum(manifest["rows"].values()), len(files)


def restore_backup(vault: Vault, name: str, say: Callable[[str], None]) -> None:
    """Bring a backup back: files first, then all rows in one transaction, then younger migrations.

    Raises:
        BackupProblem: this site is not empty, or is older than the backup, or the backup is damaged.
    """
    manifest = read_manifest(vault, name)
    _refuse_full_site()
    _migrate_to(manifest)
    files = read_files(vault, name)
    for stored, expected in files.items():
        with _file_of(vault, stored, expected, is_encrypted=manifest["encrypted"]) as file:
            _store(stored, file, expected)
    say(f"{len(files)} files")
    with _rows_of(vault, name, manifest) as file:
        try:
            with transaction.atomic():
                counts = read_rows(connection, read_lines(file))
                if counts != manifest["rows"]:
                    raise BackupProblem("The backup does not have as many rows as it says.")
                reset_sequences(connection)
                connection.check_constraints()
        except UnknownRows as error:
            raise BackupProblem(str(error)) from error
    say(f"{sum(counts.values())} rows of {len(counts)} tables as of {manifest['made']}")
    call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def _rows_of(vault: Vault, name: str, manifest: Any) -> Iterator[IO[bytes]]:
    """The rows of a backup, compressed. Raises `BackupProblem` if they are not what was stored."""
    with vault.get(f"backups/{name}/database.gz", is_encrypted=manifest["encrypted"]) as file:
        if digest_of(file)[0] != manifest["database_sha256"]:
            raise BackupProblem("The rows of the backup are damaged.")
        file.seek(0)
        yield file


@contextmanager
def _file_of(
    vault: Vault, stored: str, expected: tuple[str, int], *, is_encrypted: bool
) -> Iterator[IO[bytes]]:
    """A file of media. Raises `BackupProblem` if it has not the SHA-256 and size that are `expected`."""
    with vault.get(f"media/{stored}", is_encrypted=is_encrypted) as file:
        if digest_of(file) != expected:
            raise BackupProblem(f"media/{stored} is damaged.")
        file.seek(0)
        yield file


def _refuse_full_site() -> None:
    """Refuse to mix a backup with what is there."""
    full = sorted(table for table, count in count_rows(connection).items() if count)
    if full:
        raise BackupProblem(
            f"This database is not empty: there are rows in {', '.join(full[:5])}. "
            "Name a new one with DATABASE_URL; a backup is never mixed with what is there."
        )


def _migrate_to(manifest: Any) -> None:
    """Make the tables as they were in the version that made the backup.

    Its rows are copied into these as they are, and the migrations since then change them as they would have
    changed the site.
    """
    targets = [(app, name) for app, names in manifest["migrations"].items() for name in names]
    executor = MigrationExecutor(connection)
    unknown = [f"{app}.{name}" for app, name in targets if (app, name) not in executor.loader.graph.nodes]
    if unknown:
        raise BackupProblem(
            f"This backup was made by version {manifest['version']}, which is newer than this one "
            f"({', '.join(unknown)}). Install that version first."
        )
    if any(backwards for _migration, backwards in executor.migration_plan(targets)):
        raise BackupProblem(
            "The tables of this database are of a newer version than the backup. "
            "Name a database without tables: restoring makes them."
        )
    executor.migrate(targets)


def _store(name: str, file: Any, expected: tuple[str, int]) -> None:
    """Store a file of media under its own name, unless it is there from a restore that was cut off."""
    if default_storage.exists(name):
        with default_storage.open(name) as there:
            if digest_of(there) == expected:
                return
        raise BackupProblem(f"The storage has another file {name}; restore into an empty one.")
    stored = default_storage.save(name, File(file))
    if stored != name:
        raise BackupProblem(f"The storage would not keep the name {name}.")
