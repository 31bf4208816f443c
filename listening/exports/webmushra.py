"""webMUSHRA's result files, for tools that read those."""

from __future__ import annotations

from collections.abc import Iterator

from listening.exports.ratings import plain_grade, ratings_in_order
from listening.exports.tables import Row
from listening.models import Study

MUSHRA_COLUMNS = [
    "session_test_id", "session_uuid", "trial_id",
    "rating_stimulus", "rating_score", "rating_time", "rating_comment",
]  # fmt: skip


def mushra_rows(study: Study) -> Iterator[Row]:
    """The header and the ratings of finished trials, named as webMUSHRA names them; training is left out.

    ``rating_time`` is the whole trial's, in milliseconds, for each of its ratings.
    """
    yield MUSHRA_COLUMNS
    for row in ratings_in_order(study):
        trial = row.trial
        if trial.item.training or trial.finished is None:
            continue
        stimulus = "reference" if row.stimulus.system == "original" else row.stimulus.system
        spent = round((trial.finished - (trial.started or row.created)).total_seconds() * 1000)
        trial_id = f"{trial.item.position}-{trial.item.title}"
        yield [study.pk, trial.session_id, trial_id, stimulus, plain_grade(row.score), spent, trial.comment]
