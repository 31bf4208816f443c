"""GoListen's CSV: one row per listener, one column per recording, below the recordings' file names.

``"","Tags",...`` / ``"","Sound filename",<file>...`` / ``"Name","Date",<question>,...`` and then the
listeners; some exports lack the first and the third row.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from codec.recordings.formats import without_suffix
from listening.interchange.imports.reading import Blank, Grade, ImportProblem, Reading, list_names
from listening.interchange.imports.splitting import RULES, split_names
from listening.interchange.imports.table import Row, parse_number, records, separator_of

_FILES = "Sound filename"


def is_golisten(text: str) -> bool:
    return any(len(cells) > 1 and cells[1].strip() == _FILES for _, cells in _head(text))


def _head(text: str) -> list[tuple[int, list[str]]]:
    first: list[tuple[int, list[str]]] = []
    try:
        for record in records(text, separator_of(text)):
            first.append(record)
            if len(first) == 5:
                break
    except ImportProblem:
        pass
    return first


def read_golisten(text: str, rule: str = "") -> Reading:
    """Read it; `rule` is a key of `RULES`, by default the first that gives every item every system."""
    reading = Reading("golisten", "GoListen's CSV", f"A row near its top has {_FILES} in the second column.")
    files: list[str] = []
    questions: list[str] = []
    number = dated = tags = 0
    rule_used = rule
    parted: dict[int, tuple[str, str]] = {}
    separator = separator_of(text)
    for line, cells in records(text, separator):
        marker = cells[1].strip() if len(cells) > 1 else ""
        if marker == _FILES:
            if files:
                raise ImportProblem(_("A second row of file names: this is more than one export."), line, 2)
            files = [cell.strip() for cell in cells]
            rule_used, parted = _split_names(line, files, rule)
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if marker == "Tags":
            tags += any(cell.strip() for cell in cells[2:])
            continue
        if cells[0].strip() == "Name" and marker == "Date":
            questions = [cell.strip() for cell in cells]
            continue
        if not files:
            raise ImportProblem(_("Before the row with %(files)s there is a listener."), line, files=_FILES)
        if len(cells) > len(files):
            raise ImportProblem(
                _("%(count)s cells, but the file names end at %(count_2)s."),
                line,
                len(files) + 1,
                count=len(cells),
                count_2=len(files),
            )
        number += 1
        who = f"Listener {number}"
        headings = [*questions, *[""] * len(files)][: len(files)]
        _listener(reading, Row(line, cells, headings, separator != ","), who, parted, files)
        dated += len(cells) > 1 and bool(cells[1].strip())
    if not files:
        raise ImportProblem(_("There is no row with %(files)s."), files=_FILES)
    reading.notes.append(
        f"GoListen does not name listeners: each row is one, {number} in all. File names are split into item "
        f"and system: {RULES[rule_used]}."
    )
    reading.options["rule"] = [rule_used, *(name for name in RULES if name != rule_used)]
    if tags:
        reading.notes.append("The row of tags is left out.")
    if dated:
        reading.notes.append(
            "The first two columns, the test's name and the date of each answer, are left out."
        )
    if not any(questions):
        reading.notes.append("The questions' texts are not in the file: they are called question 1, 2, …")
    return reading


def _listener(
    reading: Reading, row: Row, who: str, parted: dict[int, tuple[str, str]], files: Sequence[str]
) -> None:
    answers: dict[str, str] = {}
    for place, cell in enumerate(row.cells):
        value = cell.strip()
        if place in parted:
            item, system = parted[place]
            try:
                score = parse_number(value, decimal_comma=row.decimal_comma)
            except ValueError:
                raise ImportProblem(
                    _("%(value)r is not a grade."), row.line, place + 1, files[place], value=value[:40]
                ) from None
            if score is None:
                reading.blanks.append(Blank(who, item, system, line=row.line))
            else:
                reading.grades.append(Grade(who, item, system, score, line=row.line))
        elif place >= 2 and value:
            answers[row.headings[place] or f"question {place - 1}"] = value
    reading.answers[who] = answers


def _split_names(line: int, files: Sequence[str], rule: str) -> tuple[str, dict[int, tuple[str, str]]]:
    """Split the file names; returns the rule, and item and system by column."""
    places = {place: name for place, name in enumerate(files) if place > 1 and name}
    if not places:
        raise ImportProblem(_("The row with %(files)s names no file."), line, files=_FILES)
    stems = [without_suffix(name) for name in places.values()]
    if doubled := {name for name in stems if stems.count(name) > 1}:
        raise ImportProblem(
            _("These files have two columns: %(doubled)s."), line, doubled=list_names(sorted(doubled))
        )
    used, found = split_names(places.values(), rule)
    return used, {place: found[name] for place, name in places.items()}
