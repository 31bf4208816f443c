"""A migrated SQLite database, made once for all processes and runs and copied to wherever one is needed."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
import environ
from django.conf import settings
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, connections
from django.db.utils import ConnectionHandler

ROOT = Path(__file__).resolve().parent.parent

#: Tables that `migrate` fills.
FILLED = {"django_content_type", "auth_permission"}


@contextmanager
def connected_to(database: Path | str) -> Iterator[None]:
    """Have this thread's connection be to another database: an SQLite file, or what a URL names."""
    if isinstance(database, Path):
        other = {**settings.DATABASES["default"], "NAME": str(database)}
    else:
        other = {**environ.Env.db_url_config(database), "CONN_MAX_AGE": 0}
    usual = connections["default"]
    usual.close()
    connections["default"] = ConnectionHandler({"default": other})["default"]
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = usual


def schema_key() -> str:
    """A hash of all that a new database follows from."""
    digest = hashlib.sha256(django.get_version().encode())
    for app in ("evaluation", "listening"):
        for pattern in ("models.py", "models/*.py", "migrations/*.py"):
            for path in sorted((ROOT / app).glob(pattern)):
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


def empty_database() -> None:
    """Make the database what `migrate` left. Django's `flush` takes many times as long: it migrates again."""
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), sorted(tables - FILLED)))
