"""Detects which tool a file of results comes from, by its content, never by its name."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from listening.interchange.imports import golisten, lists, netflix, pymushra, webmushra_results
from listening.interchange.imports.archive import read_archive
from listening.interchange.imports.reading import ImportProblem, Reading, list_names
from listening.interchange.imports.table import decode, read_table, shorten

#: Largest file of results, and largest total size of a zip's unpacked files, bytes.
MAX_BYTES = 10_000_000
_MAX_FILES = 500

#: Formats that can be read, for people.
FORMATS = (
    ("webMUSHRA", "mushra.csv, paired_comparison.csv, bs1116.csv, lss.csv and lms.csv, of any age"),
    ("pymushra", "its CSV and JSON exports, and its database db.json"),
    ("GoListen", "its CSV export"),
    ("listening-test-app (Netflix, ODAQ)", "its XML files, one or several in a zip"),
    ("Any table", "a grade a row with columns for listener, item, system and score; or lists of grades"),
)
#: Optional trailing cells, which spreadsheets drop if they are empty.
_RAGGED = ("rating_comment", "choice_comment", "comment", "file", "responses_comment")


def read_results(content: bytes, choices: Mapping[str, str] | None = None) -> Reading:
    """Read a file of results.

    Args:
        content: content of the file; a zip of several XML files is read as one test.
        choices: options that a format leaves open: ``rule`` (GoListen), ``attribute`` (Likert), ``kind``
            (pymushra).

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
        return _merge_xml(content)
    if netflix.is_netflix(content):
        return netflix.read_netflix(content)
    text, notes = decode(content)
    if pymushra.looks_like_json(text):
        reading = pymushra.read_json(text, choices.get("kind", ""))
    elif golisten.is_golisten(text):
        reading = golisten.read_golisten(text, choices.get("rule", ""))
    else:
        reading = _table(text, choices)
    reading.notes = notes + reading.notes
    return reading


def _table(text: str, choices: Mapping[str, str]) -> Reading:
    table = read_table(text, ragged=_RAGGED)
    headings = table.headings
    if webmushra_results.is_likert(headings):
        return webmushra_results.read_likert(table, choices.get("attribute", ""))
    for fits, read in webmushra_results.READERS:
        if fits(headings):
            return read(table)
    if pymushra.is_pymushra(headings):
        return pymushra.read_table(table, choices.get("kind", ""))
    if lists.is_lists(headings):
        return lists.read_lists(table)
    if lists.is_tidy(headings):
        return lists.read_tidy(table)
    raise ImportProblem(
        _(
            "No format that can be read has this header: %(headings)s. A plain table needs "
            "columns for listener, item, system and score."
        ),
        1,
        1,
        headings=list_names(shorten(name) or "(empty)" for name in headings),
    )


def _merge_xml(content: bytes) -> Reading:
    """Read the XML files of a zip as one test with one listener per file."""
    files = read_archive(content, max_files=_MAX_FILES, max_bytes=MAX_BYTES)
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
            merged.notes += reading.notes
    if merged is None:
        raise ImportProblem(_("There is no file in this zip."))
    return merged.check()
