"""Rows and files that a fixture makes for hundreds of tests: made by the product once, put back as they were.

To make a study takes a hundred times as long as to insert its rows. What is put back has ids of its own, and
is as old as if it had just been made.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from evaluation.models import Clip
from listening.models import Study
from tests.database import FILLED

#: Not put back: who owns the rows is there before them.
_KEPT = FILLED | {"auth_user", "django_migrations"}


@dataclass(frozen=True)
class Table:
    """A table's name, its columns' names and declared types, and its rows."""

    name: str
    columns: list[tuple[str, str]]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Snapshot:
    """What there is in the database, and in the folder of media."""

    owner: int
    study: uuid.UUID
    taken: datetime
    ids: list[uuid.UUID]
    tables: list[Table]
    files: dict[str, bytes]

    def restore(self, owner: User) -> Study:
        """Put everything back, as `owner`'s; returns the study."""
        fresh = {old: uuid.uuid4() for old in self.ids}
        changes = [(form(old), form(new)) for old, new in fresh.items() for form in (str, lambda id: id.hex)]
        passed = timezone.now() - self.taken

        def renamed(text: str) -> str:
            for old, new in changes:
                text = text.replace(old, new)
            return text

        def changed(value: Any, column: str, kind: str) -> Any:
            if column == "owner_id" and value == self.owner:
                return owner.pk
            if not isinstance(value, str):
                return value
            return str(datetime.fromisoformat(value) + passed) if kind == "datetime" else renamed(value)

        with transaction.atomic(), connection.cursor() as cursor:
            for table in self.tables:
                names = ", ".join(f'"{name}"' for name, _kind in table.columns)
                places = ", ".join(["%s"] * len(table.columns))
                cursor.executemany(
                    f'INSERT INTO "{table.name}" ({names}) VALUES ({places})',  # noqa: S608 -- the schema's
                    [
                        [changed(value, *column) for value, column in zip(row, table.columns, strict=True)]
                        for row in table.rows
                    ],
                )
        for name, content in self.files.items():
            path = Path(settings.MEDIA_ROOT) / renamed(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return Study.objects.get(pk=fresh[self.study])


#: What tests of this process have had made, by what they asked for.
TAKEN: dict[str, Snapshot] = {}


def has_room() -> bool:
    """Whether a snapshot can be put back: SQLite's database holds neither clips nor studies."""
    return connection.vendor == "sqlite" and not Clip.objects.exists() and not Study.objects.exists()


def make_once(wanted: str, owner: User, make: Callable[[], Study]) -> Study:
    """What `make` makes of `owner`'s, or the same put back if `wanted` has been made in this process."""
    if wanted in TAKEN and has_room():
        return TAKEN[wanted].restore(owner)
    known = wanted in TAKEN or connection.vendor != "sqlite" or rows_by_table()
    study = make()
    if not known:
        TAKEN[wanted] = take(study)
    return study


def rows_by_table() -> dict[str, list[tuple[Any, ...]]]:
    """All rows but those of `_KEPT`, of the tables that have any."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    with connection.cursor() as cursor:
        found = {
            name: cursor.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 -- the schema's
            for name in names
            if name not in _KEPT
        }
    return {name: rows for name, rows in found.items() if rows}


def take(study: Study) -> Snapshot:
    """Remember all rows, which belong to the owner of `study`, and all files."""
    tables: list[Table] = []
    ids: set[uuid.UUID] = set()
    for name, rows in rows_by_table().items():
        with connection.cursor() as cursor:
            described = cursor.execute(f'PRAGMA table_info("{name}")').fetchall()
        columns = [(column, kind) for _, column, kind, *_ in described]
        tables.append(Table(name, columns, rows))
        for place, column in enumerate(columns):
            if column == ("id", "char(32)"):
                ids |= {uuid.UUID(row[place]) for row in rows}
    root = Path(settings.MEDIA_ROOT)
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return Snapshot(study.owner_id, study.pk, timezone.now(), sorted(ids), tables, files)
