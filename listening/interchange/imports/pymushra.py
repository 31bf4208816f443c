"""pymushra's exports: one flat table of all pages of a test, as CSV or JSON, and its database.

Columns (their spelling): ``questionaire_uuid, questionaire_<name>, responses_stimulus, responses_score,
responses_time, responses_comment, wm_id, wm_type, wm_testId, wm_date``, in any order.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from listening.interchange.imports.reading import (
    Blank,
    Grade,
    ImportProblem,
    Reading,
    Verdict,
    list_names,
)
from listening.interchange.imports.table import (
    Row,
    Table,
    check_width,
    describe_test,
    is_missing,
    parse_number,
    shorten,
)
from listening.methods import METHODS, REFERENCE, list_holders

_QUESTION = "questionaire_"
_USED = frozenset({"wm_id", "wm_type", "wm_date", "responses_time", "responses_comment", f"{_QUESTION}uuid"})
_USED_BY = {
    "mushra": {"responses_stimulus", "responses_score"},
    "paired_comparison": {"responses_reference", "responses_nonReference", "responses_answer"},
    "bs1116": {
        "responses_reference", "responses_nonReference", "responses_referenceScore",
        "responses_nonReferenceScore",
    },
}  # fmt: skip
_NAMES = {"item": "wm_id", "system": "responses_stimulus"}
_NAMED = {"paired_comparison": {"item": "wm_id"}, "bs1116": {"item": "wm_id"}}
_ANSWERS = ("correct", "incorrect", "undecided")


@dataclass(frozen=True)
class _Response:
    """A row of the table by column, independent of the file format."""

    line: int
    cells: Mapping[str, Any]

    def text(self, name: str) -> str:
        value = self.cells.get(name)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        return str(value).strip()

    def number(self, name: str) -> float | None:
        """The value as a number; None if the file says that there is none."""
        try:
            return parse_number(self.text(name))
        except ValueError:
            raise ImportProblem(
                _("%(name)r is not a number."), self.line, heading=name, name=shorten(self.text(name))
            ) from None

    def milliseconds(self) -> float | None:
        try:
            value = parse_number(self.text("responses_time"))
        except ValueError:
            return None
        return value if value is not None and value >= 0 else None


def is_pymushra(headings: Sequence[str]) -> bool:
    return {"wm_id", "wm_type"} <= set(headings) and any(name.startswith("responses_") for name in headings)


def read_table(table: Table, choices: Mapping[str, str]) -> Reading:
    """Read the CSV export; of the choices it takes ``kind`` (the type of page) and ``test``."""
    rows = [_check_row(row) for row in table.rows]
    return _read(rows, choices, list(table.notes), "Its header has wm_id, wm_type and responses_….")


def _check_row(row: Row) -> _Response:
    if row.get("responses_score"):
        row.number("responses_score")  # its error has line and column
    return _Response(row.line, {name: row.get(name) for name in row.headings})


def looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def read_json(text: str, choices: Mapping[str, str]) -> Reading | Table:
    """Read the JSON export, by columns or by rows, or pymushra's database (``db.json``).

    Returns:
        The reading; a table if it is JSON of no particular tool, by columns or by rows.
    """
    try:
        data = json.loads(text, object_pairs_hook=_read_object)
    except json.JSONDecodeError as error:
        raise ImportProblem(
            _("This is not JSON: %(msg)s."), error.lineno, error.colno, msg=error.msg
        ) from None
    except ValueError:  # Python reads no whole number of more than 4300 digits
        raise ImportProblem(_("This JSON has a number of thousands of digits.")) from None
    except RecursionError:
        raise ImportProblem(_("This JSON is nested too deeply.")) from None
    rows = list(_database(data)) or list(_rows_from_columns(data)) or list(_rows_from_records(data))
    if rows and not is_pymushra(list(rows[0].cells)) and (table := _as_table(rows)):
        return table
    if not rows or not is_pymushra(list(rows[0].cells)):
        raise _refuse_json(data, rows)
    return _read(
        rows, choices, [], "JSON with wm_id, wm_type and responses_…; lines are the number of the row."
    )


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Python takes the last of two values of one name, and says nothing."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ImportProblem(
                _("The name %(name)r occurs twice in an object of this JSON."), name=shorten(name)
            )
        found[name] = value
    return found


def _refuse_json(data: object, rows: Sequence[_Response]) -> ImportProblem:
    """The refusal of JSON that holds no rows of grades, by what it seems to be."""
    if isinstance(data, dict) and isinstance(data.get("dis_videos"), list):
        return ImportProblem(
            _(
                "These are lists of opinion scores for each stimulus (dis_videos, os), as VMAF and SUREAL "
                "keep them. Send a table with a row for each grade instead, with columns for listener, item, "
                "system and score."
            ),
            1,
            1,
        )
    nested = dict.fromkeys(
        name for row in rows for name, value in row.cells.items() if isinstance(value, dict | list)
    )
    names = list_names(map(shorten, nested or (data if isinstance(data, dict) else ())))
    return ImportProblem(
        _(
            "This JSON is neither one of pymushra's exports (it has no wm_id, wm_type and responses_…) nor a "
            "list of rows with plain values for listener, item, system and score. What is in the way: "
            "%(names)s. A study of Earshot's own is imported as its archive."
        ),
        1,
        1,
        names=names or "-",
    )


def _flatten_name(name: str) -> str:
    """Flatten pandas' name of a pair: ``('responses', 'score')`` becomes ``responses_score``."""
    parts = [part.strip(" '\"") for part in name.strip("()").split(",")] if name.startswith("(") else [name]
    return "_".join(part for part in parts if part)


