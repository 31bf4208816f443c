"""The content of a file of results, independent of its tool, and the refusal of a file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Message, Refusal, Text
from listening.methods import DEFAULT

#: Most grades of a file; a test of 100 listeners, 50 items and 12 systems has 60 000.
MAX_GRADES = 100_000
#: Longest name that `listening.models` can store.
MAX_NAME, MAX_SYSTEM = 200, 64


class ImportProblem(Refusal):
    """A file that cannot be imported.

    Attributes:
        what: the message without the position.
        line: line of the problem, from 1; None for the whole file.
        column: number of the cell in a table, of the character in other texts, from 1.
        heading: heading of the table's column, if it has one.
    """

    status = 422

    def __init__(
        self,
        message: Text,
        line: int | None = None,
        column: int | None = None,
        heading: str = "",
        **values: object,
    ) -> None:
        self.line, self.column, self.heading = line, column, heading
        self.what = Message(message, **values)
        place = {"line": line, "column": f"{column} ({heading})" if heading else column, "message": self.what}
        if line is not None and column is not None:
            super().__init__(Message(_("Line %(line)s, column %(column)s: %(message)s"), **place))
        elif line is not None:
            super().__init__(Message(_("Line %(line)s: %(message)s"), **place))
        elif column is not None:
            super().__init__(Message(_("Column %(column)s: %(message)s"), **place))
        else:
            super().__init__(self.what)


@dataclass(frozen=True)
class Response:
    """What an assessor answered about an item: in which line, after how long, with which comment."""

    assessor: str
    item: str
    line: int = field(kw_only=True)
    milliseconds: float | None = field(default=None, kw_only=True)
    comment: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Grade(Response):
    """One grade of a system."""

    system: str
    score: float
    #: Identifies the trial if a listener has several with one item (a pair of BS.1116).
    trial: str = ""


@dataclass(frozen=True)
class Verdict(Response):
    """One choice between two systems; `chosen` is one of them, or empty for "no preference"."""

    first: str
    second: str
    chosen: str


@dataclass
class Reading:
    """Everything that was read from a file.

    Attributes:
        format: slug of the tool's format; `title` names it for people and `reason` says how it was detected.
        methods: slugs of `listening.methods` that it can be stored as, the file's own method first.
        answers: answers by listener and question, as in the file.
        aliases: other names of items that a table of scores may use.
        notes: sentences about omissions, repairs and assumptions.
        simulated: whether the file says that its grades come from simulated listeners.
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
        """The lowest and the highest grade in the file."""
        scores = [grade.score for grade in self.grades]
        return (min(scores), max(scores)) if scores else None

    @property
    def unheard(self) -> int:
        """Number of pairs of listener and item without any grade: incomplete blocks, or listeners who
        left."""
        heard = {(row.assessor, row.item) for row in self}
        return len(self.assessors) * len(self.items) - len(heard)

    @property
    def missing(self) -> int:
        """Number of missing grades of items that the listener graded in part."""
        systems: dict[str, set[str]] = {}
        for grade in self.grades:
            systems.setdefault(grade.item, set()).add(grade.system)
        heard = {(grade.assessor, grade.item) for grade in self.grades}
        if any(grade.trial for grade in self.grades):  # one stimulus per trial: the reference is repeated
            graded = {(grade.assessor, grade.item, grade.system) for grade in self.grades}
            return sum(len(systems[item]) for _, item in heard) - len(graded)
        return sum(len(systems[item]) for _, item in heard) - len(self.grades)

    def mark_simulated(self) -> None:
        self.simulated = True
        self.notes.append(
            "The file says that its grades come from simulated listeners: they are stored as simulated, "
            "apart from listeners' grades."
        )

    def check(self) -> Reading:
        """Return this reading. Raises `ImportProblem` if nothing in it can be stored."""
        if not self.grades and not self.verdicts:
            raise ImportProblem(
                _("This is %(title)s, but there is not a single grade in it."), title=self.title
            )
        if len(self.grades) + len(self.verdicts) > MAX_GRADES:
            raise ImportProblem(
                _("%(count)s grades are more than the %(max_grades)s that one import takes."),
                count=len(self.grades) + len(self.verdicts),
                max_grades=MAX_GRADES,
            )
        seen: dict[tuple[str, str, str, str], Grade] = {}
        for grade in self.grades:
            if not math.isfinite(grade.score) or not -3 <= grade.score <= 100:
                raise ImportProblem(
                    _("The grade %(score)g is outside -3 to 100, where the scales of all methods lie."),
                    grade.line,
                    score=grade.score,
                )
            first = seen.setdefault((grade.assessor, grade.item, grade.trial, grade.system), grade)
            if first is not grade:
                raise ImportProblem(
                    _(
                        "%(assessor)s graded %(system)s of %(item)s in line %(row)s already (%(score)g, here "
                        "%(score_2)g). Remove one of the two."
                    ),
                    grade.line,
                    assessor=grade.assessor,
                    system=grade.system,
                    item=grade.item,
                    row=first.line,
                    score=first.score,
                    score_2=grade.score,
                )
        for row in self:
            systems = [row.system] if isinstance(row, Grade) else [row.first, row.second]
            for text, limit, what in (
                (row.assessor, 100, "listener's name"),
                (row.item, MAX_NAME, "item's name"),
                *((system, MAX_SYSTEM, "system's name") for system in systems),
            ):
                if not text.strip():
                    raise ImportProblem(_("The %(what)s is empty."), row.line, what=what)
                if len(text) > limit:
                    raise ImportProblem(
                        _("The %(what)s has %(count)s characters; %(limit)s at most."),
                        row.line,
                        what=what,
                        count=len(text),
                        limit=limit,
                    )
        return self


def list_names(names: Iterable[str], most: int = 8) -> str:
    """Join names for a sentence, at most `most` of them."""
    all_names = list(names)
    shown = ", ".join(all_names[:most])
    return shown if len(all_names) <= most else f"{shown} and {len(all_names) - most} more"
