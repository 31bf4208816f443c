"""Objective scores of a study's stimuli, measured here or imported."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

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
    for position, system, brought in stimuli.values_list("item__position", "system", "objective"):
        for metric, value in brought.items():
            if value is not None:
                found[position, system, metric] = float(value)
    measured = Score.objects.filter(
        rendition__stimuli__in=stimuli, status=Score.Status.DONE, value__isnull=False
    ).values_list("rendition__stimuli__item__position", "rendition__stimuli__system", "metric", "value")
    for position, system, metric, value in measured.filter(rendition__stimuli__item__study=study):
        if value is not None:
            found[position, system, metric] = value
    rows = [(*key, value) for key, value in sorted(found.items()) if math.isfinite(value)]
    return pd.DataFrame(rows, columns=list(COLUMNS))
