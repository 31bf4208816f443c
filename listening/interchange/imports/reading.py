"""What a file of results says, whatever tool wrote it, and how to refuse one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from listening.methods import DEFAULT

#: A file with more is refused: a test of 100 listeners, 50 items and 12 systems has 60 000.
MAX_GRADES = 100_000
#: What `listening.models` can hold of a name.
MAX_NAME, MAX_SYSTEM = 200, 64


class ImportProblem(Exception):
    """A file that cannot be imported.

    Attributes:
        line: from 1, where the problem is; None where it is the whole file.
        column: of a table the number of its cell from 1, of other texts that of the character.
        heading: of the table's column, if it has one.
    """

    def __init__(
        self, message: str, line: int | None = None, column: int | None = None, heading: str = ""
    ) -> None:
        self.message, self.line, self.column, self.heading = message, line, column, heading
        where = []
        if line is not None:
            where.append(f"line {line}")
        if column is not None:
            where.append(f"column {column}" + (f" ({heading})" if heading else ""))
        prefix = ", ".join(where)
        super().__init__(f"{prefix[0].upper()}{prefix[1:]}: {message}" if prefix else message)


@dataclass(frozen=True)
class Grade:
    """One grade: who gave it to what, in which line, after how long, with which comment."""

    assessor: str
    item: str
    system: str
    score: float
    line: int
    milliseconds: float | None = None
    comment: str = ""
    #: Of the trial, where a listener has several of one item (a pair of BS.1116).
    trial: str = ""


@dataclass(frozen=True)
class Verdict:
    """One choice between two systems; `chosen` is one of them, or empty for "no preference"."""

    assessor: str
    item: str
    first: str
    second: str
    chosen: str
    line: int
    milliseconds: float | None = None
    comment: str = ""


@dataclass
class Reading:
    """All that was read.

    Attributes:
        format: slug of the tool's format; `title` names it for people and `reason` says how it was told.
        methods: slugs of `listening.methods` as which it can be kept, the file's own first.
        answers: by listener and question, as they stand in the file.
        aliases: other names of items by which a table of scores may call them.
        notes: what was left out, mended or supposed, in sentences.
        simulated: the file says that a program gave its grades.
    """

    format: str
    title: str
    reason: str
    methods: tuple[str, ...] = (DEFAULT.slug,)
    grades: list[Grade] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    answers: dict[str, dict[str, str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    simulated: bool = False

    def __iter__(self) -> Iterator[Grade | Verdict]:
        yield from self.grades
        yield from self.verdicts

    @property
    def assessors(self) -> list[str]:
        return list(dict.fromkeys(row.assessor for row in self))

    @property
    def items(self) -> list[str]:
        return list(dict.fromkeys(row.item for row in self))

    @property
    def systems(self) -> list[str]:
        found: dict[str, None] = dict.fromkeys(grade.system for grade in self.grades)
        for verdict in self.verdicts:
            found |= {verdict.first: None, verdict.second: None}
        return list(found)

    @property
    def scale(self) -> tuple[float, float] | None:
        """The lowest and the highest grade there is."""
        scores = [grade.score for grade in self.grades]
        return (min(scores), max(scores)) if scores else None

    @property
    def unheard(self) -> int:
        """Pairs of listener and item without a single grade: blocks of a design, or listeners who left."""
        heard = {(row.assessor, row.item) for row in self}
        return len(self.assessors) * len(self.items) - len(heard)

    @property
    def missing(self) -> int:
        """Grades that are not there of items that the listener graded in part."""
        systems: dict[str, set[str]] = {}
        for grade in self.grades:
            systems.setdefault(grade.item, set()).add(grade.system)
        heard = {(grade.assessor, grade.item) for grade in self.grades}
        if any(grade.trial for grade in self.grades):  # one stimulus a trial: the reference comes again
            graded = {(grade.assessor, grade.item, grade.system) for grade in self.grades}
            return sum(len(systems[item]) for _, item in heard) - len(graded)
        return sum(len(systems[item]) for _, item in heard) - len(self.grades)

    def mark_simulated(self) -> None:
        self.simulated = True
        self.notes.append(
            "The file says that a program gave its grades (simulated listeners): they are kept as such, "
            "apart from any listener's."
        )

    def check(self) -> Reading:
        """This reading. Raises `ImportProblem` unless there is something in it that can be kept."""
        if not self.grades and not self.verdicts:
            raise ImportProblem(f"This is {self.title}, but there is not a single grade in it.")
        if len(self.grades) + len(self.verdicts) > MAX_GRADES:
            raise ImportProblem(
                f"{len(self.grades) + len(self.verdicts)} grades are more than the {MAX_GRADES} that one "
                "import takes."
            )
        seen: dict[tuple[str, str, str, str], Grade] = {}
        for grade in self.grades:
            if not math.isfinite(grade.score) or not -3 <= grade.score <= 100:
                raise ImportProblem(
                    f"The grade {grade.score:g} is outside -3 to 100, where the scales of all methods lie.",
                    grade.line,
                )
            first = seen.setdefault((grade.assessor, grade.item, grade.trial, grade.system), grade)
            if first is not grade:
                raise ImportProblem(
                    f"{grade.assessor} graded {grade.system} of {grade.item} in line {first.line} already "
                    f"({first.score:g}, here {grade.score:g}). Remove one of the two.",
                    grade.line,
                )
        for row in self:
            systems = [row.system] if isinstance(row, Grade) else [row.first, row.second]
            for text, limit, what in (
                (row.assessor, 100, "listener's name"),
                (row.item, MAX_NAME, "item's name"),
                *((system, MAX_SYSTEM, "system's name") for system in systems),
            ):
                if not text.strip():
                    raise ImportProblem(f"The {what} is empty.", row.line)
                if len(text) > limit:
                    raise ImportProblem(f"The {what} has {len(text)} characters; {limit} at most.", row.line)
        return self


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names in a sentence, not more than `most` of them."""
    all_names = list(names)
    shown = ", ".join(all_names[:most])
    return shown if len(all_names) <= most else f"{shown} and {len(all_names) - most} more"
