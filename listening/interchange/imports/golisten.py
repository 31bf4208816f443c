"""GoListen's CSV: one row per listener, one column per recording, below the recordings' file names.

``"","Tags",...`` / ``"","Sound filename",<file>...`` / ``"Name","Date",<question>,...`` and then the
listeners; some exports lack the first and the third row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from listening.interchange.imports.reading import Grade, ImportProblem, Reading, list_names
from listening.interchange.imports.table import Row, records, separator_of

_FILES = "Sound filename"
_AUDIO = re.compile(r"\.(wav|flac|ogg|mp3|aiff?|m4a|opus)$", re.IGNORECASE)

#: Ways to split a file name into item and system.
RULES = {
    "first-": "item before the first hyphen",
    "last-": "item before the last hyphen",
    "first_": "item before the first underscore",
    "last_": "item before the last underscore",
    "whole": "one item, each file a system",
}


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
    number = 0
    rule_used = rule
    parted: dict[int, tuple[str, str]] = {}
    for line, cells in records(text, separator_of(text)):
        marker = cells[1].strip() if len(cells) > 1 else ""
        if marker == _FILES:
            if files:
                raise ImportProblem(_("A second row of file names: this is more than one export."), line, 2)
            files = [cell.strip() for cell in cells]
            rule_used, parted = _split_names(line, files, rule)
            continue
        if not any(cell.strip() for cell in cells) or marker == "Tags":
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
        _listener(reading, Row(line, cells, headings), who, parted, files)
    if not files:
        raise ImportProblem(_("There is no row with %(files)s."), files=_FILES)
    reading.notes.append(
        f"GoListen does not name listeners: each of the {number} rows is one. File names are split into item "
        f"and system: {RULES[rule_used]}."
    )
    if not any(questions):
        reading.notes.append("The questions' texts are not in the file: they are called question 1, 2, …")
    return reading.check()


def _listener(
    reading: Reading, row: Row, who: str, parted: dict[int, tuple[str, str]], files: Sequence[str]
) -> None:
    answers: dict[str, str] = {}
    empty = 0
    for place, cell in enumerate(row.cells):
        value = cell.strip()
        if place in parted:
            item, system = parted[place]
            if not value:
                empty += 1
                continue
            try:
                score = float(value)
            except ValueError:
                raise ImportProblem(
                    _("%(value)r is not a grade."), row.line, place + 1, files[place], value=value[:40]
                ) from None
            reading.grades.append(Grade(who, item, system, score, line=row.line))
        elif place >= 2 and value:
            answers[row.headings[place] or f"question {place - 1}"] = value
    reading.answers[who] = answers
    if empty:
        reading.notes.append(f"{who} (line {row.line}) left {empty} recordings without a grade.")


def _split_names(line: int, files: Sequence[str], rule: str) -> tuple[str, dict[int, tuple[str, str]]]:
    """Split the file names; returns the rule, and item and system by column."""
    places = [place for place, name in enumerate(files) if place > 1 and name]
    if not places:
        raise ImportProblem(_("The row with %(files)s names no file."), line, files=_FILES)
    stems = {place: _AUDIO.sub("", files[place]) for place in places}
    if doubled := {name for name in stems.values() if list(stems.values()).count(name) > 1}:
        raise ImportProblem(
            _("These files have two columns: %(doubled)s."), line, doubled=list_names(sorted(doubled))
        )
    tries = [rule] if rule in RULES else list(RULES)
    for name in tries:
        found = {place: _split_name(stem, name) for place, stem in stems.items()}
        items = {item for item, _system in found.values()}
        systems = {system for _item, system in found.values()}
        whole = all(item and system for item, system in found.values())
        if name == rule or name == "whole" or (whole and len(items) * len(systems) == len(found)):
            return name, found
    raise AssertionError("the last rule fits everything")


def _split_name(stem: str, rule: str) -> tuple[str, str]:
    if rule == "whole":
        return "Item 1", stem
    end, mark = rule[:-1], rule[-1]
    before, _, after = stem.partition(mark) if end == "first" else stem.rpartition(mark)
    return (before, after) if before and after else (stem, "(none)")
