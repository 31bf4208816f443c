"""Files of ABX, preference, BS.1116, ACR and DCR: a tidy ``choices.csv``, and webMUSHRA's of these methods.

Columns as webMUSHRA's ``write.php`` writes them. Of its files, only ``mushra.csv`` has a session id; in the
others, the rows of a session are consecutive, and the questionnaire's columns distinguish sessions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from evaluation.systems import order
from listening.interchange.exports.ratings import plain_grade, ratings_in_order, time_text
from listening.interchange.exports.tables import Row
from listening.interchange.exports.webmushra import answers_of, question_names, session_test_id
from listening.kinds import kinds_of
from listening.methods import REFERENCE
from listening.models import Choice, Rating, Stimulus, Study, Trial
from listening.study.versions import Met

CHOICES_COLUMNS = [
    "study", "session", "kind", "assessor", "session_finished", "trial", "trial_finished", "item", "clip_id",
    "clip", "training", "a", "b", "x", "chosen", "correct", "sequence", "created", "updated", "comment",
]  # fmt: skip
PAIRED_COLUMNS = [
    "session_test_id", "trial_id", "choice_reference", "choice_non_reference", "choice_answer", "choice_time",
    "choice_comment",
]  # fmt: skip
BS1116_COLUMNS = [
    "session_test_id", "trial_id", "rating_reference", "rating_non_reference", "rating_reference_score",
    "rating_non_reference_score", "rating_time", "choice_comment",
]  # fmt: skip
LSS_COLUMNS = ["session_test_id", "trial_id", "stimuli_rating", "stimuli", "rating_time"]


def _choices(study: Study, kind: str) -> list[tuple[Choice, dict[str, str], str | None]]:
    """Each choice with its systems by role and the chosen system, ordered by session and trial."""
    slugs = dict(Stimulus.objects.filter(item__study=study).values_list("pk", "system"))
    rows = Choice.objects.filter(
        trial__session__study=study, trial__session__kind__in=kinds_of(kind)
    ).select_related("trial__session__assessor", "trial__item__clip")
    return [
        (
            row,
            {entry["role"]: slugs[entry["stimulus"]] for entry in row.trial.order},
            slugs[row.chosen_id] if row.chosen_id else None,
        )
        for row in rows.order_by("trial__session__number", "trial__position")
    ]


def choices_rows(study: Study, kind: str = "real") -> Iterator[Row]:
    """The header and one row per answer, including unfinished sessions and training.

    ``a``, ``b`` and ``x`` are the systems that played these parts; ``chosen`` is the system that was chosen,
    or empty for no preference; ``correct`` is 1 or 0 in ABX, else empty. Version and language as in
    ``ratings.csv``.
    """
    met = Met(study)
    yield [*CHOICES_COLUMNS, *met.columns]
    for choice, parts, chosen in _choices(study, kind):
        trial, session, item = choice.trial, choice.trial.session, choice.trial.item
        correct = int(chosen == parts["X"]) if "X" in parts else None
        yield [
            study.pk, session.pk, session.kind, session.assessor.code, time_text(session.finished),
            trial.position, time_text(trial.finished), item.position, item.clip_id, item.title,
            int(item.training), parts["A"], parts["B"], parts.get("X"), chosen, correct, choice.sequence,
            time_text(choice.created), time_text(choice.updated), trial.comment,
            *met.cells(session),
        ]  # fmt: skip


def _milliseconds(trial: Trial, otherwise: datetime) -> int:
    """Duration of a finished trial since its page was opened, or since `otherwise` if that is unknown."""
    ended = trial.finished or otherwise
    return round((ended - (trial.started or otherwise)).total_seconds() * 1000)


def _trial_id(trial: Trial) -> str:
    return f"{trial.item.position}-{trial.item.title}"


class _Questions:
    """The questionnaire's columns, if personal data is requested, and their cells by session."""

    def __init__(self, study: Study, personal: bool) -> None:
        self.names = question_names(study) if personal else []
        self._answers = answers_of(study) if personal else {}

    def header(self, columns: list[str]) -> Row:
        return [columns[0], *self.names, *columns[1:]]

    def row(self, trial: Trial, cells: Row) -> Row:
        said = self._answers.get(trial.session_id, {})
        return [cells[0], *(said.get(name) for name in self.names), *cells[1:]]


def paired_rows(study: Study, kind: str = "real", *, personal: bool = False) -> Iterator[Row]:
    """``paired_comparison.csv``: answers of finished trials without training. ABX: the reference is X's
    system, and choosing it is ``correct``. Preference: the reference is the pair's first system in table
    order (the original if present), ``correct`` means that it was preferred, ``undecided`` that there was no
    preference.
    """
    questions = _Questions(study, personal)
    yield questions.header(PAIRED_COLUMNS)
    for choice, parts, chosen in _choices(study, kind):
        trial = choice.trial
        if trial.item.training or trial.finished is None:
            continue
        pair = sorted((parts["A"], parts["B"]), key=order)
        reference = parts.get("X", pair[0])
        other = pair[1] if reference == pair[0] else pair[0]
        answer = "undecided" if chosen is None else "correct" if chosen == reference else "incorrect"
        yield questions.row(
            trial,
            [
                session_test_id(study, kind),
                _trial_id(trial),
                _name(reference),
                _name(other),
                answer,
                _milliseconds(trial, choice.created),
                trial.comment,
            ],
        )


def _name(slug: str) -> str:
    """The system's name in webMUSHRA's files."""
    return "reference" if slug == REFERENCE else slug


def bs1116_rows(study: Study, kind: str = "real", *, personal: bool = False) -> Iterator[Row]:
    """``bs1116.csv``: one row per finished trial without training."""
    questions = _Questions(study, personal)
    yield questions.header(BS1116_COLUMNS)
    firsts: dict[int, Rating] = {}
    grades: dict[int, dict[str, float]] = {}
    for row in ratings_in_order(study, kind):
        if not row.trial.item.training and row.trial.finished is not None:
            firsts.setdefault(row.trial_id, row)
            grades.setdefault(row.trial_id, {})[row.stimulus.system] = row.score
    for pk, first in firsts.items():
        trial, found = first.trial, grades[pk]
        reference = found.pop(REFERENCE, None)
        if reference is None or len(found) != 1:
            continue
        ((system, score),) = found.items()
        yield questions.row(
            trial,
            [
                session_test_id(study, kind),
                _trial_id(trial),
                "reference",
                system,
                plain_grade(reference),
                plain_grade(score),
                _milliseconds(trial, first.created),
                trial.comment,
            ],
        )


def lss_rows(study: Study, kind: str = "real", *, personal: bool = False) -> Iterator[Row]:
    """``lss.csv``: the grades of finished trials without training, padded with blanks like webMUSHRA's."""
    questions = _Questions(study, personal)
    yield questions.header(LSS_COLUMNS)
    for row in ratings_in_order(study, kind):
        trial = row.trial
        if trial.item.training or trial.finished is None:
            continue
        yield questions.row(
            trial,
            [
                session_test_id(study, kind),
                _trial_id(trial),
                f" {plain_grade(row.score)} ",
                _name(row.stimulus.system),
                _milliseconds(trial, row.created),
            ],
        )
