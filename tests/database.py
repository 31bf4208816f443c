"""A migrated SQLite database, made once for all processes and runs and copied to wherever one is needed."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def connected_to(path: Path) -> Iterator[None]:
    """Have this thread's connection be to the SQLite database at `path`."""
    connection.close()
    name, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], str(path)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name


def schema_key() -> str:
    """A hash of all that a new database follows from."""
    digest = hashlib.sha256(django.get_version().encode())
    for app in ("evaluation", "listening"):
        for path in sorted([ROOT / app / "models.py", *(ROOT / app / "migrations").glob("*.py")]):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def copy_database(folder: Path, target: Path) -> None:
    """Put a migrated, empty database at `target`; `folder` keeps the one that is copied."""
    folder.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    template = folder / f"{schema_key()}.sqlite3"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            for old in folder.glob("*.sqlite3*"):
                old.unlink()
            made = folder / "being-made.sqlite3"
            with connected_to(made):
                call_command("migrate", verbosity=0, interactive=False)
            made.rename(template)
        shutil.copy(template, target)
