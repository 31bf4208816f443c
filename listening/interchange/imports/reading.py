"""The content of a file of results, independent of its tool, and the refusal of a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

from evaluation.work.files import FileProblem
from listening.interchange.imports.doubts import Doubt, Option
from listening.methods import DEFAULT

#: Most grades of a file; a test of 100 listeners, 50 items and 12 systems has 60 000.
MAX_GRADES = 100_000
#: Longest name that `listening.models` can store.
MAX_NAME, MAX_SYSTEM = 200, 64


class ImportProblem(FileProblem):
    """A file that cannot be imported.

    Attributes:
        options: choices that would let the file be read, as `Reading.options`.
    """

    def __init__(self, *message: Any, **values: Any) -> None:
        super().__init__(*message, **values)
        self.options: dict[str, list[str]] = {}


def settle(
    answers: Mapping[str, str],
    strict: bool,
    key: str,
    line: int,
    text: str,
    options: Sequence[Option],
    default: str,
    **more: str,
) -> Doubt:
    """A doubt with the researcher's answer, or the default.

    Raises:
        ImportProblem: `strict`, and the answer is not one of the options.
    """
    answer = answers.get(key, default)
    if answer not in {option.value for option in options}:
        if strict:
            raise ImportProblem.of_field(
                f"answers.{key}",
                _("%(key)s: %(answer)r is not one of %(options)s."),
                key=key,
                answer=answer,
                options=", ".join(option.value for option in options),
            )
        answer = default
    return Doubt(key, line, text, tuple(options), default, answer, **more)


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

    @property
    def systems(self) -> tuple[str, ...]:
        return (self.system,)


@dataclass(frozen=True)
class Verdict(Response):
    """One choice between two systems; `chosen` is one of them, or empty for "no preference"."""

    first: str
    second: str
    chosen: str

    @property
    def systems(self) -> tuple[str, ...]:
        return (self.first, self.second)


@dataclass(frozen=True)
class Blank:
    """An answer that the file has a place for and that is not there: NA, NaN, an empty cell."""

    assessor: str
    item: str
    system: str
    line: int = field(kw_only=True)
    comment: str = field(default="", kw_only=True)


@dataclass
class Reading:
    """Everything that was read from a file.

    Attributes:
        format: slug of the tool's format; `title` names it for people and `reason` says how it was detected.
        methods: slugs of `listening.methods` that it can be stored as, the file's own method first.
        answers: answers by listener and question, as in the file.
        aliases: other names of items that a table of scores may use.
        blanks: missing answers.
        roles: slugs of `listening.methods` by the file's names, where the format itself says them.
        options: what the file leaves open: the choices by name, each with its possible values, the one taken
            first.
        doubts: what the file leaves open and can be answered in a word, with what is taken.
        nameless: lines of rows that name no listener, item or system, by what they lack.
        notes: sentences about omissions, repairs and assumptions.
        heading: what the file calls its grades; empty if it does not.
        best: the best end of the scale, "high" or "low", where the file says it.
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
    blanks: list[Blank] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    nameless: dict[str, list[int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    heading: str = ""
    best: str = ""
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
        return list(dict.fromkeys(system for row in self for system in row.systems))

    @property
    def heard(self) -> dict[str, set[str]]:
        """The items of each system."""
        found: dict[str, set[str]] = {}
        for row in self:
            for system in row.systems:
                found.setdefault(system, set()).add(row.item)
        return found

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
        """Number of missing answers of items that the listener answered in part."""
        cells: dict[str, set[tuple[str, ...]]] = {}
        given: set[tuple[str, ...]] = set()
        for row in self:
            cell = (row.trial, *row.systems) if isinstance(row, Grade) else row.systems
            cells.setdefault(row.item, set()).add(cell)
            given.add((row.assessor, row.item, *cell))
        heard = {(row.assessor, row.item) for row in self}
        return sum(len(cells[item]) for _, item in heard) - len(given)

    def ask(
        self,
        answers: Mapping[str, str],
        key: str,
        line: int,
        text: str,
        options: Sequence[Option],
        default: str,
        **more: str,
    ) -> str:
        """Record a doubt and return the value of the option that applies."""
        doubt = settle(answers, True, key, line, text, options, default, **more)
        self.doubts.append(doubt)
        return doubt.answer

    def check_answers(self, answers: Iterable[str]) -> None:
        """Raise an `ImportProblem` that names an answer to nothing that the file leaves open."""
        known = [doubt.key for doubt in self.doubts]
        if unknown := [key for key in answers if key not in known]:
            raise ImportProblem.of_field(
                f"answers.{unknown[0]}",
                _("%(unknown)r is not a question of this file. Its questions: %(known)s."),
                unknown=unknown[0][:100],
                known=", ".join(known) or "-",
            )

    def leave_out(self, without: Callable[[Grade | Verdict | Blank], bool]) -> list[int]:
        """Remove the answers for which `without` is true; returns their lines."""
        lines = sorted({row.line for row in (*self, *self.blanks) if without(row)})
        self.grades = [row for row in self.grades if not without(row)]
        self.verdicts = [row for row in self.verdicts if not without(row)]
        self.blanks = [row for row in self.blanks if not without(row)]
        return lines

    def add_pair(
        self,
        names: tuple[str, str, str, str],
        scores: tuple[float | None, float | None],
        line: int,
        *,
        milliseconds: float | None,
        comment: str,
    ) -> None:
        """Take the grades of a pair of BS.1116, which count together only.

        Args:
            names: listener, item, reference and system.
            scores: of the reference and of the system.
            line: in the file.
            milliseconds: that the pair took, if the file says it.
            comment: the listener's.
        """
        who, item, *pair = names
        system = pair[1]
        whole = None not in scores
        for name, score in zip(pair, scores, strict=True):
            if score is None:
                self.blanks.append(Blank(who, item, name, line=line, comment=comment))
            elif whole:
                self.grades.append(
                    Grade(
                        who, item, name, score, system, line=line, milliseconds=milliseconds, comment=comment
                    )
                )
            else:
                self.notes.append(
                    f"Line {line}: the grade {score:g} of {name} is left out, since the other grade of its "
                    "pair is missing."
                )

    def skip(self, line: int, lacks: str) -> None:
        """Note a row that is left out, since it names no listener, item or system."""
        self.nameless.setdefault(lacks, []).append(line)

    def mark_simulated(self) -> None:
        self.simulated = True
        self.notes.append(
            "The file says that its grades come from simulated listeners: they are stored as simulated, "
            "apart from listeners' grades."
        )

    def check(self) -> Reading:
        """Return this reading. Raises `ImportProblem` if nothing in it can be stored."""
        for what, lines in self.nameless.items():
            one = len(lines) == 1
            self.notes.append(
                f"{len(lines)} {'row names' if one else 'rows name'} no {what}, and "
                f"{'is' if one else 'are'} left out: {name_lines(lines)}."
            )
        if not self.grades and not self.verdicts:
            raise ImportProblem(
                _("This is %(title)s, but there is not a single grade in it. %(notes)s"),
                title=self.title,
                notes=" ".join(self.notes),
            )
        self._name_blanks()
        if len(self.grades) + len(self.verdicts) > MAX_GRADES:
            raise ImportProblem(
                _("%(count)s grades are more than the %(max_grades)s that one import takes."),
                count=len(self.grades) + len(self.verdicts),
                max_grades=MAX_GRADES,
            )
        self._check_grades()
        self._check_names()
        return self

    def _name_blanks(self) -> None:
        if self.blanks:
            one = len(self.blanks) == 1
            self.notes.append(
                f"{len(self.blanks)} {'answer is' if one else 'answers are'} missing (NA, empty or the like) "
                f"and left out: {name_lines(blank.line for blank in self.blanks)}."
            )
        # In a wide table a comment stands beside all grades of its row.
        told = {row.line for row in self}
        if lines := [row.line for row in self.blanks if row.comment.strip() and row.line not in told]:
            self.notes.append(f"Comments of missing answers are left out: {name_lines(lines)}.")
        for what, left in (
            ("listener", {blank.assessor for blank in self.blanks} - set(self.assessors)),
            ("item", {blank.item for blank in self.blanks} - set(self.items)),
            ("system", {blank.system for blank in self.blanks} - set(self.systems)),
        ):
            if left:
                some = "" if len(left) == 1 else "s"
                self.notes.append(
                    f"Without a single answer, and so not among the {what}s: {what}{some} "
                    f"{list_names(sorted(left))}."
                )

    def _check_grades(self) -> None:
        seen: dict[tuple[str, str, str, str], Grade] = {}
        repeated: list[Grade] = []
        for grade in self.grades:
            if not math.isfinite(grade.score) or not -3 <= grade.score <= 100:
                raise ImportProblem(
                    _(
                        "The grade %(score)g is outside -3 to 100, where the scales of all methods lie. "
                        "Convert the grades to one of these scales and send the file again."
                    ),
                    grade.line,
                    score=grade.score,
                )
            first = seen.setdefault((grade.assessor, grade.item, grade.trial, grade.system), grade)
            if first is grade:
                continue
            repeated.append(grade)
            if first.score != grade.score:
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
        if repeated:
            self.grades = list(seen.values())
            one = len(repeated) == 1
            self.notes.append(
                f"{len(repeated)} {'row repeats a grade' if one else 'rows repeat grades'} of an earlier "
                f"row, and {'is' if one else 'are'} left out: {name_lines(grade.line for grade in repeated)}."
            )

    def _check_names(self) -> None:
        for row in self:
            for text, limit, what in (
                (row.assessor, 100, "listener's name"),
                (row.item, MAX_NAME, "item's name"),
                *((system, MAX_SYSTEM, "system's name") for system in row.systems),
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


def list_names(names: Iterable[str], most: int = 8) -> str:
    """Join names for a sentence, at most `most` of them."""
    all_names = list(names)
    shown = ", ".join(all_names[:most])
    return shown if len(all_names) <= most else f"{shown} and {len(all_names) - most} more"


def name_lines(lines: Iterable[int], most: int = 20) -> str:
    """Lines of a file for a sentence: "line 3", "lines 3, 4"; each once."""
    each = list(dict.fromkeys(lines))
    return f"line{'' if len(each) == 1 else 's'} {list_names(map(str, each), most)}"
