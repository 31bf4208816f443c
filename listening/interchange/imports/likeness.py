"""Names that may mean the same or something else: spellings, second references and anchors, training."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from listening.interchange.imports.doubts import Option
from listening.interchange.imports.practice import is_practice, practice_in_name
from listening.interchange.imports.reading import Blank, Grade, Reading, list_names, name_lines
from listening.interchange.imports.roles import ANCHORS, is_called, never_meet, suggest_for
from listening.interchange.imports.table import as_name
from listening.methods import REFERENCE

RowT = TypeVar("RowT", Grade, Blank)


def join_spellings(reading: Reading, answers: Mapping[str, str]) -> None:
    """Ask whether names of plain tables that differ in case, spaces or ``.0`` only are one."""
    for what, part in (("listener", "assessor"), ("item", "item"), ("system", "system")):
        spellings: dict[str, dict[str, int]] = {}
        for grade in reading.grades:
            name = getattr(grade, part)
            plain = unicodedata.normalize("NFC", as_name(name)).casefold()
            key = re.sub(r"[\s_\u200b-\u200f\ufeff]+", "", plain)
            counts = spellings.setdefault(key, {})
            counts[name] = counts.get(name, 0) + 1
        for counts in spellings.values():
            if len(counts) < 2:
                continue
            kept = max(counts, key=lambda name: (counts[name], -len(name)))
            others = [name for name in counts if name != kept]
            meet = _meet(reading.grades, part, set(counts))
            lines = [grade.line for grade in reading.grades if getattr(grade, part) in others]
            shown = " and ".join(f"“{name}”" for name in counts)
            answer = reading.ask(
                answers,
                f"same:{what}:{kept}",
                lines[0],
                f"Are {shown} the same {what}?"
                + (" They have grades of their own for the same." if meet else ""),
                [
                    Option("one", f"One {what}: {kept}", f"Rows of {list_names(others)} count as its."),
                    Option("apart", f"Different {what}s", "They are kept apart."),
                ],
                "apart" if meet else "one",
            )
            if answer == "one":
                reading.grades = [_rename(row, part, others, kept) for row in reading.grades]
                reading.blanks = [_rename(row, part, others, kept) for row in reading.blanks]
                reading.notes.append(f"{shown} are taken as one {what}, {kept}: {name_lines(lines)}.")
            else:
                reading.notes.append(f"{shown} are taken as different {what}s.")


def _meet(grades: list[Grade], part: str, names: set[str]) -> bool:
    """Whether two of the names have a grade of the same."""
    seen = set()
    for grade in grades:
        if getattr(grade, part) in names:
            cell = (grade.assessor, grade.item, grade.system, grade.trial)
            beside = tuple("" if value in names else value for value in cell)
            if beside in seen:
                return True
            seen.add(beside)
    return False


def _rename(row: RowT, part: str, others: list[str], kept: str) -> RowT:
    return replace(row, **{part: kept}) if getattr(row, part) in others else row  # type: ignore[arg-type]


def cut_training(reading: Reading, answers: Mapping[str, str]) -> None:
    """Ask about items that look like training; by default grades of those that surely are go."""
    words = {item: word for item in reading.items if (word := practice_in_name(item))}
    if not words:
        return
    everything = len(words) == len(reading.items)
    left: set[str] = set()
    for item in words:
        lines = [row.line for row in reading if row.item == item]
        sure = is_practice(item) and not everything
        answer = reading.ask(
            answers,
            f"training:{item}",
            lines[0],
            f"Is “{item}” training?" + (" So is every other item by its name." if everything else ""),
            [
                Option("training", "Training", "Its grades are left out."),
                Option("graded", "Graded", "Its grades are results."),
            ],
            "training" if sure else "graded",
        )
        if answer == "training":
            left.add(item)
            reading.notes.append(f"“{item}” is taken as training, and left out: {name_lines(lines)}.")
    reading.leave_out(lambda row: row.item in left)


#: The roles that one system of an item can have, by what they are called here.
_ROLES = {REFERENCE: "hidden reference", **{slug: f"{name} anchor" for slug, name in ANCHORS.items()}}


def cut_seconds(reading: Reading, answers: Mapping[str, str]) -> None:
    """Ask which of several references or anchors of an item has the role; the others are left out."""
    if reading.verdicts:
        return
    for role, called in _ROLES.items():
        if not any(slug == role for slug in reading.roles.values()):
            _cut_second(reading, answers, role, called)


def _cut_second(reading: Reading, answers: Mapping[str, str], role: str, called: str) -> None:
    suggested = suggest_for(reading)
    names = [name for name in reading.systems if suggested[name] == role or is_called(name, role)]
    if all(suggested[name] == role for name in names) and never_meet(names, reading.heard):
        return
    default = next((name for name in names if re.search("hidden|versteckt|cachée", name.lower())), names[0])
    noun = "reference" if role == REFERENCE else "anchor"
    answer = reading.ask(
        answers,
        "role:reference" if role == REFERENCE else f"role:{role}",
        next(row.line for row in reading.grades if row.system in names),
        f"{list_names(names)} are graded in the same item, and look like {noun}s. Which is the {called}?",
        [
            *(
                Option(
                    f"is:{name}",
                    name,
                    f"Grades of {list_names(other for other in names if other != name)} are left out: they "
                    + (
                        "are of the open reference or of a second one."
                        if role == REFERENCE
                        else "are of a second one."
                    ),
                )
                for name in names
            ),
            Option("all", "Compare all of them", "Each one without the role is ranked as a system."),
        ],
        f"is:{default}",
    )
    if answer == "all":
        reading.notes.append(f"{list_names(names)} are compared as systems, as you decided.")
        return
    chosen = answer.removeprefix("is:")
    reading.roles[chosen] = role
    others = {name for name in names if name != chosen}
    lines = reading.leave_out(lambda row: getattr(row, "system", "") in others)
    reading.notes.append(
        f"{chosen} is taken as the {called}; {list_names(sorted(others))} "
        f"{'is' if len(others) == 1 else 'are'} left out: {name_lines(lines)}."
    )
