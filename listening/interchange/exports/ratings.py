"""``ratings.csv``: every unscreened grade, one per row, joined with objective scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from evaluation import metrics
from evaluation.metrics import DEFAULT
from evaluation.models import Score
from listening.interchange.exports.tables import Row
from listening.kinds import kinds_of
from listening.models import Rating, Stimulus, Study, Trial
from listening.study.versions import Met

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


#: Sessions whose ratings are read at a time.
_SESSIONS_AT_ONCE = 50


def ratings_in_order(study: Study, kind: str = "real") -> Iterator[Rating]:
    """Ratings of one kind of sessions (`listening.kinds`) by session, trial and position in the
    presentation.

    Some sessions are read at a time; their ratings share trials, items and stimuli.
    """
    return (rating for rating, _ in _presented(study, kind))


def _presented(study: Study, kind: str) -> Iterator[tuple[Rating, int]]:
    """The same, each with the position of its stimulus in the trial, from 1."""
    items = study.items.select_related("clip").in_bulk()
    stimuli = Stimulus.objects.filter(item__study=study).select_related("rendition").in_bulk()
    sessions = study.sessions.filter(kind__in=kinds_of(kind)).select_related("assessor").order_by("number")
    reading = iter(list(sessions))
    while some := {session.pk: session for session in islice(reading, _SESSIONS_AT_ONCE)}:
        trials = Trial.objects.filter(session__in=list(some)).order_by("session__number", "position")
        for trial in trials.prefetch_related("ratings"):
            trial.session, trial.item = some[trial.session_id], items[trial.item_id]
            places: dict[int, int] = {}
            for place, entry in enumerate(trial.order, start=1):
                places.setdefault(entry["stimulus"], place)  # a stimulus may come twice: A, then B, is CCR's
            for rating in sorted(trial.ratings.all(), key=lambda row: places[row.stimulus_id]):
                rating.trial, rating.stimulus = trial, stimuli[rating.stimulus_id]
                yield rating, places[rating.stimulus_id]


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
    questionnaire, the number of the one that the session met; where they had a choice, its language, too.
    """
    graded = Rating.objects.filter(trial__session__study=study, trial__session__kind__in=kinds_of(kind))
    stimuli = list(Stimulus.objects.filter(item__study=study, pk__in=graded.values("stimulus")))
    scores = scores_of({each.rendition_id for each in stimuli if each.rendition_id})
    others = _others(stimuli, scores)
    met = Met(study)
    yield [*RATINGS_COLUMNS, *others, *met.columns]
    for row, place in _presented(study, kind):
        trial, session, item, rendition = row.trial, row.trial.session, row.trial.item, row.stimulus.rendition
        yield [
            study.pk, session.pk, session.kind, session.assessor.code, time_text(session.finished),
            trial.position, time_text(trial.finished), item.position, item.clip_id, item.title,
            item.start, item.end, int(item.training), row.stimulus.system, place,
            plain_grade(row.score), row.sequence, time_text(row.created), time_text(row.updated),
            trial.comment, row.stimulus.gain_db, rendition.kbps if rendition else None,
            *(_score(row, metric, scores) for metric in (*METRICS, *others)),
            *met.cells(session),
        ]  # fmt: skip


def _score(rating: Rating, metric: str, scores: Mapping[tuple[UUID, str], float]) -> float | None:
    """The score measured here or, failing that, the imported one, as in `objective_frame`."""
    rendition, brought = rating.stimulus.rendition_id, rating.stimulus.objective.get(metric)
    measured = scores.get((rendition, metric)) if rendition else None
    return measured if measured is not None else None if brought is None else float(brought)


def _others(stimuli: Iterable[Stimulus], scores: Mapping[tuple[UUID, str], float]) -> list[str]:
    """Metrics beyond `METRICS`, in table order."""
    found = {metric for _, metric in scores} | {name for each in stimuli for name in each.objective}
    known = [slug for slug in metrics.METRICS if slug in found and slug not in METRICS]
    return [*known, *sorted(found - set(metrics.METRICS))]
