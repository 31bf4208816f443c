"""The result files of webMUSHRA's ``service/write.php``: one CSV per type of page.

Columns are ``session_test_id, <questionnaire...>, [session_uuid,] trial_id, ...``; files of before July 2022,
and all but ``mushra.csv``, have no ``session_uuid``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from django.utils.translation import gettext_lazy as _

from evaluation.analysis.words import count
from listening.interchange.exports.webmushra import SIMULATED_PREFIX
from listening.interchange.imports.reading import Blank, Grade, ImportProblem, Reading, Verdict, list_names
from listening.interchange.imports.table import Row, Table, as_name, is_missing, names_of, shorten
from listening.methods import REFERENCE, list_holders

_FIXED = {"session_test_id", "session_uuid", "trial_id"}

_RECONSTRUCTED = (
    "The file has no session ids: a new listener was taken to begin where the questionnaire's answers or "
    "the test's name change, or where a recording comes that this listener has graded already."
)


def is_mushra(headings: Sequence[str]) -> bool:
    return {"trial_id", "rating_stimulus", "rating_score"} <= set(headings)


def is_paired(headings: Sequence[str]) -> bool:
    return {"trial_id", "choice_reference", "choice_non_reference", "choice_answer"} <= set(headings)


def is_bs1116(headings: Sequence[str]) -> bool:
    wanted = {"rating_reference", "rating_non_reference", "rating_reference_score"}
    return {*wanted, "trial_id", "rating_non_reference_score"} <= set(headings)


def is_likert(headings: Sequence[str]) -> bool:
    return {"trial_id", "stimuli"} <= set(headings) and bool(_attributes(headings))


def read_mushra(table: Table) -> Reading:
    """Read ``mushra.csv``: one grade per row."""
    reading = Reading(
        "webmushra-mushra",
        "webMUSHRA's mushra.csv",
        "Its header has rating_stimulus and rating_score.",
        list_holders("mushra"),
    )
    sessions = _Sessions(table, {"rating_stimulus", "rating_score", "rating_time", "rating_comment"})
    for row in table.rows:
        names = names_of(reading, row, {"item": "trial_id", "system": "rating_stimulus"})
        if names is None:
            continue
        item, system = names
        who = sessions.of(row, (item, system))
        score = row.number("rating_score")
        if score is None:
            blank = Blank(who, item, system, line=row.line, comment=row.get("rating_comment"))
            reading.blanks.append(blank)
            continue
        reading.grades.append(
            Grade(who, item, system, score, line=row.line, milliseconds=_time(row, "rating_time"),
                  comment=row.get("rating_comment"))
        )  # fmt: skip
    return sessions.finish(reading)


def read_paired(table: Table) -> Reading:
    """Read ``paired_comparison.csv``: which of A and B is the open reference."""
    reading = Reading(
        "webmushra-paired",
        "webMUSHRA's paired_comparison.csv",
        "Its header has choice_reference, choice_non_reference and choice_answer.",
        methods=list_holders("paired_comparison"),
    )
    sessions = _Sessions(
        table,
        {"choice_reference", "choice_non_reference", "choice_answer", "choice_time", "choice_comment"},
    )
    for row in table.rows:
        names = names_of(reading, row, {"item": "trial_id"})
        if names is None:
            continue
        (item,) = names
        first, second = row.text("choice_reference"), row.text("choice_non_reference")
        answer = row.get("choice_answer").lower()
        chosen = {"correct": first, "incorrect": second, "undecided": "", "unknown": None}.get(
            answer, None if is_missing(answer) else ...
        )
        reading.roles[first] = REFERENCE
        if chosen is ...:
            raise row.problem(
                _("%(value)r is not an answer; webMUSHRA writes correct, incorrect, undecided or unknown."),
                "choice_answer",
                value=shorten(row.get("choice_answer")),
            )
        who = sessions.of(row, (item, first, second))
        if not isinstance(chosen, str):
            blank = Blank(who, item, second, line=row.line, comment=row.get("choice_comment"))
            reading.blanks.append(blank)
            continue
        reading.verdicts.append(
            Verdict(who, item, first, second, chosen, line=row.line,
                    milliseconds=_time(row, "choice_time"), comment=row.get("choice_comment"))
        )  # fmt: skip
    reading.notes.append(
        "An answer is “correct” where the listener chose the reference. On which side it stood is not in "
        "the file: it is shown as A."
    )
    return sessions.finish(reading)


def read_bs1116(table: Table) -> Reading:
    """Read ``bs1116.csv``: grades of the hidden reference and the system, one pair per row."""
    reading = Reading(
        "webmushra-bs1116",
        "webMUSHRA's bs1116.csv",
        "Its header has rating_reference_score and rating_non_reference_score.",
        methods=list_holders("bs1116"),
    )
    own = {"rating_reference", "rating_non_reference", "rating_reference_score", "rating_non_reference_score",
           "rating_time", "choice_comment", "rating_comment"}  # fmt: skip
    sessions = _Sessions(table, own)
    for row in table.rows:
        names = names_of(reading, row, {"item": "trial_id"})
        if names is None:
            continue
        (item,) = names
        reference, system = row.text("rating_reference"), row.text("rating_non_reference")
        who = sessions.of(row, (item, system))
        time = _time(row, "rating_time")
        comment = row.get("choice_comment") or row.get("rating_comment")
        reading.roles[reference] = REFERENCE
        of_reference = row.number("rating_reference_score")
        of_system = row.number("rating_non_reference_score")
        reading.add_pair(
            (who, item, reference, system),
            (of_reference, of_system),
            row.line,
            milliseconds=time,
            comment=comment,
        )
    reading.notes.append("Which of B and C was the hidden reference is not in the file: it is shown as B.")
    return sessions.finish(reading)


def read_likert(table: Table, attribute: str = "") -> Reading:
    """Read ``lss.csv`` or ``lms.csv``: grades of single or several stimuli, on one of their scales."""
    attributes = _attributes(table.headings)
    if attribute and attribute not in attributes:
        raise ImportProblem.of_field(
            "attribute",
            _("There is no attribute %(attribute)r. Known: %(attributes)s."),
            attribute=shorten(attribute),
            attributes=", ".join(attributes),
        )
    chosen = attribute or attributes[0]
    reading = Reading(
        "webmushra-likert",
        "webMUSHRA's lss.csv or lms.csv",
        f"Its header has stimuli and {chosen}.",
        methods=list_holders("likert_single_stimulus"),
    )
    if len(attributes) > 1:
        reading.options["attribute"] = [chosen, *(name for name in attributes if name != chosen)]
        reading.notes.append(
            f"There are {len(attributes)} scales; this takes {chosen}. A study has one attribute: import the "
            f"file again for {' or '.join(name for name in attributes if name != chosen)}."
        )
    sessions = _Sessions(table, {"stimuli", "rating_time", "rating_comment", *attributes})
    for row in table.rows:
        names = names_of(reading, row, {"item": "trial_id", "system": "stimuli"})
        if names is None:
            continue
        item, system = names
        who = sessions.of(row, (item, system))
        score = row.number(chosen)
        if score is None:
            blank = Blank(who, item, system, line=row.line, comment=row.get("rating_comment"))
            reading.blanks.append(blank)
            continue
        reading.grades.append(
            Grade(who, item, system, score, system, line=row.line, milliseconds=_time(row, "rating_time"),
                  comment=row.get("rating_comment"))
        )  # fmt: skip
    return sessions.finish(reading)


READERS: tuple[tuple[Callable[[Sequence[str]], bool], Callable[[Table], Reading]], ...] = (
    (is_mushra, read_mushra),
    (is_paired, read_paired),
    (is_bs1116, read_bs1116),
    (is_likert, read_likert),
)


def _attributes(headings: Sequence[str]) -> list[str]:
    return [heading for heading in headings if re.fullmatch(r"stimuli_rating\d*", heading)]


def _time(row: Row, heading: str) -> float | None:
    try:
        value = row.number(heading)
    except ImportProblem:
        return None  # it is said nowhere what a time is, and no figure needs one
    return value if value is not None and value >= 0 else None


class _Sessions:
    """Identifies the listeners of a file and collects their answers.

    Args:
        table: the whole file.
        own: headings that belong neither to the questionnaire nor to the session.
    """

    def __init__(self, table: Table, own: set[str]) -> None:
        self.notes = list(table.notes)
        self._tests: dict[str, int] = {}
        self._unnamed = sum(not name for name in table.headings)
        self.questions = [name for name in table.headings if name and name not in own | _FIXED]
        self.answers: dict[str, dict[str, str]] = {}
        self._known: object = None
        self._graded: set[tuple[str, ...]] = set()
        self._count = 0
        self._has_ids = any(not is_missing(row.get("session_uuid")) for row in table.rows)
        tests = {row.get("session_test_id").startswith(SIMULATED_PREFIX) for row in table.rows}
        self._simulated = True in tests
        self._mixed = len(tests) > 1
        self._without = 0

    def of(self, row: Row, cell: tuple[str, ...]) -> str:
        """The listener of a row; `cell` identifies the graded stimulus."""
        uuid = as_name(row.get("session_uuid"))
        uuid = "" if is_missing(uuid) else uuid
        test = row.get("session_test_id")
        self._tests[test] = self._tests.get(test, 0) + 1
        if self._has_ids and not uuid:
            raise row.problem(
                _("This row has no session id, but others have: whose answer is it?"), "session_uuid"
            )
        if self._mixed and test.startswith(SIMULATED_PREFIX):
            raise row.problem(
                _("This file has grades of people and of simulated listeners. Import them separately."),
                "session_test_id",
            )
        who = uuid or self._reconstruct(row, cell)
        given = {name: row.get(name) for name in self.questions}
        first = self.answers.setdefault(who, given)
        if uuid and first != given:
            name = next(name for name in self.questions if first[name] != given[name])
            raise row.problem(
                _("Session %(uuid)s answered %(first)r before and %(given)r here."),
                name,
                uuid=shorten(uuid),
                first=first[name],
                given=given[name],
            )
        return who

    def _reconstruct(self, row: Row, cell: tuple[str, ...]) -> str:
        self._without += 1
        known = (row.get("session_test_id"), *(row.get(name) for name in self.questions))
        if known != self._known or cell in self._graded:
            self._known, self._graded = known, set()
            self._count += 1
        self._graded.add(cell)
        return f"Listener {self._count}"

    def finish(self, reading: Reading) -> Reading:
        reading.notes = self.notes + reading.notes
        if len(self._tests) > 1:
            named = list_names(
                f"{name or '(none)'} with {count(rows, 'row')}" for name, rows in self._tests.items()
            )
            reading.notes.append(
                f"The file holds {len(self._tests)} tests ({named}), which are taken as one. Choose one "
                "of them if they are different tests."
            )
        elif name := next(iter(self._tests), ""):
            reading.notes.append(f"The file's test is called {name}.")
        if self._unnamed:
            reading.notes.append(f"Left out: {count(self._unnamed, 'column')} without a heading.")
        if self._simulated:
            reading.mark_simulated()
        reading.answers = {
            who: {name: value for name, value in given.items() if value}
            for who, given in self.answers.items()
        }
        if self._without:
            reading.notes.append(f"{_RECONSTRUCTED} That makes {count(self._count, 'listener')}.")
        return reading
