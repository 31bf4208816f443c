"""Rows as CSV files, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

Row = list[Any]

_ROWS_AT_ONCE = 500


def safe_text(value: Any) -> Any:
    """Put a quote mark before a text that a spreadsheet would run as a formula; keep numbers."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value


def csv_parts(rows: Iterable[Row]) -> Iterator[str]:
    """Rows as CSV (RFC 4180), safe to open in a spreadsheet, a few hundred at a time."""
    source = iter(rows)
    while some := list(islice(source, _ROWS_AT_ONCE)):
        buffer = io.StringIO()
        csv.writer(buffer).writerows([safe_text(value) for value in row] for row in some)
        yield buffer.getvalue()


def csv_text(rows: Iterable[Row]) -> str:
    """The same as one text."""
    return "".join(csv_parts(rows))


def file_response(content: bytes | Iterator[bytes], name: str, content_type: str) -> HttpResponseBase:
    """`content` as a download that must not be cached; one that comes in parts is sent as it is made."""
    response: HttpResponseBase
    if isinstance(content, bytes):
        response = HttpResponse(content, content_type=content_type)
    else:
        response = StreamingHttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
