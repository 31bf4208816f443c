"""Tables of no particular tool: a grade a row under plain headings, or a column for each system."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from evaluation.analysis.words import count
from listening.interchange.imports.columns import (
    PARTS,
    attribute_of,
    attributes_beside,
    choose_columns,
    column_options,
    cut_attributes,
    find_columns,
    is_name_of_part,
    names_another_test,
    refuse_unknown_table,
)
from listening.interchange.imports.doubts import Option
from listening.interchange.imports.practice import is_practice
from listening.interchange.imports.reading import Blank, Grade, Reading, list_names, name_lines
from listening.interchange.imports.roles import suggest
from listening.interchange.imports.scales import best_in_heading, read_percent, words_of
from listening.interchange.imports.splitting import RULES, split_names
from listening.interchange.imports.summaries import strength
from listening.interchange.imports.table import Row, Table, is_missing, names_of, reduce
from listening.methods import METHODS
from listening.models import Session

#: Headings of a column of listeners that holds who they are.
_PERSONAL = frozenset({"name", "nom", "氏名", "名前", "email", "mail"})
#: What a column `training` says. With anything else, as years of it, it is not that column.
_TRAINING = {
    **dict.fromkeys(("1", "true", "yes", "y", "x", "ja", "oui", "training", "practice"), True),
    **dict.fromkeys(("", "0", "false", "no", "n", "nein", "non", "test"), False),
}
#: What a column `kind` of Earshot's own tables says. With anything else it is not that column.
_KINDS = frozenset(Session.Kind.values) | {""}


def read_grid(table: Table, choices: Mapping[str, str]) -> Reading:
    """Read a table by its headings, or by the columns that the researcher chose.

    With columns for listener, item, system and score each row is a grade, as in Earshot's ``ratings.csv``.
    Without a score's, columns of numbers are systems, or items and systems if their names can be split, or,
    where the system has a column, listeners. Without an item's, systems such as ``piano_codecA`` are split.

    Args:
        table: with a header.
        choices: columns and other choices by name, and answers to doubts by key.

    Raises:
        ImportProblem: no grades are found, or a cell is wrong.
    """
    reading = Reading("tidy", "a table with a grade a row", "", notes=list(table.notes))
    words = words_of(table, [name for name in table.headings if not is_name_of_part(name)], reading)
    body = replace(table, rows=[replace(row, words=words) for row in table.rows])
    columns = find_columns(body, choices)
    reading.methods = tuple(slug for slug, method in METHODS.items() if method.holds_tables)
    reading.options = column_options(table, columns)
    names: dict[str, str] = {part: columns[part] for part in PARTS if part in columns and part != "score"}
    choices = cut_attributes(body, columns, choices, reading)
    body.rows = _cut_phases(reading, body, columns, choices)
    _fill_down(reading, body, names, choices)
    body.rows = _number_people(reading, body, columns.get("listener", ""), choices)
    reading.best = reading.best or next(filter(None, map(best_in_heading, table.headings)), "")
    if {"listener", "system", "score"} <= columns.keys():
        beside = [] if choices.get("score") else attributes_beside(body, columns)
        if beside:
            columns["score"] = attribute_of(
                body, [columns["score"], *beside], choices, reading, columns["score"]
            )
        _read_rows(reading, body, columns, choices, beside)
    elif {"listener", "item", "system"} <= columns.keys():
        found = [name for name in attributes_beside(body, columns) if not names_another_test(name)]
        if not found:
            raise refuse_unknown_table(table)
        score = found[0] if len(found) == 1 else attribute_of(body, found, choices, reading)
        _read_rows(reading, body, {**columns, "score": score}, choices, set(found))
    elif "listener" in columns and "system" not in columns:
        _read_systems(reading, body, columns, choices)
    elif {"item", "system"} <= columns.keys() and "score" not in columns:
        _read_listeners(reading, body, columns, choices)
    else:
        raise refuse_unknown_table(table)
    return reading


def _cut_phases(
    reading: Reading, table: Table, columns: Mapping[str, str], choices: Mapping[str, str]
) -> list[Row]:
    """Ask about a column of which some cells say that a row is of the training."""
    rows = table.rows
    for heading in table.headings:
        if heading in columns.values() or heading.lower() in ("comment", "training") or not heading:
            continue
        said = [text for text in table.list_values(heading) if is_practice(text) and len(text) <= 40]
        lines = [row.line for row in rows if row.get(heading) in said]
        if not said or len(lines) == len(rows):
            continue
        answer = reading.ask(
            choices,
            f"phase:{heading}",
            lines[0],
            f"The column {heading} says {list_names(said)} in {len(lines)} of {len(rows)} rows. "
            "Is that training?",
            [
                Option("training", "Training", "The grades of these rows are left out."),
                Option("graded", "Graded", "The grades of these rows are results."),
            ],
            "training",
        )
        if answer == "training":
            rows = [row for row in rows if row.get(heading) not in said]
            reading.notes.append(
                f"{len(lines)} {'row' if len(lines) == 1 else 'rows'} of training left out "
                f"({heading}: {list_names(said)}): {name_lines(lines)}."
            )
    return rows


def _fill_down(reading: Reading, table: Table, names: Mapping[str, str], choices: Mapping[str, str]) -> None:
    """Ask whether empty cells below a name mean that name, as merged cells of a spreadsheet do."""
    # A row that sums up the table has empty cells of its own.
    rows = [
        row for row in table.rows
        if _holds_more(row, names) and not strength(next(cell for cell in row.cells if cell.strip()))
    ]  # fmt: skip
    empty = {
        heading: [row.line for row in rows if not row.get(heading)]
        for heading in names.values()
        if rows and not is_missing(rows[0].get(heading))
    }
    above: dict[str, str] = {}
    filled: dict[int, dict[str, str]] = {}
    for row in rows:
        above |= {heading: text for heading in names.values() if (text := row.get(heading))}
        filled[row.line] = dict(above)
    distinct = len({tuple(each.items()) for each in filled.values()}) == len(rows) or len(names) < 2
    taken: dict[str, set[int]] = {}
    for part, heading in names.items():
        lines = empty.get(heading, [])
        if not lines:
            continue
        merged = distinct and 2 * len(lines) >= len(rows)
        answer = reading.ask(
            choices,
            f"fill:{part}",
            lines[0],
            f"{heading} is empty in {name_lines(lines)}. Does the {part} above go on there, as in merged "
            "cells?",
            [
                Option("down", f"Yes, it is the {part} above", "The name is filled in downwards."),
                Option("none", "No", "These rows are left out, since they name nobody and nothing."),
            ],
            "down" if merged else "none",
        )
        if answer == "down":
            taken[heading] = set(lines)
            reading.notes.append(
                f"Empty cells below {heading} were filled with the {part} above: {name_lines(lines)}."
            )
    table.rows = [
        row.with_cells(
            {heading: filled[row.line][heading] for heading in taken if row.line in taken[heading]}
        )
        for row in table.rows
    ]


def _holds_more(row: Row, names: Mapping[str, str]) -> bool:
    """Whether a row holds anything beside the names."""
    return any(
        cell.strip() and heading not in names.values()
        for heading, cell in zip(row.headings, row.cells, strict=False)
    )


def _number_people(reading: Reading, table: Table, heading: str, choices: Mapping[str, str]) -> list[Row]:
    """Ask whether listeners keep the names or addresses that are their only column; by default numbers."""
    texts = [text for row in table.rows if not is_missing(text := row.get(heading))] if heading else []
    if not texts or not (
        reduce(heading) in _PERSONAL or all(re.fullmatch(r"\S+@\S+\.\w+", each) for each in texts)
    ):
        return table.rows
    answer = reading.ask(
        choices,
        f"people:{heading}",
        table.line,
        f"The only column that tells listeners apart is {heading}, which may say who they are.",
        [
            Option("number", "Listener 1, 2, …", "What the column says is not stored."),
            Option(
                "keep", f"As in the column {heading}", "You see it beside the random code of each listener."
            ),
        ],
        "number",
    )
    if answer == "keep":
        return table.rows
    numbers = {name: f"Listener {number}" for number, name in enumerate(dict.fromkeys(texts), 1)}
    reading.notes.append(
        f"Listeners are numbered: what {heading} says of them may identify them, and is left out."
    )
    return [
        row.with_cells({heading: numbers[row.get(heading)]} if row.get(heading) in numbers else {})
        for row in table.rows
    ]


def _read_rows(
    reading: Reading,
    table: Table,
    columns: Mapping[str, str],
    choices: Mapping[str, str],
    said: Iterable[str] = (),
) -> None:
    """One grade a row. `said` are headings of which the notes speak already."""
    spoken = ", ".join(f"{heading} is the {part}" for part, heading in columns.items())
    reading.reason = f"By its header: {spoken}."
    listener, item, system, score = (columns.get(part, "") for part in PARTS)
    reading.heading = score
    parted = {} if item else _split_column(reading, table, system, choices)
    _mark_numbers(reading, table, [score], choices)
    own = {"comment"}
    marks = next((heading for heading in table.headings if heading.lower() == "training"), "training")
    if all(row.get(marks).lower() in _TRAINING or is_practice(row.get(marks)) for row in table.rows):
        own.add(marks)
    kinds = {row.get("kind") for row in table.rows}
    if kinds <= _KINDS:
        own.add("kind")
    simulated = "kind" in own and Session.Kind.SIMULATED in kinds
    parts = {"listener": listener} if parted else {"listener": listener, "item": item, "system": system}
    training = pilots = 0
    for row in table.rows:
        if marks in own and _TRAINING.get(row.get(marks).lower(), True):
            training += 1
            continue
        if "kind" in own and row.get("kind") == Session.Kind.PILOT:
            pilots += 1
            continue
        if "kind" in own and (row.get("kind") == Session.Kind.SIMULATED) != simulated:
            mixed = _("This table has grades of people and of simulated listeners. Import them separately.")
            raise row.problem(mixed, "kind")
        names = names_of(reading, row, parts)
        if names is None:
            continue
        who, where, name = (*names, *parted[row.get(system)]) if parted else names
        value = row.number(score)
        if value is None:
            reading.blanks.append(Blank(who, where, name, line=row.line, comment=row.get("comment")))
            continue
        reading.grades.append(Grade(who, where, name, value, line=row.line, comment=row.get("comment")))
    if training:
        reading.notes.append(
            f"{count(training, 'grade')} of training {'was' if training == 1 else 'were'} left out."
        )
    if pilots:
        reading.notes.append(
            f"{count(pilots, 'grade')} of a pilot {'was' if pilots == 1 else 'were'} left out."
        )
    if simulated:
        reading.mark_simulated()
    _name_unused(reading, table, {*columns.values(), *said, *own})


def _split_column(
    reading: Reading, table: Table, heading: str, choices: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Item and system of each name in a column, where no other column names the item.

    Raises:
        ImportProblem: no rule splits them all, and none is chosen.
    """
    names = [name for name in table.list_values(heading) if not is_missing(name)]
    used, parted = split_names(names, choices.get("rule", ""), _has_roles)
    if used == "whole" and not choices.get("rule"):
        raise refuse_unknown_table(table)
    _offer_rules(reading, used, heading)
    return parted


