"""Rating -> result: what a study's grades say, with the unit, n and method of every figure.

The raw ratings are never touched: screening is a view over them. What is quick is computed when a page
asks (`compute`), what is slow by a worker (`analyses`, `heavy`). `page` makes tables and figures of it.
"""

from listening.results.frames import KINDS, PILOT, REAL, SIMULATED, rating_frame
from listening.results.names import in_order, title_of, titles_of
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
    "in_order",
    "is_sealed",
    "objective_means",
    "profiles_of",
    "rating_frame",
    "title_of",
    "titles_of",
    "unseal",
]
