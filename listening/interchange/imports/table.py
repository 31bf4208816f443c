"""Reads texts and tables of other tools: byte order marks, separators, blank lines, line numbers."""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.utils.translation import gettext_lazy as _

from evaluation.analysis.words import count
from evaluation.refusals import Message, Text
from listening.interchange.imports.reading import ImportProblem, Reading, list_names

#: Most columns of a table: 100 items of 10 systems side by side. Each is looked at beside the others.
MAX_COLUMNS = 1000
#: Most lines of a table, blank ones and those above it included; `reading.MAX_GRADES` is a third of it.
MAX_LINES = 300_000
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
#: What files write where there is nothing, in small letters.
_MISSING = frozenset(
    {
        "",
        "na",
        "n/a",
        "n.a.",
        "#n/a",
        "<na>",
        "nan",
        "null",
        "none",
        "nil",
        "-",
        "--",
        "–",
        "—",
        ".",
        "?",
        "missing",
    }
)
#: What they write in the place of a grade besides, which may be the name of something elsewhere.
_UNANSWERED = _MISSING | frozenset(
    {
        "x", "xx", "*", "**", "---", "…", "...", "/", "n.h.", "n.h", "nh", "n/h", "k.a.", "k. a.", "k.a",
        "ka", "keine angabe",
        "n.d.", "nd", "n.v.", "n.r.", "nr", "n/r", "e.a.", "s.o.", "skip", "skipped", "not heard",
        "not rated", "not answered",
        "no answer", "no response", "unanswered", "don't know", "dk", "weiß nicht", "nicht gehört",
        "#div/0!", "#value!", "#ref!", "#null!", "#wert!", "#bezug!", "sysmis", "欠損", "欠測", "未回答",
        "無回答", "なし",
        "ne sait pas", "sans réponse", "pas de réponse",
    }
)  # fmt: skip


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
    for encoding, zeros in (("utf-16-le", content[1:80:2]), ("utf-16-be", content[0:80:2])):
        if zeros and not any(zeros) and len(content) % 2 == 0:
            try:
                return content.decode(encoding), ["The file is in UTF-16 without a byte order mark."]
            except UnicodeDecodeError:
                break
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
    #: Numbers of a scale's words, in small letters.
    words: Mapping[str, float] = field(default_factory=dict)

    def column(self, heading: str) -> int:
        return self.headings.index(heading)

    def get(self, heading: str) -> str:
        """The cell under `heading`, stripped; empty if there is none."""
        if heading not in self.headings:
            return ""
        place = self.column(heading)
        return self.cells[place].strip() if place < len(self.cells) else ""

    def with_cells(self, cells: Mapping[str, str]) -> Row:
        """This row with other cells under some headings."""
        changed = [*self.cells, *[""] * (len(self.headings) - len(self.cells))]
        for heading, text in cells.items():
            changed[self.column(heading)] = text
        return replace(self, cells=changed) if cells else self

    def problem(self, message: Text, heading: str, **values: object) -> ImportProblem:
        return ImportProblem(Message(message, **values), self.line, self.column(heading) + 1, heading)

    def text(self, heading: str) -> str:
        """The cell, which must not be empty."""
        value = self.get(heading)
        if not value:
            raise self.problem(_("There is nothing in this cell."), heading)
        return value

    def number(self, heading: str) -> float | None:
        """The cell as a finite number; None where it says that there is no answer."""
        value = self.get(heading)
        if (number := self.words.get(value.casefold())) is not None:
            return number
        try:
            return parse_number(value, decimal_comma=self.decimal_comma)
        except ValueError:
            raise self.problem(_("%(value)r is not a number."), heading, value=shorten(value)) from None


@dataclass
class Table:
    """A table with a header line; `notes` say what was skipped."""

    headings: list[str]
    rows: list[Row]
    separator: str
    line: int = 1
    notes: list[str] = field(default_factory=list)
    #: Where the header has two rows: what each heading was made of, the upper row's part first.
    levels: dict[str, tuple[str, str]] = field(default_factory=dict)

    def list_values(self, heading: str) -> list[str]:
        """The values of a column, each once."""
        return list(dict.fromkeys(row.get(heading) for row in self.rows))


def names_of(reading: Reading, row: Row, parts: Mapping[str, str]) -> list[str] | None:
    """The names of a row, by the headings of `parts`; None, and a note, if one of them is not there.

    Numbers of listeners are without what a spreadsheet adds to them: 2.0 is 2.
    """
    found = {part: row.get(heading) for part, heading in parts.items()}
    # “none” may be the system without any processing.
    lacks = [
        part for part, name in found.items()
        if is_missing(name) and not (part == "system" and name.lower() == "none")
    ]  # fmt: skip
    if lacks:
        reading.skip(row.line, " or ".join(lacks))
        return None
    return [as_name(name) if part == "listener" else name for part, name in found.items()]


def is_missing(text: str) -> bool:
    """Whether a file says by this that there is nothing: NA, NaN, null, a dash, an empty cell, ..."""
    return text.strip().lower() in _MISSING


