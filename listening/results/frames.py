"""The grades as tidy data frames, each for a single kind of session."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import Count, Max, Q, QuerySet

from evaluation.analysis import statistics
from evaluation.models import Score
from listening.kinds import kinds_of
from listening.models import Choice, Rating, Session, Stimulus, Study
from listening.results.names import sort_systems

REAL, PILOT, SIMULATED = Session.Kind.REAL.value, Session.Kind.PILOT.value, Session.Kind.SIMULATED.value
#: The kinds that pages can show. Imported sessions count as real ones.
KINDS = (REAL, PILOT, SIMULATED)


#: Label in every figure, and above every page and table, of sessions that are not results.
LOUD = {
    PILOT: "PILOT: trial runs, no result",
    SIMULATED: "SIMULATED GRADES: a program gave them, no listener; no result",
}


def seed_of(study: Study) -> int:
    """The seed of permutations and bootstraps in a study's results."""
    return study.seed % 2**32


def ratings_of(study: Study, kind: str = REAL) -> QuerySet[Rating]:
    """Grades in sessions of `kind`, without training, including those of unfinished trials."""
    return Rating.objects.filter(_counts(study, kind))


def _counts(study: Study, kind: str) -> Q:
    """Which grades and answers count: none of training, and of simulated listeners only those who finished.

    Where one has not, a worker is at it or has failed, and the session will be made anew.
    """
    session = Q(trial__session__study=study, trial__session__kind__in=kinds_of(kind))
    unfinished = Q(trial__session__kind=SIMULATED, trial__session__finished=None)
    return session & Q(trial__item__training=False) & ~unfinished


def rating_frame(study: Study, kind: str = REAL) -> pd.DataFrame:
    """Grades of finished trials without training, as ``assessor, item, system, score``.

    Rows are sorted by system in the order of all tables, then by number of the session.
    ``item`` is the item's position in the study.
    """
    fields = {
        "assessor": "trial__session__assessor__code",
        "item": "trial__item__position",
        "system": "stimulus__system",
        "score": "score",
        "session": "trial__session__number",
    }
    finished = ratings_of(study, kind).filter(trial__finished__isnull=False)
    rows = list(finished.values_list(*fields.values()).order_by())
    # Column by column, for pandas is slow to take hundreds of thousands of rows apart and to sort them.
    types = {"assessor": object, "item": np.int64, "system": object, "score": float, "session": np.int64}
    columns = {name: np.array([row[at] for row in rows], dtype=types[name]) for at, name in enumerate(fields)}
    places = {slug: place for place, slug in enumerate(sort_systems({*columns["system"]}))}
    place = np.array([places[slug] for slug in columns["system"]], dtype=np.int64)
    order = np.lexsort((columns["item"], columns["session"], place))
    return pd.DataFrame({name: columns[name][order] for name in statistics.COLUMNS})


def choices_of(study: Study, kind: str = REAL) -> QuerySet[Choice]:
    """Answers in sessions of `kind`, without training, including those of unfinished trials."""
    return Choice.objects.filter(_counts(study, kind))


def has_answers(study: Study, kind: str) -> bool:
    """Whether there is a finished trial with a grade or an answer, so that there is something to analyse."""
    return any(
        rows.filter(trial__finished__isnull=False).exists()
        for rows in (ratings_of(study, kind), choices_of(study, kind))
    )


def count_unfinished(study: Study, kind: str = REAL) -> int:
    """The number of grades in unfinished trials."""
    return ratings_of(study, kind).filter(trial__finished=None).count()


def count_started_sessions(study: Study) -> dict[str, int]:
    """The number of sessions of each of `KINDS` in which grading has begun."""
    rows = study.sessions.filter(Session.GRADING).values_list("kind").annotate(n=Count("pk")).order_by()
    counts = dict(rows)
    return {kind: sum(counts.get(each, 0) for each in kinds_of(kind)) for kind in KINDS}


def item_titles(study: Study) -> dict[int, str]:
    """Titles of the graded items by their position."""
    items = study.items.filter(training=False).select_related("clip").order_by("position")
    return {item.position: item.title for item in items}


def fingerprint(study: Study, kind: str, settings: Any = None) -> str:
    """SHA-256 of the state of all data that results of `kind` depend on, and of `settings`.

    Uses counts and times of the latest change, which is faster than reading the grades: a deleted grade
    lowers a count, and a changed grade or a repeated measurement has a later time.
    """
    trials = Q(trial__finished__isnull=False)
    grades = ratings_of(study, kind).aggregate(
        n=Count("pk"), done=Count("pk", filter=trials), last=Max("updated"), finished=Max("trial__finished")
    )
    choices = Choice.objects.filter(
        trial__session__study=study, trial__session__kind__in=kinds_of(kind)
    ).aggregate(n=Count("pk"), last=Max("updated"))
    renditions = Stimulus.objects.filter(item__study=study).values("rendition")
    scores = Score.objects.filter(rendition__in=renditions, status=Score.Status.DONE).aggregate(
        n=Count("pk"), last=Max("finished")
    )
    state = [VERSION, str(study.pk), kind, settings, grades, choices, scores]
    return hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()


#: Increment when the computation changes, so that no outdated results are shown.
VERSION = 7
