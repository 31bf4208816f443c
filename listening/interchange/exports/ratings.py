"""``ratings.csv``: every unscreened grade, one per row, joined with objective scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from evaluation import metrics
from evaluation.metrics import DEFAULT
from evaluation.models import Score
from listening.interchange.exports.tables import Row
from listening.kinds import kinds_of
from listening.models import Rating, Study
from listening.study.versions import version_cells, version_columns

#: Metrics joined to every row of ``ratings.csv``, in this order; others follow if there are scores.
METRICS = DEFAULT

RATINGS_COLUMNS = [
    "study", "session", "kind", "assessor", "session_finished", "trial", "trial_finished", "item", "clip_id",
    "clip", "start", "end", "training", "system", "presented", "score", "sequence", "created", "updated",
    "comment", "gain_db", "kbps", *METRICS,
]  # fmt: skip


def time_text(moment: datetime | None) -> str:
    """ISO 8601 to the millisecond with the UTC offset; empty for None."""
    return moment.isoformat(timespec="milliseconds") if moment else ""


def plain_grade(score: float) -> float | int:
    """Convert a whole grade to int, as listeners gave it."""
    return int(score) if score.is_integer() else score


def ratings_in_order(study: Study, kind: str = "real") -> Iterable[Rating]:
    """Ratings of one kind of sessions (`listening.kinds`) by session, trial and position in the
    presentation."""
    rows = Rating.objects.filter(
        trial__session__study=study, trial__session__kind__in=kinds_of(kind)
    ).select_related("trial__session__assessor", "trial__item__clip", "stimulus__rendition")
    return sorted(rows, key=lambda row: (row.trial.session.number, row.trial.position, presented_at(row)))


def presented_at(rating: Rating) -> int:
    """The position of the stimulus in its trial, from 1."""
    keys = [entry["stimulus"] for entry in rating.trial.order]
    return int(keys.index(rating.stimulus_id)) + 1


def scores_of(renditions: Iterable[Any]) -> dict[tuple[UUID, str], float]:
    """Finished scores that have a value, by rendition id and metric."""
    rows = Score.objects.filter(rendition__in=list(renditions), status=Score.Status.DONE)
    return {
        (rendition, metric): value
        for rendition, metric, value in rows.values_list("rendition", "metric", "value")
        if value is not None
    }


def ratings_rows(study: Study, kind: str = "real") -> Iterator[Row]:
    """The header and one row per rating, including unfinished sessions and training, without screening.

    ``item`` is the item's position in the study (0 is the training item), ``trial`` the trial's
    position in the session and ``presented`` the stimulus's in the trial, both from 1. After
    `RATINGS_COLUMNS` comes a column for every other metric that one of the stimuli has a score by,
    measured or brought along, and, where listeners met different versions of the study's language, texts or
    questionnaire, the number of the one that the session met.
    """
    ratings = list(ratings_in_order(study, kind))
    scores = scores_of({row.stimulus.rendition_id for row in ratings if row.stimulus.rendition_id})
    others = _others(ratings, scores)
    yield [*RATINGS_COLUMNS, *others, *version_columns(study)]
    for row in ratings:
        trial, session, item, rendition = row.trial, row.trial.session, row.trial.item, row.stimulus.rendition
        yield [
            study.pk, session.pk, session.kind, session.assessor.code, time_text(session.finished),
            trial.position, time_text(trial.finished), item.position, item.clip_id, item.title,
            item.start, item.end, int(item.training), row.stimulus.system, presented_at(row),
            plain_grade(row.score), row.sequence, time_text(row.created), time_text(row.updated),
            trial.comment, row.stimulus.gain_db, rendition.kbps if rendition else None,
            *(_score(row, metric, scores) for metric in (*METRICS, *others)),
            *version_cells(study, session),
        ]  # fmt: skip


def _score(rating: Rating, metric: str, scores: Mapping[tuple[UUID, str], float]) -> float | None:
    """The score measured here or, failing that, the imported one, as in `objective_frame`."""
    rendition, brought = rating.stimulus.rendition_id, rating.stimulus.objective.get(metric)
    measured = scores.get((rendition, metric)) if rendition else None
    return measured if measured is not None else None if brought is None else float(brought)


def _others(ratings: Iterable[Rating], scores: Mapping[tuple[UUID, str], float]) -> list[str]:
    """Metrics beyond `METRICS`, in table order."""
    found = {metric for _, metric in scores} | {name for row in ratings for name in row.stimulus.objective}
    known = [slug for slug in metrics.METRICS if slug in found and slug not in METRICS]
    return [*known, *sorted(found - set(metrics.METRICS))]
