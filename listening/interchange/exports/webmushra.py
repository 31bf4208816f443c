"""webMUSHRA's result files with exactly the columns of its ``write.php``, for tools that read these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from evaluation.columns import Number
from listening.interchange.exports.ratings import plain_grade, ratings_in_order
from listening.interchange.exports.tables import Row, safe_text
from listening.models import Answer, Study
from listening.study.versions import questions_ever

#: The columns without the questionnaire, which follows the first column.
MUSHRA_COLUMNS = [
    "session_test_id", "session_uuid", "trial_id",
    "rating_stimulus", "rating_score", "rating_time", "rating_comment",
]  # fmt: skip


def mushra_rows(study: Study, kind: str = "real", *, personal: bool = False) -> Iterator[Row]:
    """The header and the ratings of finished trials without training, with webMUSHRA's names.

    ``rating_time`` of each rating is the duration of its trial in milliseconds. With `personal`, each
    question of the study's questionnaire has a column, in order.
    """
    questions = question_names(study) if personal else []
    yield [MUSHRA_COLUMNS[0], *questions, *MUSHRA_COLUMNS[1:]]
    answers = answers_of(study) if personal else {}
    for row in ratings_in_order(study, kind):
        trial = row.trial
        if trial.item.training or trial.finished is None:
            continue
        stimulus = "reference" if row.stimulus.system == "original" else row.stimulus.system
        spent = round((trial.finished - (trial.started or row.created)).total_seconds() * 1000)
        trial_id = f"{trial.item.position}-{trial.item.title}"
        said = answers.get(trial.session_id, {})
        yield [
            session_test_id(study, kind), *(said.get(name) for name in questions), trial.session_id, trial_id,
            stimulus, plain_grade(row.score), spent, trial.comment,
        ]  # fmt: skip


#: Begins the ``session_test_id`` of grades that a program gave, so that no reader takes them for listeners'.
SIMULATED_PREFIX = "simulated-"


def session_test_id(study: Study, kind: str) -> str:
    """``session_test_id`` of the study's rows of one kind of sessions; an importer reads the kind from it."""
    return f"{SIMULATED_PREFIX if kind == 'simulated' else ''}{study.pk}"


def question_names(study: Study) -> list[str]:
    """The names of the questionnaire's questions, in its order; those of earlier versions after them."""
    return [question.name for question in questions_ever(study)]


def answers_of(study: Study) -> dict[UUID, dict[str, str | Number]]:
    """Listeners' answers by session and question; several choices are joined as ``a; b``."""
    found: dict[UUID, dict[str, str | Number]] = {}
    for answer in Answer.objects.filter(session__study=study):
        value = answer.value
        said = "; ".join(str(part) for part in value) if isinstance(value, list) else value
        found.setdefault(answer.session_id, {})[answer.question] = said
    return found


def php_csv_parts(rows: Iterable[Row]) -> Iterator[str]:
    """Rows as PHP's ``fputcsv`` writes them: LF, and quotes around cells with white space or special
    characters."""
    for row in rows:
        cells = ["" if cell is None else str(safe_text(cell)) for cell in row]
        yield ",".join(_quote_cell(cell) if set(cell) & _SPECIAL else cell for cell in cells) + "\n"


def php_csv_text(rows: Iterable[Row]) -> str:
    """The same as one text."""
    return "".join(php_csv_parts(rows))


_SPECIAL = frozenset(' ,"\\\t\r\n')


def _quote_cell(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'