def is_unanswered(text: str) -> bool:
    """Whether a file says by this, in the place of a grade, that there is no answer: NA, n.h., x, ..."""
    return text.strip().lower() in _UNANSWERED


def reduce(heading: str) -> str:
    """Letters and digits of a heading, small, without what stands in brackets: a unit, a range, ..."""
    plain = re.sub(r"[(\[{（［【].*?[)\]}）］】]", "", unicodedata.normalize("NFKC", heading)) or heading
    return "".join(mark for mark in plain.casefold() if mark.isalnum())


def parse_number(text: str, *, decimal_comma: bool = True) -> float | None:
    """A number as tables write it; None if `text` says that there is none.

    A percent sign is dropped. A decimal comma is read; where commas separate cells, the quoted cell may
    group thousands by it, so one with three digits behind it is not.

    Raises:
        ValueError: it is not a finite number.
    """
    if is_unanswered(text):
        return None
    plain = text.strip().removesuffix("%").strip().replace("\u2212", "-")
    if re.fullmatch(r"[+-]?\d*,\d+" if decimal_comma else r"[+-]?\d*,\d{1,2}", plain):
        plain = plain.replace(",", ".")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", plain):
        raise ValueError(text)
    number = float(plain)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def as_name(text: str) -> str:
    """A name without what a spreadsheet adds to numbers: 2.0 is 2."""
    return re.sub(r"^(\d+)\.0+$", r"\1", text.strip())


