"""Ratings as files: complete tidy tables, and the formats of other tools."""

from listening.interchange.exports.bundle import (
    TABLES,
    Table,
    are_many,
    is_long,
    table,
    table_parts,
    tables_of,
)
from listening.interchange.exports.events import EVENTS_COLUMNS, events_rows
from listening.interchange.exports.parquet import parquet_bytes
from listening.interchange.exports.ratings import (
    METRICS,
    RATINGS_COLUMNS,
    ratings_rows,
    scores_of,
)
from listening.interchange.exports.tables import csv_text, file_response
from listening.interchange.exports.webmushra import MUSHRA_COLUMNS, mushra_rows, php_csv_text

__all__ = [
    "EVENTS_COLUMNS",
    "METRICS",
    "MUSHRA_COLUMNS",
    "RATINGS_COLUMNS",
    "TABLES",
    "Table",
    "are_many",
    "csv_text",
    "events_rows",
    "file_response",
    "is_long",
    "mushra_rows",
    "parquet_bytes",
    "php_csv_text",
    "ratings_rows",
    "scores_of",
    "table",
    "table_parts",
    "tables_of",
]