def _rows_from_columns(data: object) -> Iterator[_Response]:
    if not isinstance(data, dict) or not data or not all(isinstance(cells, dict) for cells in data.values()):
        return
    keys = list(dict.fromkeys(key for cells in data.values() for key in cells))
    for number, key in enumerate(keys, 1):
        yield _Response(number, {_flatten_name(name): cells.get(key) for name, cells in data.items()})


def _rows_from_records(data: object) -> Iterator[_Response]:
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        return
    for number, row in enumerate(data, 1):
        yield _Response(number, {_flatten_name(name): value for name, value in row.items()})


def _database(data: object) -> Iterator[_Response]:
    """Rows of pymushra's TinyDB database, which stores sessions as webMUSHRA sends them."""
    if not isinstance(data, dict):
        return
    number = 0
    for documents in data.values():
        for session in documents.values() if isinstance(documents, dict) else ():
            if not isinstance(session, dict) or not isinstance(session.get("trials"), list):
                continue
            answers = _answers(session)
            for trial in session["trials"]:
                for response in _objects_of(trial, "responses"):
                    number += 1
                    yield _Response(
                        number,
                        {
                            **answers,
                            **{f"responses_{name}": value for name, value in response.items()},
                            "wm_id": trial.get("id"),
                            "wm_type": trial.get("type"),
                            "wm_testId": session.get("testId"),
                        },
                    )


def _as_table(rows: Sequence[_Response]) -> Table | None:
    """Rows of plain values under two names or more as a table; None if they are something else."""
    headings = list(dict.fromkeys(name for row in rows for name in row.cells))
    values = [value for row in rows for value in row.cells.values()]
    if len(headings) < 2 or any(isinstance(value, dict | list) for value in values):
        return None
    check_width(1, headings)
    table = Table(headings, [], "", notes=["The file is JSON: a line is the number of a row."])
    for row in rows:
        cells = ["" if row.cells.get(name) is None else str(row.cells[name]) for name in headings]
        table.rows.append(Row(row.line, cells, headings))
    return table


def _objects_of(holder: object, name: str) -> list[dict[str, Any]]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _answers(session: Mapping[str, Any]) -> dict[str, Any]:
    participant = session.get("participant")
    given: dict[str, Any] = {f"{_QUESTION}uuid": session.get("uuid")}
    if isinstance(participant, dict):
        names, values = participant.get("name"), participant.get("response")
        if isinstance(names, list) and isinstance(values, list):
            given |= {f"{_QUESTION}{name}": value for name, value in zip(names, values, strict=False)}
    return given


