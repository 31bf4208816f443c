"""Tables of no particular tool: one grade per row under plain headings, or lists of grades in cells."""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from listening.interchange.imports.reading import Grade, ImportProblem, Reading
from listening.interchange.imports.table import Row, Table, shorten
from listening.methods import METHODS

#: Common headings of the four columns of a tidy table; the first match counts.
_NAMES = {
    "assessor": (
        "assessor",
        "listener",
        "pid",
        "participant_id",
        "participant",
        "subject",
        "user",
        "session",
    ),
    "item": ("item", "signal", "trial", "trial_id", "sample", "excerpt", "sequence", "sentence"),
    "system": ("system", "condition", "codec", "stimulus", "method", "model"),
    "score": ("score", "rating", "grade", "mushra", "value"),
}
#: Longest list in a cell.
_MAX_LIST = 10_000


def columns_of(headings: Sequence[str]) -> dict[str, str] | None:
    """The headings of the four columns of a table with one grade per row; None if one is missing."""
    lowered = {heading.lower(): heading for heading in reversed(headings)}
    found = {
        part: next((lowered[name] for name in names if name in lowered), "") for part, names in _NAMES.items()
    }
    return found if all(found.values()) else None


def is_tidy(headings: Sequence[str]) -> bool:
    return columns_of(headings) is not None


def read_tidy(table: Table) -> Reading:
    """Read a table with one grade per row: Earshot's ``ratings.csv`` or similar."""
    columns = columns_of(table.headings) or {}
    said = ", ".join(f"{heading} is the {part}" for part, heading in columns.items())
    reading = Reading(
        "tidy", "a table with a grade a row", f"By its header: {said}.", notes=list(table.notes)
    )
    reading.methods = tuple(slug for slug, method in METHODS.items() if method.holds_tables)
    training = 0
    simulated = 0
    for row in table.rows:
        if row.get("training") in ("1", "True", "true"):
            training += 1
            continue
        simulated += row.get("kind") == "simulated"
        reading.grades.append(
            Grade(
                row.text(columns["assessor"]),
                row.text(columns["item"]),
                row.text(columns["system"]),
                row.number(columns["score"]),
                line=row.line,
                comment=row.get("comment"),
            )
        )
    if training:
        reading.notes.append(f"{training} grades of training were left out.")
    if simulated:
        reading.mark_simulated()
    left = [name for name in table.headings if name and name not in columns.values() and name != "comment"]
    if left:
        reading.notes.append(f"These columns were not needed: {', '.join(left)}.")
    return reading.check()


def is_lists(headings: Sequence[str]) -> bool:
    return {"signal", "condition", "ratings", "participant_ids"} <= set(headings)


def read_lists(table: Table) -> Reading:
    """Read a table with one stimulus per row, with lists of grades and of listeners: ``[41.0, 32.0], [2,
    3]``."""
    reading = Reading(
        "lists",
        "a table of lists of grades",
        "Its header has signal, condition, ratings and participant_ids.",
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
            if isinstance(score, bool) or not isinstance(score, int | float):
                raise row.problem(_("%(score)r is not a number."), "ratings", score=score)
            if isinstance(who, bool) or not isinstance(who, int | str):
                raise row.problem(_("%(who)r names nobody."), "participant_ids", who=who)
            reading.grades.append(Grade(str(who), item, system, float(score), line=row.line))
        folder = row.get("file").rpartition("/")[0]
        if folder:
            folders.setdefault(folder, set()).add(item)
    reading.aliases = {folder: next(iter(items)) for folder, items in folders.items() if len(items) == 1}
    if reading.aliases:
        some = next(iter(reading.aliases.items()))
        reading.notes.append(
            f"By the column file, a table of scores may call items by their folder: {some[0]} is {some[1]}."
        )
    return reading.check()


def _list(row: Row, heading: str) -> list[object]:
    text = row.text(heading)
    try:
        found = json.loads(text.replace("'", '"'), parse_constant=lambda name: name)
    except (ValueError, RecursionError):
        raise row.problem(_("%(value)r is not a list like [1, 2]."), heading, value=shorten(text)) from None
    if not isinstance(found, list):
        raise row.problem(_("%(value)r is not a list like [1, 2]."), heading, value=shorten(text))
    if len(found) > _MAX_LIST:
        raise ImportProblem(
            _("A list of %(count)s; %(max_list)s at most."), row.line, count=len(found), max_list=_MAX_LIST
        )
    return found
