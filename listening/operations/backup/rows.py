"""Rows of any database of Django's as lines of JSON, and back.

The first line of a table names it and its columns with their types; each further line is a row. Values are
what both databases understand: a time is ISO 8601 in UTC, a UUID its hexadecimal digits, JSON its text.
Nothing is validated and no model's code runs, so that rows of older versions are copied as they are.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

from django.apps import apps
from django.core.management.color import no_style
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import FileField, Model
from django.utils.dateparse import parse_datetime

#: What only concerns the running site: sign-ins, counts of wrong passwords, workers' signs of life, and the
#: files that workers make for a day.
LEFT_OUT = frozenset({"django_session", "listening_throttle", "evaluation_worker", "listening_madefile"})
#: Rows that are read or written at a time.
BATCH = 500

Value = str | int | float | bool | None
#: A column's name and Django's internal type of it.
Column = tuple[str, str]


class UnknownRows(Exception):
    """A line of a backup that is not what `write_rows` writes."""


def list_models() -> list[type[Model]]:
    """The models whose rows are copied, tables of many-to-many relations among them."""
    found = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    own = {model._meta.db_table: model for model in found if not model._meta.proxy}
    return [own[table] for table in sorted(own.keys() - LEFT_OUT)]


def columns_of(model: type[Model]) -> list[Column]:
    """The columns of a model's table."""
    return [(str(field.column), _type_of(field)) for field in model._meta.concrete_fields]


def _type_of(field: Any) -> str:
    while field.is_relation:  # a foreign key has the type of the key that it holds
        field = field.target_field
    return str(field.get_internal_type())


def write_rows(
    database: BaseDatabaseWrapper, write: Callable[[str], object], note_file: Callable[[str], object]
) -> dict[str, int]:
    """Write all rows that a connection sees.

    Args:
        database: within a transaction that sees one state of the database.
        write: takes a line.
        note_file: takes the name of a stored file that a row has.

    Returns:
        the number of rows by table.
    """
    counts = {}
    for model in list_models():
        columns = columns_of(model)
        files = [
            place for place, field in enumerate(model._meta.concrete_fields) if isinstance(field, FileField)
        ]
        table = model._meta.db_table
        write(json.dumps({"table": table, "columns": columns}))
        counts[table] = 0
        for row in _read_table(database, table, [name for name, _type in columns]):
            values = [_to_json(kind, value) for (_name, kind), value in zip(columns, row, strict=True)]
            write(json.dumps(values, ensure_ascii=False))
            counts[table] += 1
            for place in files:
                if row[place]:
                    note_file(row[place])
    return counts


def _read_table(database: BaseDatabaseWrapper, table: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    quote = database.ops.quote_name
    names = ", ".join(map(quote, columns))
    with database.chunked_cursor() as cursor:
        cursor.execute(f"SELECT {names} FROM {quote(table)}")  # noqa: S608  (names of our own models)
        while rows := cursor.fetchmany(BATCH):
            yield from rows


def _to_json(kind: str, value: Any) -> Value:
    if value is None:
        return None
    if kind == "BooleanField":
        return bool(value)  # SQLite has 0 and 1
    if kind == "DateTimeField":
        moment = value if isinstance(value, datetime) else parse_datetime(str(value))
        if moment is None:
            raise UnknownRows(f"{value!r} is not a time.")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # SQLite has UTC without saying it
        return moment.astimezone(UTC).isoformat()
    if kind == "UUIDField":
        return value.hex if isinstance(value, uuid.UUID) else uuid.UUID(str(value)).hex
    if kind == "BinaryField":
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | int | float):
        return value
    raise UnknownRows(f"A {kind} holds {type(value).__name__}, which no backup can.")


def read_rows(database: BaseDatabaseWrapper, lines: Iterable[str]) -> dict[str, int]:
    """Write the rows of a backup into tables that there are; returns the number of rows by table.

    Call it in a transaction: rows that others name may come later, which databases check at its end.

    Raises:
        UnknownRows: the lines are not those of a backup.
    """
    counts: dict[str, int] = {}
    tables = set(database.introspection.table_names())
    quote = database.ops.quote_name
    table = ""
    kinds: list[str] = []
    statement = ""
    found = (json.loads(line) for line in lines)
    pending: list[list[Any]] = []

    def flush() -> None:
        if pending:
            with database.cursor() as cursor:
                cursor.executemany(statement, pending)
            counts[table] += len(pending)
            pending.clear()

    for entry in found:
        if isinstance(entry, dict):
            flush()
            table, columns = entry["table"], entry["columns"]
            if table not in tables:
                raise UnknownRows(f"There is no table {table!r} here.")
            counts[table] = 0
            names = ", ".join(quote(name) for name, _kind in columns)
            kinds = [kind for _name, kind in columns]
            places = ", ".join(["%s"] * len(columns))
            statement = f"INSERT INTO {quote(table)} ({names}) VALUES ({places})"  # noqa: S608  (quoted)
            with database.cursor() as cursor:  # what migrations have put there is in the backup, too
                cursor.execute(f"DELETE FROM {quote(table)}")  # noqa: S608
        elif not table or len(entry) != len(kinds):
            raise UnknownRows("A row does not have the columns of its table.")
        else:
            pending.append(
                [_from_json(database, kind, value) for kind, value in zip(kinds, entry, strict=True)]
            )
            if len(pending) >= BATCH:
                flush()
    flush()
    return counts


def _from_json(database: BaseDatabaseWrapper, kind: str, value: Value) -> Any:
    if value is None:
        return None
    if kind == "DateTimeField":
        return database.ops.adapt_datetimefield_value(datetime.fromisoformat(str(value)))
    if kind == "UUIDField":
        found = uuid.UUID(str(value))
        return found if database.features.has_native_uuid_field else found.hex
    if kind == "BinaryField":
        return base64.b64decode(str(value))
    return value


def reset_sequences(database: BaseDatabaseWrapper) -> None:
    """Let new rows get ids after those that were written."""
    statements = database.ops.sequence_reset_sql(no_style(), list_models())
    with database.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def count_rows(database: BaseDatabaseWrapper) -> dict[str, int]:
    """Numbers of rows in those tables that migrations do not fill, of the tables that there are."""
    filled = {"django_content_type", "auth_permission"}
    tables = set(database.introspection.table_names()) - filled
    counts = {}
    for model in list_models():
        if (table := model._meta.db_table) in tables:
            with database.cursor() as cursor:
                cursor.execute(f"SELECT count(*) FROM {database.ops.quote_name(table)}")  # noqa: S608
                counts[table] = int(cursor.fetchone()[0])
    return counts
