"""Detects which tool a file of results comes from, by its content, never by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext_lazy as _

from evaluation.outputs.archives import ArchiveProblem
from listening.interchange.imports import (
    golisten,
    grids,
    likeness,
    lists,
    netflix,
    pymushra,
    scales,
    summaries,
    webmushra_results,
)
from listening.interchange.imports.archive import read_archive
from listening.interchange.imports.columns import PARTS
from listening.interchange.imports.reading import ImportProblem, Reading, list_names
from listening.interchange.imports.table import Table, decode, describe_test, read_table, reduce

#: Largest file of results, and largest total size of a zip's unpacked files, bytes.
MAX_BYTES = 10_000_000
_MAX_FILES = 500
#: Most tests of a column that does not surely name tests.
_MAX_TESTS = 12

#: What a file may leave open: ``rule`` (how names are split into item and system), ``attribute`` (one of
#: several), ``kind`` (pymushra's type of page), ``test`` (one of several), and the columns of a plain table.
CHOICES = ("rule", "attribute", "kind", "test", *PARTS)
#: Columns that name a test, reduced, the surest first.
_TESTS = (
    "sessiontestid", "testid", "testname", "study", "studyid", "studyname", "experiment", "experimentid",
    "test", "exp",
    "versuch", "studie", "étude", "expérience", "実験",
)  # fmt: skip
#: Formats of no particular tool, in which people write names by hand.
_PLAIN = frozenset({"tidy", "wide"})

#: Formats that can be read, for people.
FORMATS = (
    ("webMUSHRA", "mushra.csv, paired_comparison.csv, bs1116.csv, lss.csv and lms.csv, of any age"),
    ("pymushra", "its CSV and JSON exports, and its database db.json"),
    ("GoListen", "its CSV export"),
    ("listening-test-app (Netflix, ODAQ)", "its XML files, one or several in a zip"),
    (
        "Any table",
        "a grade a row with columns for listener, item, system and score; a column for each system, for each "
        "item and system, or for each listener; or lists of grades",
    ),
)
#: Optional trailing cells, which spreadsheets drop if they are empty.
_RAGGED = ("rating_comment", "choice_comment", "comment", "file", "responses_comment")


def read_results(content: bytes, choices: Mapping[str, str] | None = None) -> Reading:
    """Read a file of results.

    Args:
        content: content of the file; a zip of several XML files is read as one test.
        choices: options that a file leaves open, by the names in `CHOICES`.

    Raises:
        ImportProblem: the file cannot be read; the message has line and column.
    """
    choices = choices or {}
    if len(content) > MAX_BYTES:
        raise ImportProblem(
            _("The file has %(count).1f MB; %(max_bytes)g MB can be read."),
            count=len(content) / 1e6,
            max_bytes=MAX_BYTES / 1e6,
        )
    if not content.strip():
        raise ImportProblem(_("The file is empty."))
    if content.startswith(b"PK\x03\x04"):
        return _settle(_merge_xml(content), choices)
    if netflix.is_netflix(content):
        return _settle(netflix.read_netflix(content), choices)
    text, notes = decode(content)
    if pymushra.looks_like_json(text):
        found = pymushra.read_json(text, choices)
        reading = found if isinstance(found, Reading) else _read_table(found, choices)
    elif golisten.is_golisten(text):
        reading = golisten.read_golisten(text, choices.get("rule", ""))
    else:
        reading = _read_table(read_table(text, ragged=_RAGGED), choices)
    reading.notes = notes + reading.notes
    return _settle(reading, choices)


def _settle(reading: Reading, choices: Mapping[str, str]) -> Reading:
    """Settle what grades and names leave open, and check the reading."""
    if reading.format in _PLAIN:
        likeness.join_spellings(reading, choices)
    likeness.cut_training(reading, choices)
    # What the columns of a wide table are was asked about column by column.
    columns = {doubt.options[0].value for doubt in reading.doubts if doubt.kind == "column"}
    summaries.cut_summaries(
        reading, choices, [part for part in ("listener", "item", "system") if part not in columns]
    )
    likeness.cut_seconds(reading, choices)
    scales.settle_scale(reading, choices)
    return reading.check()


def _read_table(table: Table, choices: Mapping[str, str]) -> Reading:
    headings = table.headings
    tests = _choose_test(table, choices.get("test", ""))
    reading = _read_format(table, headings, choices)
    reading.options |= tests
    return reading


def _choose_test(table: Table, test: str) -> dict[str, list[str]]:
    """Keep the rows of the chosen test of a file with several; returns the choice, if there is one."""
    plain = {reduce(heading): heading for heading in reversed(table.headings)}
    heading = next((plain[name] for name in _TESTS if name in plain), "")
    tests = [name for name in table.list_values(heading) if name or heading] if heading else []
    own = heading == "session_test_id"
    if not test and (len(tests) < 2 or (not own and len(tests) > _MAX_TESTS)):
        return {}
    if test:
        taken = [row for row in table.rows if row.get(heading) == test]
        table.notes.append(describe_test(test, tests, len(table.rows) - len(taken)))
        table.rows = taken
    elif not own:
        table.notes.append(
            f"By the column {heading} the file holds {len(tests)} tests ({list_names(tests)}), which are "
            "taken as one. Choose one of them if they are different tests."
        )
    return {"test": [test, *(name for name in ["", *tests] if name != test)]}


def _read_format(table: Table, headings: Sequence[str], choices: Mapping[str, str]) -> Reading:
    if webmushra_results.is_likert(headings):
        return webmushra_results.read_likert(table, choices.get("attribute", ""))
    for fits, read in webmushra_results.READERS:
        if fits(headings):
            return read(table)
    if pymushra.is_pymushra(headings):
        return pymushra.read_table(table, choices)
    if lists.is_lists(headings):
        return lists.read_lists(table)
    return grids.read_grid(table, choices)


def _merge_xml(content: bytes) -> Reading:
    """Read the XML files of a zip as one test with one listener per file."""
    try:
        files = read_archive(content, max_files=_MAX_FILES, max_bytes=MAX_BYTES)
    except ArchiveProblem as problem:
        raise ImportProblem(problem) from None
    if any(name.startswith("xl/") for name in files) or "mimetype" in files:
        raise ImportProblem(
            _("This is a spreadsheet. Save the sheet that has the grades as CSV, and send that.")
        )
    merged: Reading | None = None
    names: dict[str, str] = {}
    for number, (name, body) in enumerate(sorted(files.items()), 1):
        if not netflix.is_netflix(body):
            raise ImportProblem(
                _(
                    "%(name)s is not XML. A zip of results holds the listening-test-app's XML files; send "
                    "other formats as they are."
                ),
                name=name,
            )
        try:
            reading = netflix.read_netflix(body, number)
            if not reading.grades:
                reading.check()  # refuses it
        except ImportProblem as problem:
            raise ImportProblem(
                _("%(name)s: %(said)s"), problem.line, problem.column, name=name, said=problem.what
            ) from None
        (who,) = reading.assessors
        if who in names:
            raise ImportProblem(
                _("%(name)s and %(names)s are both of the listener %(who)s."),
                name=name,
                names=names[who],
                who=who,
            )
        names[who] = name
        if merged is None:
            merged = reading
        else:
            merged.grades += reading.grades
            merged.blanks += reading.blanks
            merged.notes += [note for note in reading.notes if note not in merged.notes]
    if merged is None:
        raise ImportProblem(_("There is no file in this zip."))
    return merged
