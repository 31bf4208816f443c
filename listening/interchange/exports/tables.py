"""Rows as CSV files, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse

Row = list[Any]


def safe_text(value: Any) -> Any:
    """Put a quote mark before a text that a spreadsheet would run as a formula; keep numbers."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value


def csv_text(rows: Iterable[Row]) -> str:
    """Rows as CSV (RFC 4180), safe to open in a spreadsheet."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow([safe_text(value) for value in row])
    return buffer.getvalue()


def csv_response(rows: Iterable[Row], name: str) -> HttpResponse:
    return file_response(csv_text(rows).encode(), name, "text/csv; charset=utf-8")


def file_response(content: bytes, name: str, content_type: str) -> HttpResponse:
    """`content` as a download that must not be cached."""
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
