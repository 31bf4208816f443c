"""The grades that figures are made of: tidy frames of one kind of session, never of two."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pandas as pd
from django.db.models import Count, Max, Q, QuerySet

from evaluation.analysis import statistics
from evaluation.models import Score
from listening.kinds import kinds_of
from listening.models import Choice, Rating, Session, Stimulus, Study
from listening.results.names import in_order

REAL, PILOT, SIMULATED = Session.Kind.REAL.value, Session.Kind.PILOT.value, Session.Kind.SIMULATED.value
#: What a page can be asked for. Those that came with an imported study count as real ones.
KINDS = (REAL, PILOT, SIMULATED)


#: What stands in every figure, and over every page and table, of sessions that are no results.
LOUD = {
    PILOT: "PILOT: trial runs, no result",
    SIMULATED: "SIMULATED GRADES: a program gave them, no listener; no result",
}


def ratings_of(study: Study, kind: str = REAL) -> QuerySet[Rating]:
    """Grades of the study's items without training, in sessions of `kind`, of unfinished trials too."""
    return Rating.objects.filter(
        trial__session__study=study,
        trial__session__kind__in=kinds_of(kind),
        trial__item__training=False,
    )


def rating_frame(study: Study, kind: str = REAL) -> pd.DataFrame:
    """Grades of finished trials without training, as ``assessor, item, system, score``.

    Rows come system by system in the order of all tables, listeners by the number of their session.
    ``item`` is the item's position in the study.
    """
    rows = (
        ratings_of(study, kind)
        .filter(trial__finished__isnull=False)
        .values_list(
            "trial__session__assessor__code",
            "trial__item__position",
            "stimulus__system",
            "score",
            "trial__session__number",
        )
        .order_by()
    )
    frame = pd.DataFrame.from_records(list(rows), columns=[*statistics.COLUMNS, "session"])
    systems = in_order(frame["system"].unique())
    frame["place"] = frame["system"].map({slug: place for place, slug in enumerate(systems)})
    ordered = frame.sort_values(["place", "session", "item"], kind="stable", ignore_index=True)
    return ordered[list(statistics.COLUMNS)].astype({"score": float})


def uncounted_of(study: Study, kind: str = REAL) -> int:
    """How many grades wait for their trial to be finished."""
    return ratings_of(study, kind).filter(trial__finished=None).count()


def began_of(study: Study) -> dict[str, int]:
    """How many sessions of each of `KINDS` have begun."""
    rows = study.sessions.exclude(instructed=None).values_list("kind").annotate(n=Count("pk")).order_by()
    counts = dict(rows)
    return {kind: sum(counts.get(each, 0) for each in kinds_of(kind)) for kind in KINDS}


def item_titles(study: Study) -> dict[int, str]:
    """Titles of the graded items by their position."""
    items = study.items.filter(training=False).select_related("clip").order_by("position")
    return {item.position: item.title for item in items}


def fingerprint(study: Study, kind: str, settings: Any = None) -> str:
    """SHA-256 of the state of everything that figures of `kind` depend on, and of `settings`.

    Cheap beside reading the grades: counts and latest changes. A grade that is deleted lowers a count,
    one that is changed is newer; a score that is measured again is newer, too.
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


#: Counts up when the way to compute changes, so that nothing computed the old way is shown.
VERSION = 3
