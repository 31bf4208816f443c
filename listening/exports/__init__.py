"""Ratings as files: a tidy CSV with everything, and the formats of other tools."""

from listening.exports.ratings import METRICS, RATINGS_COLUMNS, presented_at, ratings_rows, scores_of
from listening.exports.tables import csv_response, csv_text
from listening.exports.webmushra import MUSHRA_COLUMNS, mushra_rows

__all__ = [
    "METRICS",
    "MUSHRA_COLUMNS",
    "RATINGS_COLUMNS",
    "csv_response",
    "csv_text",
    "mushra_rows",
    "presented_at",
    "ratings_rows",
    "scores_of",
]