def records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record of a CSV text with its first line.

    Raises:
        ImportProblem: a quote is not closed, or a cell is too long.
    """
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=separator == " "
    )
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ImportProblem(_("This is not a row of a table: %(error)s."), line, error=error) from None
        yield line, cells


#: So many characters of a line show what separates its cells.
_LOOKED_AT = 100_000


def separator_of(text: str) -> str:
    ""
    "The separator of cells: the most frequent in the first line that has one, which may have a title above."
    ""
    lines = [line for line in text.splitlines()[:20] if line.strip()]
    marked = [line for line in lines[:5] if any(mark in line for mark in _SEPARATORS if mark != " ")]
    first = next(iter(marked or lines), "")[:_LOOKED_AT]
    plain = re.sub(r'"[^"]*"', "x", first)
    found = max([mark for mark in _SEPARATORS if mark != " "], key=plain.count)
    return " " if found not in plain and re.fullmatch(r"\s*\S+(?: +\S+){2,}\s*", plain) else found


def read_table(text: str, *, ragged: Sequence[str] = ()) -> Table:
    """Read a table; the first non-blank row is the header.

    Blank rows, repetitions of the header, comments (``#``) above it and Excel's line ``sep=;`` are skipped.
    A row may only lack trailing cells under the headings `ragged`. Where every row has a cell more than the
    header, the first are R's names of rows.

    Raises:
        ImportProblem: the header is missing, a heading occurs twice, or a row has another width.
    """
    if (lines := text.count("\n")) > MAX_LINES:
        raise ImportProblem(
            _("This table has %(count)s lines; tables of up to %(most)s can be read."),
            count=lines,
            most=MAX_LINES,
        )
    above, text = _above(text)
    separator = separator_of(text)
    table = Table([], [], separator)
    if above:
        table.notes.append(f"Skipped above the header: {list_names(shorten(line) for line in above)}.")
    if separator != ",":
        table.notes.append(f"Its cells are separated by {_SEPARATORS[separator]}.")
    blank = repeated = 0
    found = [(line + len(above), cells) for line, cells in records(text, separator)]
    found = _cut_title(table, found)
    named = _has_row_names(found)
    found = found if named else _join_headers(table, found)
    for line, cells in found:
        if not any(cell.strip() for cell in cells):
            blank += bool(table.headings)
            continue
        if not table.headings:
            table.headings, table.line = _headings(line, ["", *cells] if named else cells), line
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
        table.notes.append(
            f"{count(repeated, 'repetition')} of the header {'was' if repeated == 1 else 'were'} skipped."
        )
    return table


def _above(text: str) -> tuple[list[str], str]:
    """The lines that are no part of a table, and the rest of its text."""
    lines = text.splitlines(keepends=True)
    count = 0
    for place, line in enumerate(lines):
        plain = line.strip().strip('"')
        if re.match(r"#(?!\s*[,;\t|])", plain) or re.fullmatch(r"sep=.?", plain, re.IGNORECASE):
            count = place + 1
        elif plain:
            break
    return [line.strip() for line in lines[:count] if line.strip()], "".join(lines[count:])


def _cut_title(table: Table, found: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Leave out lines above the header that have a single cell, the first one."""
    filled = [row for row in found if any(map(str.strip, row[1]))]
    count = 0
    while count + 1 < len(filled) and _is_title(filled[count][1], filled[count + 1 :]):
        count += 1
    if not count or count + 1 >= len(filled):
        return found
    said = (shorten(filled[place][1][0].strip()) for place in range(count))
    table.notes.append(f"Skipped above the header: {list_names(said)}.")
    return found[found.index(filled[count]) :]


def _is_title(cells: Sequence[str], below: Sequence[tuple[int, list[str]]]) -> bool:
    most = max(sum(bool(cell.strip()) for cell in row) for _line, row in below)
    return bool(cells[0].strip()) and not any(map(str.strip, cells[1:])) and most > 2


def _join_headers(table: Table, found: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Make one header of two: names below names are joined; rows of units or labels are left out."""
    while True:
        filled = [place for place, (_line, cells) in enumerate(found) if any(map(str.strip, cells))]
        if len(filled) < 3:
            return found
        upper, lower = ([cell.strip() for cell in found[place][1]] for place in filled[:2])
        rest = [found[place][1] for place in filled[2:]]
        if len(lower) > len(upper) and any(lower[len(upper) :]):
            return found
        lower = (lower + [""] * len(upper))[: len(upper)]
        numbers = [place for place in range(len(upper)) if _is_numeric(rest, place)]
        if not _is_header(lower, numbers, rest):
            return found
        line = found[filled[1]][0]
        tops = [upper[place] for place in numbers]
        if len(set(tops)) == len(tops) and all(tops):
            table.notes.append(f"Line {line} was left out: it describes the columns, and has no grades.")
            found = found[: filled[1]] + found[filled[1] + 1 :]
            continue
        above = ""
        joined: list[str] = []
        for place, (top, name) in enumerate(zip(upper, lower, strict=True)):
            above = top or (above if place in numbers else "")
            heading = "_".join(part for part in (above, name) if part)
            joined.append(heading)
            if place in numbers and above and name:
                table.levels[heading] = (above, name)
        table.notes.append(
            f"The header has two rows, lines {found[filled[0]][0]} and {line}, which were joined."
        )
        return [(found[filled[0]][0], joined), *found[filled[1] + 1 :]]


def _is_numeric(rows: Sequence[Sequence[str]], place: int) -> bool:
    """Whether half of what a column holds are numbers."""
    texts = [cells[place] for cells in rows if place < len(cells) and not is_unanswered(cells[place])]
    return bool(texts) and 2 * sum(map(is_number, texts)) >= len(texts)


def _is_header(cells: Sequence[str], numbers: Sequence[int], rest: Sequence[Sequence[str]]) -> bool:
    """Whether a row below the header belongs to it: no numbers where all others have them."""
    texts = [place for place in numbers if not is_unanswered(cells[place]) and not is_number(cells[place])]
    filled = [place for place in numbers if cells[place]]
    if not texts or len(texts) < len(filled) or 2 * len(texts) < len(numbers):
        return False
    others = [place for place, cell in enumerate(cells) if cell and place not in numbers]
    if len(texts) == 1 and any(not re.match(r"[(\[{]", cells[place]) for place in others):
        return False
    seen = {(place, row[place].strip()) for row in rest for place in range(min(len(row), len(cells)))}
    return not any((place, cells[place]) in seen for place in (*texts, *others))


def is_number(text: str) -> bool:
    """Whether a cell holds a number."""
    try:
        return parse_number(text) is not None
    except ValueError:
        return False


def _has_row_names(found: Sequence[tuple[int, list[str]]]) -> bool:
    filled = [cells for _line, cells in found if any(cell.strip() for cell in cells)]
    rows = filled[1:]
    return (
        len(rows) > 1
        and all(len(cells) == len(filled[0]) + 1 for cells in rows)
        and len({cells[0] for cells in rows}) == len(rows)
        and any(cells[-1].strip() for cells in rows)
    )


def check_width(line: int, headings: Sequence[str]) -> None:
    """Raise `ImportProblem` if a table has more columns than `MAX_COLUMNS`."""
    if len(headings) > MAX_COLUMNS:
        raise ImportProblem(
            _("This table has %(count)s columns; tables of up to %(most)s can be read."),
            line,
            count=len(headings),
            most=MAX_COLUMNS,
        )


def _headings(line: int, cells: list[str]) -> list[str]:
    headings = [cell.strip() for cell in cells]
    while len(headings) > 1 and not headings[-1]:
        headings.pop()
    check_width(line, headings)
    seen: set[str] = set()
    for place, heading in enumerate(headings):
        if heading and heading in seen:
            raise ImportProblem(
                _("Two columns are called %(header)r."), line, place + 1, heading, header=heading
            )
        seen.add(heading)
    return headings


def shorten(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def describe_test(test: str, tests: Sequence[str], left: int) -> str:
    """The note on taking one of a file's tests, which leaves out so many rows of others.

    Raises:
        ImportProblem: the file has no such test.
    """
    if test not in tests:
        raise ImportProblem.of_field(
            "test",
            _("There is no test %(test)r. Known: %(tests)s."),
            test=shorten(test),
            tests=list_names(tests),
        )
    return f"Of {len(tests)} tests this takes {test}; left out: {count(left, 'row')} of others."
