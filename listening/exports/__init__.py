"""Ratings as files: tidy tables with everything, and the formats of other tools."""

from listening.exports.bundle import TABLES, Table, table, tables_of
from listening.exports.events import EVENTS_COLUMNS, events_rows
from listening.exports.parquet import parquet_bytes
from listening.exports.ratings import METRICS, RATINGS_COLUMNS, presented_at, ratings_rows, scores_of
from listening.exports.tables import csv_response, csv_text, file_response
from listening.exports.webmushra import MUSHRA_COLUMNS, mushra_rows, php_csv_text

__all__ = [
    "EVENTS_COLUMNS",
    "METRICS",
    "MUSHRA_COLUMNS",
    "RATINGS_COLUMNS",
    "TABLES",
    "Table",
    "csv_response",
    "csv_text",
    "events_rows",
    "file_response",
    "mushra_rows",
    "parquet_bytes",
    "php_csv_text",
    "presented_at",
    "ratings_rows",
    "scores_of",
    "table",
    "tables_of",
]