def _has_roles(systems: Iterable[str]) -> bool:
    """Whether some of the names are those of a reference or an anchor."""
    return any(slug != name for name, slug in suggest(systems).items())


def _offer_rules(reading: Reading, used: str, what: str) -> None:
    reading.options["rule"] = [used, *(name for name in RULES if name != used)]
    reading.notes.append(f"No column names the items: {what} is split into item and system, {RULES[used]}.")


def _read_systems(
    reading: Reading, table: Table, columns: Mapping[str, str], choices: Mapping[str, str]
) -> None:
    """One row for each listener, or listener and item, and a column for each system."""
    listener, item = columns["listener"], columns.get("item", "")
    parts = {part: columns[part] for part in ("listener", "item") if part in columns}
    headings = choose_columns(table, parts, "system", choices, reading)
    if len(headings) < _fewest(choices) or all(map(names_another_test, headings)):
        raise refuse_unknown_table(table)
    reading.format, reading.title = "wide", "a table with a column for each system"
    reading.reason = f"By its header: {listener} is the listener{f', {item} the item' if item else ''}."
    # A score's or a stimulus's place may be taken by a system that is called so.
    for part in ("system", "score"):
        reading.options.pop(part, None)
    if item:
        parted = {heading: ("", heading) for heading in headings}
    elif not choices.get("rule") and all(heading in table.levels for heading in headings):
        parted = _split_levels(reading, table, headings, choices)
    else:
        used, parted = split_names(headings, choices.get("rule", ""), _has_roles)
        if used == "whole":
            reading.notes.append(
                "No column names the items: all grades are taken to be of one item. If the columns' names "
                "hold it, say how they are split."
            )
            reading.options["rule"] = [used, *(name for name in RULES if name != used)]
        else:
            _offer_rules(reading, used, "a column's name")
    reading.notes.append(f"Each of these columns is a system: {list_names(headings, 60)}.")
    _mark_numbers(reading, table, headings, choices)
    for row in table.rows:
        names = names_of(reading, row, parts)
        if names is None:
            continue
        who = names[0]
        for heading in headings:
            value, (where, system) = row.number(heading), parted[heading]
            where = names[1] if item else where
            if value is None:
                blank = Blank(who, where, system, line=row.line, comment=row.get("comment"))
                reading.blanks.append(blank)
            else:
                reading.grades.append(
                    Grade(who, where, system, value, line=row.line, comment=row.get("comment"))
                )
    asked = {doubt.key.removeprefix("column:") for doubt in reading.doubts if doubt.kind == "column"}
    _name_unused(reading, table, {listener, item, *asked, "comment"})