def _read(rows: list[_Response], choices: Mapping[str, str], notes: list[str], reason: str) -> Reading:
    kind, test = choices.get("kind", ""), choices.get("test", "")
    tests = list(dict.fromkeys(row.text("wm_testId") for row in rows))
    if test:
        left = sum(row.text("wm_testId") != test for row in rows)
        notes.append(describe_test(test, tests, left))
        rows = [row for row in rows if row.text("wm_testId") == test]
    elif len(tests) > 1:
        notes.append(
            f"The file holds {len(tests)} tests ({list_names(name or '(none)' for name in tests)}), "
            "which are taken as one. Choose one of them if they are different tests."
        )
    kinds = Counter(row.text("wm_type") for row in rows)
    if not kinds:
        raise ImportProblem(_("This is pymushra's export, but it has only a header."))
    known = {page_type for method in METHODS.values() for page_type in method.webmushra}
    usable = [name for name, _count in kinds.most_common() if name in known]
    if not usable:
        raise ImportProblem(
            _("Pages of the types %(kinds)s cannot be imported; %(known)s can."),
            kinds=", ".join(sorted(kinds)) or "(none)",
            known=", ".join(sorted(known)),
        )
    if kind and kind not in usable:
        raise ImportProblem.of_field(
            "kind",
            _("There is no type of page %(kind)r that can be read. Known: %(usable)s."),
            kind=shorten(kind),
            usable=", ".join(usable),
        )
    chosen = kind or usable[0]
    reading = Reading("pymushra", "pymushra's export", reason, list_holders(chosen), notes=notes)
    if len(tests) > 1:
        reading.options["test"] = [test, *(name for name in ["", *tests] if name != test)]
    if len(usable) > 1:
        reading.options["kind"] = [chosen, *(name for name in usable if name != chosen)]
    others = {name: count for name, count in kinds.items() if name != chosen}
    if others:
        named = ", ".join(f"{count} of type {name or '(none)'}" for name, count in others.items())
        reading.notes.append(f"Pages of type {chosen} are taken; other rows are left out: {named}.")
    unused: dict[str, None] = {}
    for row in rows:
        if row.text("wm_type") != chosen:
            continue
        who = next(
            (name for key in (f"{_QUESTION}uuid", "wm_date") if not is_missing(name := row.text(key))), ""
        )
        if not who:
            raise ImportProblem(
                _("This row has neither questionaire_uuid nor wm_date: its listener is unknown."), row.line
            )
        given = {
            name.removeprefix(_QUESTION): row.text(name)
            for name in row.cells
            if name.startswith(_QUESTION) and name != f"{_QUESTION}uuid" and row.text(name)
        }
        reading.answers.setdefault(who, given)
        if lacks := [part for part, key in _NAMED.get(chosen, _NAMES).items() if is_missing(row.text(key))]:
            reading.skip(row.line, " or ".join(lacks))
            continue
        used = _USED | _USED_BY.get(chosen, _USED_BY["mushra"])
        unused |= {
            name: None
            for name in row.cells
            if name not in used and not name.startswith(_QUESTION) and row.text(name)
        }
        if chosen == "paired_comparison":
            _verdict(reading, row, who)
        elif chosen == "bs1116":
            _pair(reading, row, who)
        elif (score := row.number("responses_score")) is not None:
            alone = row.text("responses_stimulus") if chosen.startswith("likert") else ""
            reading.grades.append(
                Grade(who, row.text("wm_id"), row.text("responses_stimulus"), score, alone,
                      line=row.line, milliseconds=row.milliseconds(),
                      comment=row.text("responses_comment"))
            )  # fmt: skip
        else:
            names = (who, row.text("wm_id"), row.text("responses_stimulus"))
            comment = row.text("responses_comment")
            reading.blanks.append(Blank(*names, line=row.line, comment=comment))
    if unused:
        reading.notes.append(f"These columns were not needed: {', '.join(unused)}.")
    return reading


def _verdict(reading: Reading, row: _Response, who: str) -> None:
    answer = row.text("responses_answer").lower()
    first, second = row.text("responses_reference"), row.text("responses_nonReference")
    reading.roles[first] = REFERENCE
    if answer not in _ANSWERS:
        if not is_missing(answer) and answer != "unknown":
            raise ImportProblem(
                _("%(value)r is not an answer; webMUSHRA writes correct, incorrect, undecided or unknown."),
                row.line,
                heading="responses_answer",
                value=shorten(answer),
            )
        comment = row.text("responses_comment")
        reading.blanks.append(Blank(who, row.text("wm_id"), second, line=row.line, comment=comment))
        return
    chosen = {"correct": first, "incorrect": second}.get(answer, "")
    reading.verdicts.append(
        Verdict(who, row.text("wm_id"), first, second, chosen, line=row.line,
                milliseconds=row.milliseconds(), comment=row.text("responses_comment"))
    )  # fmt: skip


def _pair(reading: Reading, row: _Response, who: str) -> None:
    reference, system = row.text("responses_reference"), row.text("responses_nonReference")
    reading.roles[reference] = REFERENCE
    of_reference, of_system = (
        row.number("responses_referenceScore"),
        row.number("responses_nonReferenceScore"),
    )
    reading.add_pair(
        (who, row.text("wm_id"), reference, system),
        (of_reference, of_system),
        row.line,
        milliseconds=row.milliseconds(),
        comment=row.text("responses_comment"),
    )
