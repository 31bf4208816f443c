"""What the server holds of a trial, so that a page can show nothing else."""

from __future__ import annotations

from typing import Any, TypedDict

from listening.methods import METHODS
from listening.models import Choice, Trial
from listening.session.grading import answer_of, graded_signals, graded_stimulus

#: The key under which a page knows the answer of a method whose listeners choose.
CHOICE = "choice"


class StoredGrade(TypedDict):
    """A grade, or the answer that was chosen; None and 0 where there is none yet."""

    score: float | str | None
    sequence: int


class StoredWork(TypedDict):
    """All that a listener did in a trial, by the page's keys; nothing that tells stimuli apart."""

    grades: dict[str, StoredGrade]
    comment: str
    finished: bool


def stored_grades(trial: Trial) -> dict[str, StoredGrade]:
    """The grades of the trial by the keys of what is graded, in order of presentation."""
    if not METHODS[trial.session.study.method].takes_grades:
        choice = Choice.objects.filter(trial=trial).first()
        if choice is None:
            return {CHOICE: {"score": None, "sequence": 0}}
        return {CHOICE: {"score": answer_of(choice, trial), "sequence": choice.sequence}}
    found = {rating.stimulus_id: rating for rating in trial.ratings.all()}
    grades: dict[str, StoredGrade] = {}
    for entry in graded_signals(trial):
        rating = found.get(graded_stimulus(trial, entry["key"]))
        grades[entry["key"]] = {
            "score": rating.score if rating else None,
            "sequence": rating.sequence if rating else 0,
        }
    return grades


def stored_work(trial: Trial) -> StoredWork:
    """The trial as it is stored."""
    return {
        "grades": stored_grades(trial),
        "comment": trial.comment,
        "finished": trial.finished is not None,
    }


def differs(shown: Any, grades: dict[str, StoredGrade]) -> bool:
    """Whether a page that shows these scores by key shows something else than what is stored."""
    return any(shown.get(key) != grade["score"] for key, grade in grades.items())
