"""The result files of webMUSHRA's ``service/write.php``: one CSV per type of page.

Columns are ``session_test_id, <questionnaire...>, [session_uuid,] trial_id, ...``; files of before July 2022,
and all but ``mushra.csv``, have no ``session_uuid``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from django.utils.translation import gettext_lazy as _

from listening.interchange.exports.webmushra import SIMULATED_PREFIX
from listening.interchange.imports.reading import Grade, Reading, Verdict
from listening.interchange.imports.table import Row, Table, shorten
from listening.methods import list_holders

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
        item, system = row.text("trial_id"), row.text("rating_stimulus")
        who = sessions.of(row, (item, system))
        reading.grades.append(
            Grade(who, item, system, row.number("rating_score"), line=row.line,
                  milliseconds=_time(row, "rating_time"), comment=row.get("rating_comment"))
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
    unknown: list[int] = []
    for row in table.rows:
        item = row.text("trial_id")
        first, second = row.text("choice_reference"), row.text("choice_non_reference")
        chosen = {"correct": first, "incorrect": second, "undecided": "", "unknown": None}.get(
            row.get("choice_answer").lower(), ...
        )
        if chosen is ...:
            raise row.problem(
                _("%(value)r is not an answer; webMUSHRA writes correct, incorrect, undecided or unknown."),
                "choice_answer",
                value=shorten(row.get("choice_answer")),
            )
        who = sessions.of(row, (item, first, second))
        if not isinstance(chosen, str):
            unknown.append(row.line)
            continue
        reading.verdicts.append(
            Verdict(who, item, first, second, chosen, line=row.line,
                    milliseconds=_time(row, "choice_time"), comment=row.get("choice_comment"))
        )  # fmt: skip
    if unknown:
        lines = ", ".join(map(str, unknown[:10]))
        reading.notes.append(f"{len(unknown)} rows without a choice were left out (lines {lines}).")
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
        item = row.text("trial_id")
        reference, system = row.text("rating_reference"), row.text("rating_non_reference")
        who = sessions.of(row, (item, system))
        time = _time(row, "rating_time")
        comment = row.get("choice_comment") or row.get("rating_comment")
        scores = row.number("rating_reference_score"), row.number("rating_non_reference_score")
        for name, score in zip((reference, system), scores, strict=True):
            reading.grades.append(
                Grade(who, item, name, score, system, line=row.line, milliseconds=time, comment=comment)
            )
    reading.notes.append("Which of B and C was the hidden reference is not in the file: it is shown as B.")
    return sessions.finish(reading)


def read_likert(table: Table, attribute: str = "") -> Reading:
    """Read ``lss.csv`` or ``lms.csv``: grades of single or several stimuli, on one of their scales."""
    attributes = _attributes(table.headings)
    chosen = attribute if attribute in attributes else attributes[0]
    reading = Reading(
        "webmushra-likert",
        "webMUSHRA's lss.csv or lms.csv",
        f"Its header has stimuli and {chosen}.",
        methods=list_holders("likert_single_stimulus"),
    )
    if len(attributes) > 1:
        reading.notes.append(
            f"There are {len(attributes)} scales; this takes {chosen}. A study has one attribute: import the "
            f"file again for {' or '.join(name for name in attributes if name != chosen)}."
        )
    sessions = _Sessions(table, {"stimuli", "rating_time", "rating_comment", *attributes})
    for row in table.rows:
        item, system = row.text("trial_id"), row.text("stimuli")
        who = sessions.of(row, (item, system))
        reading.grades.append(
            Grade(
                who,
                item,
                system,
                row.number(chosen),
                system,
                line=row.line,
                milliseconds=_time(row, "rating_time"),
            )
        )
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
    value = row.optional(heading)
    return value if value is not None and value >= 0 else None


class _Sessions:
    """Identifies the listeners of a file and collects their answers.

    Args:
        table: the whole file.
        own: headings that belong neither to the questionnaire nor to the session.
    """

    def __init__(self, table: Table, own: set[str]) -> None:
        self.notes = list(table.notes)
        # Columns without a heading are ignored.
        self.questions = [name for name in table.headings if name and name not in own | _FIXED]
        self.answers: dict[str, dict[str, str]] = {}
        self._known: object = None
        self._graded: set[tuple[str, ...]] = set()
        self._count = 0
        self._simulated = False
        self._without = 0

    def of(self, row: Row, cell: tuple[str, ...]) -> str:
        """The listener of a row; `cell` identifies the graded stimulus."""
        uuid = row.get("session_uuid")
        self._simulated = self._simulated or row.get("session_test_id").startswith(SIMULATED_PREFIX)
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
        if self._simulated:
            reading.mark_simulated()
        reading.answers = {
            who: {name: value for name, value in given.items() if value}
            for who, given in self.answers.items()
        }
        if self._without:
            reading.notes.append(f"{_RECONSTRUCTED} That makes {self._count} listeners.")
        return reading.check()
