"""Statistics of ratings: pure functions on tidy frames with the columns ``assessor, item, system, score``.

One subject a module: `describe`, `screening`, `comparisons`, `anova`, `mixed`, `planning`,
`agreement`, and for other methods than MUSHRA `choices`, `impairment`, `opinion`. Definitions follow
BS.1534-3 where it has one. Results are dataclasses; what cannot be given is None, and `problem`
says why. scipy.stats is imported inside functions: the web process loads this package.
"""

from __future__ import annotations

from evaluation.analysis.statistics.agreement import pearson, spearman
from evaluation.analysis.statistics.describe import Box, assessor_means, box, summarise
from evaluation.analysis.statistics.frames import COLUMNS
from evaluation.analysis.statistics.intervals import half_width
from evaluation.analysis.statistics.screening import (
    Screened,
    apply_screening,
    screen_hidden_reference,
)

__all__ = [
    "COLUMNS", "Box", "Screened", "apply_screening", "assessor_means", "box", "half_width", "pearson",
    "screen_hidden_reference", "spearman", "summarise",
]  # fmt: skip
