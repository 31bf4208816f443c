"""Every table of a study, as files."""

from __future__ import annotations

from typing import NamedTuple

from listening.exports.events import events_rows
from listening.exports.parquet import parquet_bytes
from listening.exports.ratings import ratings_rows
from listening.exports.tables import csv_text
from listening.exports.webmushra import mushra_rows, php_csv_text
from listening.models import Study


class Table(NamedTuple):
    """A file of an export: its name, what it is in a few words, and its bytes."""

    name: str
    title: str
    content: bytes


def tables(study: Study, kind: str = "real", *, personal: bool = False) -> list[Table]:
    """The tables that the study's method has; `personal` adds answers to the questionnaire."""
    ratings = list(ratings_rows(study, kind))
    found = [
        Table("ratings.csv", "every grade, one row each", csv_text(ratings).encode()),
        Table("ratings.parquet", "the same table, typed", parquet_bytes(ratings)),
        Table("events.csv", "what happened in the pages", csv_text(events_rows(study, kind)).encode()),
    ]
    if study.method == "mushra":
        rows = mushra_rows(study, kind, personal=personal)
        found.append(Table("mushra.csv", "the grades as webMUSHRA writes them", php_csv_text(rows).encode()))
    return found
