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

from listening.interchange.imports.reading import Grade, ImportProblem, Reading, Verdict
from listening.interchange.imports.table import Row, Table, shorten
from listening.methods import METHODS, list_holders

_QUESTION = "questionaire_"
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

    def number(self, name: str) -> float:
        try:
            value = float(self.text(name))
        except ValueError:
            raise ImportProblem(
                _("%(name)r is not a number."), self.line, heading=name, name=shorten(self.text(name))
            ) from None
        if not math.isfinite(value):
            raise ImportProblem(_("%(name)r is not a finite number."), self.line, name=self.text(name))
        return value

    def milliseconds(self) -> float | None:
        try:
            value = float(self.text("responses_time"))
        except ValueError:
            return None
        return value if math.isfinite(value) and value >= 0 else None


def is_pymushra(headings: Sequence[str]) -> bool:
    return {"wm_id", "wm_type"} <= set(headings) and any(name.startswith("responses_") for name in headings)


def read_table(table: Table, kind: str = "") -> Reading:
    """Read the CSV export; `kind` selects the type of page if there are several."""
    rows = [_check_row(row) for row in table.rows]
    return _read(rows, kind, list(table.notes), "Its header has wm_id, wm_type and responses_….")


def _check_row(row: Row) -> _Response:
    if row.get("responses_score"):
        row.number("responses_score")  # its error has line and column
    return _Response(row.line, {name: row.get(name) for name in row.headings})


def looks_like_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def read_json(text: str, kind: str = "") -> Reading:
    """Read the JSON export, by columns or by rows, or pymushra's database (``db.json``)."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ImportProblem(
            _("This is not JSON: %(msg)s."), error.lineno, error.colno, msg=error.msg
        ) from None
    except RecursionError:
        raise ImportProblem(_("This JSON is nested too deeply.")) from None
    rows = list(_database(data)) or list(_rows_from_columns(data)) or list(_rows_from_records(data))
    if not rows or not is_pymushra(list(rows[0].cells)):
        raise ImportProblem(
            _(
                "This JSON is not one of pymushra's exports: it has no wm_id, wm_type and responses_…. "
                "A study of Earshot's own is imported as its archive."
            ),
            1,
            1,
        )
    return _read(rows, kind, [], "JSON with wm_id, wm_type and responses_…; lines are the number of the row.")


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


def _read(rows: list[_Response], kind: str, notes: list[str], reason: str) -> Reading:
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
    chosen = kind if kind in usable else usable[0]
    reading = Reading("pymushra", "pymushra's export", reason, list_holders(chosen), notes=notes)
    others = {name: count for name, count in kinds.items() if name != chosen}
    if others:
        named = ", ".join(f"{count} of type {name or '(none)'}" for name, count in others.items())
        reading.notes.append(f"Pages of type {chosen} are taken; other rows are left out: {named}.")
    empty = 0
    for row in rows:
        if row.text("wm_type") != chosen:
            continue
        who = row.text(f"{_QUESTION}uuid") or row.text("wm_date")
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
        if chosen == "paired_comparison":
            empty += not _verdict(reading, row, who)
        elif chosen == "bs1116":
            _pair(reading, row, who)
        elif row.text("responses_score"):
            alone = row.text("responses_stimulus") if chosen.startswith("likert") else ""
            reading.grades.append(
                Grade(who, row.text("wm_id"), row.text("responses_stimulus"), row.number("responses_score"),
                      alone, line=row.line, milliseconds=row.milliseconds(),
                      comment=row.text("responses_comment"))
            )  # fmt: skip
        else:
            empty += 1
    if empty:
        reading.notes.append(f"{empty} rows without an answer were left out.")
    return reading.check()


def _verdict(reading: Reading, row: _Response, who: str) -> bool:
    answer = row.text("responses_answer").lower()
    if answer not in _ANSWERS:
        return False
    first, second = row.text("responses_reference"), row.text("responses_nonReference")
    chosen = {"correct": first, "incorrect": second}.get(answer, "")
    reading.verdicts.append(
        Verdict(who, row.text("wm_id"), first, second, chosen, line=row.line,
                milliseconds=row.milliseconds(), comment=row.text("responses_comment"))
    )  # fmt: skip
    return True


def _pair(reading: Reading, row: _Response, who: str) -> None:
    system = row.text("responses_nonReference")
    for name, column in (
        (row.text("responses_reference"), "responses_referenceScore"),
        (system, "responses_nonReferenceScore"),
    ):
        reading.grades.append(
            Grade(who, row.text("wm_id"), name, row.number(column), system, line=row.line,
                  milliseconds=row.milliseconds(), comment=row.text("responses_comment"))
        )  # fmt: skip
