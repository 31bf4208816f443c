"""Rating -> result: the statistics of a study's grades, with the unit, n and method of every figure.

The raw ratings are never changed: screening is a view of them. Fast statistics are computed on request
(`compute`), slow ones by a worker (`analyses`, `heavy`). `page` turns both into tables and figures.
"""

from listening.results.frames import KINDS, PILOT, REAL, SIMULATED, rating_frame
from listening.results.names import sort_systems, title_of, titles_of
from listening.results.objective import METRIC_TITLES, Agreement, Objective, objective_means
from listening.results.outcome import Results, SystemResult
from listening.results.profiles import BS1534, CUSTOM, MPEG, NONE, profiles_of
from listening.results.seal import check_unsealed, is_sealed, unseal
from listening.results.summary import compute

__all__ = [
    "BS1534",
    "CUSTOM",
    "KINDS",
    "METRIC_TITLES",
    "MPEG",
    "NONE",
    "PILOT",
    "REAL",
    "SIMULATED",
    "Agreement",
    "Objective",
    "Results",
    "SystemResult",
    "check_unsealed",
    "compute",
    "is_sealed",
    "objective_means",
    "profiles_of",
    "rating_frame",
    "sort_systems",
    "title_of",
    "titles_of",
    "unseal",
]
