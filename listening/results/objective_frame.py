"""Objective scores of a study's stimuli, measured here or imported."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from uuid import UUID

from listening.models import Stimulus, Study

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("item", "system", "metric", "value")


def objective_frame(study: Study) -> pd.DataFrame:
    """Objective scores of the graded items' stimuli, one row each, as ``item, system, metric, value``.

    ``item`` is the item's position, as in `listening.results.rating_frame`. A rendition's finished
    scores take precedence over imported scores of the same metric. Metrics without a score have no row.
    """
    import pandas as pd

    from evaluation.models import Score

    stimuli = Stimulus.objects.filter(item__study=study, item__training=False)
    found: dict[tuple[int, str, str], float] = {}
    places: dict[UUID, list[tuple[int, str]]] = {}
    for position, system, brought, rendition in stimuli.values_list(
        "item__position", "system", "objective", "rendition"
    ):
        if rendition is not None:
            places.setdefault(rendition, []).append((position, system))
        for metric, value in brought.items():
            if value is not None:
                found[position, system, metric] = float(value)
    # By their ids: with a join, a database may read the scores of all clips.
    measured = Score.objects.filter(rendition__in=list(places), status=Score.Status.DONE)
    for rendition, metric, score in measured.values_list("rendition", "metric", "value"):
        if score is not None:
            found |= {(position, system, metric): score for position, system in places[rendition]}
    rows = [(*key, value) for key, value in sorted(found.items()) if math.isfinite(value)]
    return pd.DataFrame(rows, columns=list(COLUMNS))
