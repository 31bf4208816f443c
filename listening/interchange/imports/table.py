"""Reads texts and tables of other tools: byte order marks, separators, blank lines, line numbers."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Message, Text
from listening.interchange.imports.reading import ImportProblem

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def decode(content: bytes) -> tuple[str, list[str]]:
    """Decode a file's text; also returns notes about assumptions.

    Raises:
        ImportProblem: it is not text.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16"), ["The file is in UTF-16."]
        except UnicodeDecodeError:
            raise ImportProblem(_("The file begins like UTF-16 text but is not.")) from None
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise ImportProblem(_("This is not a text file: it has a zero byte."), line)
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        note = f"Line {line} is not UTF-8; the file was read as Windows-1252 (Western European)."
        return content.decode("cp1252", "replace"), [note]


@dataclass(frozen=True)
class Row:
    """A row of a table: its line in the file, and its cells under their headings."""

    line: int
    cells: Sequence[str]
    headings: Sequence[str]
    decimal_comma: bool = False

    def column(self, heading: str) -> int:
        return self.headings.index(heading)

    def get(self, heading: str) -> str:
        """The cell under `heading`, stripped; empty if there is none."""
        if heading not in self.headings:
            return ""
        place = self.column(heading)
        return self.cells[place].strip() if place < len(self.cells) else ""

    def problem(self, message: Text, heading: str, **values: object) -> ImportProblem:
        return ImportProblem(Message(message, **values), self.line, self.column(heading) + 1, heading)

    def text(self, heading: str) -> str:
        """The cell, which must not be empty."""
        value = self.get(heading)
        if not value:
            raise self.problem(_("There is nothing in this cell."), heading)
        return value

    def number(self, heading: str) -> float:
        """The cell as a finite number. A decimal comma is accepted unless commas separate cells."""
        return self.optional(heading, required=True) or 0.0

    def optional(self, heading: str, *, required: bool = False) -> float | None:
        value = self.get(heading)
        if not value and not required:
            return None
        try:
            comma = self.decimal_comma and re.fullmatch(r"[+-]?\d+,\d+", value)
            number = float(value.replace(",", ".") if comma else value)
        except ValueError:
            raise self.problem(
                _("%(value)r is not a number.") if value else _("The number is missing."),
                heading,
                value=shorten(value),
            ) from None
        if not math.isfinite(number) or "_" in value:
            raise self.problem(_("%(value)r is not a finite number."), heading, value=shorten(value))
        return number


@dataclass
class Table:
    """A table with a header line; `notes` say what was skipped."""

    headings: list[str]
    rows: list[Row]
    separator: str
    notes: list[str] = field(default_factory=list)


def records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record of a CSV text with its first line.

    Raises:
        ImportProblem: a quote is not closed, or a cell is too long.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ImportProblem(_("This is not a row of a table: %(error)s."), line, error=error) from None
        yield line, cells


def separator_of(text: str) -> str:
    """The separator of cells: the most frequent of comma, semicolon and tab in the first non-blank line."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    plain = re.sub(r'"[^"]*"', "", first)
    return max(_SEPARATORS, key=plain.count)


def read_table(text: str, *, ragged: Sequence[str] = ()) -> Table:
    """Read a table; the first non-blank row is the header.

    Blank rows and repetitions of the header are skipped. A row may only lack trailing cells under the
    headings `ragged`.

    Raises:
        ImportProblem: the header is missing, a heading occurs twice, or a row has another width.
    """
    separator = separator_of(text)
    table = Table([], [], separator)
    if separator != ",":
        table.notes.append(f"Its cells are separated by {_SEPARATORS[separator]}.")
    blank = repeated = 0
    for line, cells in records(text, separator):
        if not any(cell.strip() for cell in cells):
            blank += bool(table.headings)
            continue
        if not table.headings:
            table.headings = _headings(line, cells)
            continue
        if [cell.strip() for cell in cells] == table.headings:
            repeated += 1
            continue
        while len(cells) > len(table.headings) and not cells[-1].strip():
            cells.pop()
        absent = table.headings[len(cells) :]
        if len(cells) > len(table.headings) or any(heading not in ragged for heading in absent):
            raise ImportProblem(
                _(
                    "This row has %(count)s cells, the header has %(count_2)s. Rows shift where a "
                    "questionnaire was changed while the file was written: give each part its own header."
                ),
                line,
                min(len(cells), len(table.headings)) + (len(cells) > len(table.headings)),
                count=len(cells),
                count_2=len(table.headings),
            )
        table.rows.append(Row(line, cells, table.headings, separator != ","))
    if not table.headings:
        raise ImportProblem(_("The file is empty."))
    if blank:
        table.notes.append(f"{blank} blank {'line was' if blank == 1 else 'lines were'} skipped.")
    if repeated:
        table.notes.append(f"{repeated} repetitions of the header were skipped.")
    return table


def _headings(line: int, cells: list[str]) -> list[str]:
    headings = [cell.strip() for cell in cells]
    while len(headings) > 1 and not headings[-1]:
        headings.pop()
    for place, heading in enumerate(headings):
        if heading and heading in headings[:place]:
            raise ImportProblem(
                _("Two columns are called %(header)r."), line, place + 1, heading, header=heading
            )
    return headings


def shorten(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
