"""Tables of no particular tool with lists of grades in their cells."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from listening.interchange.imports.reading import Blank, Grade, ImportProblem, Reading
from listening.interchange.imports.table import Row, Table, as_name, is_missing, parse_number, shorten
from listening.methods import METHODS

#: Python's and R's words for a missing value, which JSON does not know.
_BARE = re.compile(r"(?<![\w\"])(None|nan|NA|N/A)(?![\w\"])")
_COLUMNS = ("signal", "condition", "ratings", "participant_ids")
#: Longest list in a cell.
_MAX_LIST = 10_000


def is_lists(headings: Sequence[str]) -> bool:
    return set(_COLUMNS) <= set(headings)


def read_lists(table: Table) -> Reading:
    """Read a table with one stimulus per row, with lists of grades and of listeners: ``[41.0, 32.0], [2,
    3]``."""
    reading = Reading(
        "lists",
        "a table of lists of grades",
        "Its header has signal, condition, ratings and participant_ids.",
        tuple(slug for slug, method in METHODS.items() if method.holds_tables),
        notes=list(table.notes),
    )
    folders: dict[str, set[str]] = {}
    for row in table.rows:
        item, system = row.text("signal"), row.text("condition")
        scores, people = _list(row, "ratings"), _list(row, "participant_ids")
        if len(scores) != len(people):
            raise row.problem(
                _("%(count)s ratings, but %(count_2)s participants."),
                "participant_ids",
                count=len(scores),
                count_2=len(people),
            )
        for score, who in zip(scores, people, strict=True):
            if isinstance(who, bool) or not isinstance(who, int | float | str) or is_missing(str(who)):
                raise row.problem(_("%(who)r names nobody."), "participant_ids", who=who)
            name = as_name(str(who))
            try:
                value = None if score is None else parse_number(str(score))
            except ValueError:
                raise row.problem(_("%(score)r is not a number."), "ratings", score=score) from None
            if value is None:
                reading.blanks.append(Blank(name, item, system, line=row.line))
            else:
                reading.grades.append(Grade(name, item, system, value, line=row.line))
        folder = row.get("file").rpartition("/")[0]
        if folder:
            folders.setdefault(folder, set()).add(item)
    reading.aliases = {folder: next(iter(items)) for folder, items in folders.items() if len(items) == 1}
    if reading.aliases:
        some = next(iter(reading.aliases.items()))
        reading.notes.append(
            f"By the column file, a table of scores may call items by their folder: {some[0]} is {some[1]}."
        )
    left = [name for name in table.headings if name and name not in (*_COLUMNS, "file")]
    if left:
        reading.notes.append(f"These columns were not needed: {', '.join(left)}.")
    return reading


def _list(row: Row, heading: str) -> list[object]:
    text = row.text(heading)
    try:
        found = json.loads(_BARE.sub('"NA"', text.replace("'", '"')), parse_constant=lambda name: name)
    except (ValueError, RecursionError):
        raise row.problem(_("%(value)r is not a list like [1, 2]."), heading, value=shorten(text)) from None
    if not isinstance(found, list):
        raise row.problem(_("%(value)r is not a list like [1, 2]."), heading, value=shorten(text))
    if len(found) > _MAX_LIST:
        raise ImportProblem(
            _("A list of %(count)s; %(max_list)s at most."), row.line, count=len(found), max_list=_MAX_LIST
        )
    return found
