"""Ratings as files: a tidy CSV with everything, and webMUSHRA's ``mushra.csv`` for tools that read that."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse

from evaluation.models import Score
from listening.models import Rating, Study

Row = list[Any]

#: Metrics joined to every row of ``ratings.csv``, in this order.
METRICS = ("pesq_nb", "pesq_wb", "stoi")

RATINGS_COLUMNS = [
    "study", "session", "assessor", "session_finished", "trial", "trial_finished", "item", "clip_id", "clip",
    "start", "end", "training", "system", "presented", "score", "sequence", "created", "updated", "comment",
    "gain_db", "kbps", *METRICS,
]  # fmt: skip

MUSHRA_COLUMNS = [
    "session_test_id", "session_uuid", "trial_id",
    "rating_stimulus", "rating_score", "rating_time", "rating_comment",
]  # fmt: skip


def _time(moment: datetime | None) -> str:
    return moment.isoformat(timespec="milliseconds") if moment else ""


def _ratings(study: Study) -> Iterable[Rating]:
    """All ratings by session, trial and place in the presentation."""
    rows = Rating.objects.filter(trial__session__study=study).select_related(
        "trial__session__assessor", "trial__item__clip", "stimulus__rendition"
    )
    return sorted(rows, key=lambda row: (row.trial.session.number, row.trial.position, presented_at(row)))


def presented_at(rating: Rating) -> int:
    """The number that the stimulus had in its trial, from 1."""
    keys = [entry["stimulus"] for entry in rating.trial.order]
    return int(keys.index(rating.stimulus_id)) + 1


def scores_of(renditions: Iterable[Any]) -> dict[tuple[UUID, str], float]:
    """Finished scores by rendition id and metric, where the metric has an answer."""
    rows = Score.objects.filter(rendition__in=list(renditions), status=Score.Status.DONE)
    return {
        (rendition, metric): value
        for rendition, metric, value in rows.values_list("rendition", "metric", "value")
        if value is not None
    }


def ratings_rows(study: Study) -> Iterator[Row]:
    """The header and one row per rating, of unfinished sessions and training too; nothing is screened.

    ``item`` is the item's position in the study (0 is the training item), ``trial`` the trial's
    position in the session and ``presented`` the stimulus's in the trial, both from 1.
    """
    ratings = list(_ratings(study))
    scores = scores_of({row.stimulus.rendition_id for row in ratings if row.stimulus.rendition_id})
    yield RATINGS_COLUMNS
    for row in ratings:
        trial, session, item, rendition = row.trial, row.trial.session, row.trial.item, row.stimulus.rendition
        yield [
            study.pk, session.pk, session.assessor.code, _time(session.finished),
            trial.position, _time(trial.finished), item.position, item.clip_id, item.clip.title,
            item.start, item.end, int(item.training), row.stimulus.system, presented_at(row),
            row.score, row.sequence, _time(row.created), _time(row.updated), trial.comment,
            row.stimulus.gain_db, rendition.kbps if rendition else None,
            *(scores.get((rendition.pk, metric)) if rendition else None for metric in METRICS),
        ]  # fmt: skip


def mushra_rows(study: Study) -> Iterator[Row]:
    """The header and the ratings of finished trials, named as webMUSHRA names them; training is left out.

    ``rating_time`` is the whole trial's, in milliseconds, for each of its ratings.
    """
    yield MUSHRA_COLUMNS
    for row in _ratings(study):
        trial = row.trial
        if trial.item.training or trial.finished is None:
            continue
        stimulus = "reference" if row.stimulus.system == "original" else row.stimulus.system
        spent = round((trial.finished - (trial.started or row.created)).total_seconds() * 1000)
        trial_id = f"{trial.item.position}-{trial.item.clip.title}"
        yield [study.pk, trial.session_id, trial_id, stimulus, row.score, spent, trial.comment]


def _safe(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets a quote mark before it; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value


def csv_text(rows: Iterable[Row]) -> str:
    """Rows as CSV (RFC 4180), safe to open in a spreadsheet."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow([_safe(value) for value in row])
    return buffer.getvalue()


def csv_response(rows: Iterable[Row], name: str) -> HttpResponse:
    response = HttpResponse(csv_text(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
