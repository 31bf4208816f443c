"""What JSON columns hold: pydantic models, and the one field that reads and writes them.

A column's model defines its keys, their types and their limits. `TypedJSONField` validates
with it whenever a value is set and when a stored one is read; forms, the API, archives and imports validate
with the same model (`parse`). A value that does not fit raises a `BadColumn` that names the column and the
path.
"""

from evaluation.columns.base import (
    Column,
    Json,
    JsonObject,
    Number,
    Real,
    Shown,
    Whole,
    parse,
    refuse,
    refuse_at,
)
from evaluation.columns.field import TypedJSONField, plain
from evaluation.columns.problems import BadColumn, Problem, message_of

__all__ = [
    "BadColumn", "Column", "Json", "JsonObject", "Number", "Problem", "Real", "Shown", "TypedJSONField",
    "Whole", "message_of", "parse", "plain", "refuse", "refuse_at",
]  # fmt: skip
