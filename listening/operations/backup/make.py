"""Making a backup while the site runs: one snapshot of the database, then the files that it names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

import codec
from evaluation.work.clock import database_time
from listening.operations.backup.rows import write_rows
from listening.operations.backup.targets import BackupProblem, PackedLines, Vault, digest_of, read_lines
from listening.operations.checks import missing_migrations, newest_migrations

#: Of the layout of backups.
FORMAT = 1
#: Of names of backups: the moment of the snapshot, in UTC.
NAME_FORMAT = "%Y-%m-%dT%H-%M-%SZ"
_ALIAS = "default"


@contextmanager
def snapshot() -> Iterator[BaseDatabaseWrapper]:
    """A connection of its own that sees one state of the database, while others go on writing."""
    settings = dict(connection.settings_dict)
    options = dict(settings.get("OPTIONS", {}))
    if connection.vendor == "sqlite":
        # The site's own takes the lock of the only writer at BEGIN.
        options["transaction_mode"] = "DEFERRED"
    else:
        from psycopg import IsolationLevel

        options["isolation_level"] = IsolationLevel.REPEATABLE_READ
    handler = ConnectionHandler({_ALIAS: {**settings, "OPTIONS": options, "CONN_MAX_AGE": 0}})
    own = handler[_ALIAS]
    try:
        own.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        yield own
    finally:
        own.close()


def applied_leaves() -> dict[str, list[str]]:
    """The last migrations of each app, all of which are applied.

    Raises:
        BackupProblem: some are not; what the code takes for columns may not be there.
    """
    if missing_migrations():
        raise BackupProblem("Migrations are not applied: run manage.py migrate first.")
    leaves: dict[str, list[str]] = {}
    for app, name in sorted(newest_migrations()):
        leaves.setdefault(app, []).append(name)
    return leaves


def list_backups(vault: Vault) -> list[str]:
    """Names of the complete backups in a target, oldest first."""
    try:
        folders, _files = vault.storage.listdir("backups")
    except FileNotFoundError:
        return []
    return sorted(name for name in folders if vault.storage.exists(f"backups/{name}/manifest.json"))


def read_manifest(vault: Vault, name: str) -> Any:
    """What a backup holds, as `make_backup` wrote it."""
    try:
        with vault.storage.open(f"backups/{name}/manifest.json") as file:
            manifest = json.load(file)
    except FileNotFoundError:
        raise BackupProblem(f"There is no backup {name!r}, or it was not finished.") from None
    if manifest["format"] != FORMAT:
        raise BackupProblem(f"{name} is of format {manifest['format']}; this version reads {FORMAT}.")
    return manifest


def read_files(vault: Vault, name: str) -> dict[str, tuple[str, int]]:
    """SHA-256 and size by name of the files of a backup."""
    with vault.storage.open(f"backups/{name}/media.gz") as file:
        entries = [json.loads(line) for line in read_lines(file)]
    return {stored: (digest, size) for stored, digest, size in entries}


def make_backup(vault: Vault, say: Callable[[str], None]) -> str:
    """Make a backup and return its name: the moment of its snapshot, in UTC.

    Every grade that was confirmed before that moment is in it. Files that an earlier backup of the target
    holds are not copied again: the site never changes a file that it has stored.

    Args:
        vault: the target.
        say: takes lines for the operator.

    Raises:
        BackupProblem: it cannot be made; what is there stays as it was.
    """
    leaves = applied_leaves()
    known = _known_files(vault)
    names: set[str] = set()
    moment = database_time()
    name = moment.strftime(NAME_FORMAT)
    if name in list_backups(vault):
        raise BackupProblem(f"The backup {name} was made just now.")
    with PackedLines() as rows:
        with snapshot() as database:
            counts = write_rows(database, rows.write, names.add)
        say(f"{sum(counts.values())} rows of {len(counts)} tables as of {moment:%Y-%m-%d %H:%M:%S} UTC")
        rows_digest, _size = digest_of(rows.content())
        vault.put(f"backups/{name}/database.gz", rows.content())
    files, copied = _copy_files(vault, sorted(names), known, say)
    with PackedLines() as listed:
        for stored, (digest, size) in files.items():
            listed.write(json.dumps([stored, digest, size]))
        vault.storage.save(f"backups/{name}/media.gz", File(listed.content()))
    manifest = {
        "format": FORMAT,
        "version": codec.__version__,
        "made": _iso(moment),
        "migrations": leaves,
        "encrypted": bool(vault.recipients),
        "rows": counts,
        "database_sha256": rows_digest,
        "files": len(files),
        "bytes": sum(size for _digest, size in files.values()),
    }
    # Written last: without it there is no backup.
    content = ContentFile(json.dumps(manifest, indent=1).encode())
    vault.storage.save(f"backups/{name}/manifest.json", content)
    say(f"{len(files)} files, {copied} of them new")
    return name


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _known_files(vault: Vault) -> dict[str, tuple[str, int]]:
    """Files that are in the target already, in the form, encrypted or not, in which they are wanted."""
    known: dict[str, tuple[str, int]] = {}
    for name in list_backups(vault):
        if read_manifest(vault, name)["encrypted"] == bool(vault.recipients):
            known |= read_files(vault, name)
    return known


def _copy_files(
    vault: Vault, names: list[str], known: Mapping[str, tuple[str, int]], say: Callable[[str], None]
) -> tuple[dict[str, tuple[str, int]], int]:
    """Copy those of the stored files `names` that are not known yet.

    Returns:
        SHA-256 and size by name of all of them, and how many were copied.
    """
    files: dict[str, tuple[str, int]] = {}
    gone = []
    copied = 0
    for name in names:
        if name in known:
            files[name] = known[name]
            continue
        try:
            with default_storage.open(name) as file:
                files[name] = digest_of(file)
                file.seek(0)
                vault.put(f"media/{name}", file)
        except FileNotFoundError:
            gone.append(name)
            continue
        copied += 1
        if copied % 1000 == 0:
            say(f"{copied} files copied; {len(files)} of {len(names)}")
    for name in gone:
        say(f"Warning: {name} was deleted since the snapshot, or is missing")
    return files, copied


def remove_old(vault: Vault, keep: int, say: Callable[[str], None]) -> None:
    """Remove all backups but the newest `keep`, and the files that only those had."""
    names = list_backups(vault)
    old, kept = names[:-keep], names[-keep:]
    if not old:
        return
    wanted: set[str] = set()
    for name in kept:
        suffix = ".age" if read_manifest(vault, name)["encrypted"] else ""
        wanted |= {stored + suffix for stored in read_files(vault, name)}
    unwanted: set[str] = set()
    for name in old:
        suffix = ".age" if read_manifest(vault, name)["encrypted"] else ""
        unwanted |= {stored + suffix for stored in read_files(vault, name)} - wanted
        # First what makes it a backup, so that a killed removal leaves none that lacks files.
        for part in ("manifest.json", "database.gz", "database.gz.age", "media.gz"):
            vault.storage.delete(f"backups/{name}/{part}")
    for stored in unwanted:
        vault.storage.delete(f"media/{stored}")
    say(f"Removed {len(old)} old backups and {len(unwanted)} files that only they had")