def _fewest(choices: Mapping[str, str]) -> int:
    """The fewest columns of grades of a wide table: one column of numbers may be anything."""
    return 1 if any(key.startswith("column:") for key in choices) else 2


def _split_levels(
    reading: Reading, table: Table, headings: Iterable[str], choices: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Item and system of each column below a header of two rows."""
    levels = {heading: table.levels[heading] for heading in headings}
    above, below = (list(dict.fromkeys(pair[place] for pair in levels.values())) for place in (0, 1))
    answer = reading.ask(
        choices,
        "header:items",
        table.line,
        f"The header has two rows. Which one names the items: {list_names(above)}, or {list_names(below)}?",
        [
            Option("above", f"The upper one: {list_names(above)}", "The lower one names the systems."),
            Option("below", f"The lower one: {list_names(below)}", "The upper one names the systems."),
        ],
        "below" if _has_roles(above) and not _has_roles(below) else "above",
    )
    return {name: pair if answer == "above" else (pair[1], pair[0]) for name, pair in levels.items()}


def _mark_numbers(
    reading: Reading, table: Table, headings: Iterable[str], choices: Mapping[str, str]
) -> None:
    """Settle what percent signs and decimal marks of grades mean."""
    if more := read_percent(table, list(headings), reading, choices):
        table.rows = [replace(row, words={**row.words, **more}) for row in table.rows]


def _read_listeners(
    reading: Reading, table: Table, columns: Mapping[str, str], choices: Mapping[str, str]
) -> None:
    """One row for each item and system, and a column for each listener."""
    item, system = columns["item"], columns["system"]
    parts = {"item": item, "system": system}
    headings = choose_columns(table, parts, "listener", choices, reading)
    if len(headings) < _fewest(choices):
        raise refuse_unknown_table(table)
    reading.format, reading.title = "wide", "a table with a column for each listener"
    reading.reason = f"By its header: {item} is the item, {system} the system, and nothing names listeners."
    for part in ("listener", "score"):
        reading.options.pop(part, None)
    reading.notes.append(
        f"Each of these columns is taken as a listener: {list_names(headings, 60)}. If they are figures of "
        "all listeners, such as means, do not import this table: there are no grades in it."
    )
    _mark_numbers(reading, table, headings, choices)
    for row in table.rows:
        names = names_of(reading, row, parts)
        if names is None:
            continue
        where, name = names
        for heading in headings:
            value = row.number(heading)
            if value is None:
                reading.blanks.append(Blank(heading, where, name, line=row.line))
            else:
                reading.grades.append(Grade(heading, where, name, value, line=row.line))
    asked = {doubt.key.removeprefix("column:") for doubt in reading.doubts if doubt.kind == "column"}
    _name_unused(reading, table, {item, system, *asked})


def _name_unused(reading: Reading, table: Table, used: Iterable[str]) -> None:
    """Name the columns that are not used, also one without a heading."""
    left = [name or "one without a name" for name in table.headings if name not in used]
    left = [name for name in left if name != "one without a name" or _holds_anything(table, "")]
    if left:
        reading.notes.append(f"These columns were not needed: {', '.join(left)}.")


def _holds_anything(table: Table, heading: str) -> bool:
    return any(not is_missing(row.get(heading)) for row in table.rows)
