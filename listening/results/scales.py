"""The scale of a study's grades, and the researcher's settings for the tests between systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from django.utils.translation import gettext_lazy as _

from evaluation.analysis import figures
from evaluation.analysis.statistics.differences import Population
from listening.columns.studies import AnalysisSettings
from listening.methods import METHODS
from listening.models import Study
from listening.results.data import DifferenceData, DifferencesData
from listening.study.errors import StudyError, read_setting

#: Share of a scale's range within which two systems count as equivalent, if the researcher states no margin.
MARGIN_SHARE = 0.05
#: A test without a grade above this has used a scale other than 0 to 100.
LOW_SCALE = 10.0

#: Scale of diff grades in figures; values above 1 are rare and drawn at the end.
DIFF_SCALE = figures.Scale(
    "diff grade", -4.0, 1.0, (-4, -3, -2, -1, 0, 1), ((-3.7, "very annoying"), (0, "imperceptible"))
)


@dataclass(frozen=True)
class Question:
    """The question that the tests between systems answer.

    Attributes:
        margin: half-width of the range of equivalence, in points of the scale.
        stated: whether the researcher chose it; otherwise it is `MARGIN_SHARE` of the range.
        include_reference: whether hidden reference and anchors enter the omnibus tests.
        most: the largest difference that the scale allows.
    """

    population: Population
    margin: float
    stated: bool
    include_reference: bool
    most: float

    def clip(self, data: DifferencesData) -> DifferencesData:
        """Clip the intervals of `differences.compare`, as JSON, to possible differences."""
        return {**data, "rows": [self._clip_row(row) for row in data["rows"]]}

    def _clip_row(self, row: DifferenceData) -> DifferenceData:
        clipped = row.copy()
        end: Literal["low", "high", "low90", "high90"]
        for end in ("low", "high", "low90", "high90"):
            value = row[end]
            if value is not None:
                clipped[end] = min(self.most, max(-self.most, value))
        return clipped


def scale_of(study: Study, highest: float | None = None) -> figures.Scale:
    """The scale of the study's grades, for figures and for clipping intervals.

    Args:
        highest: of the grades. Imported MUSHRA grades that are all low were given on another scale, which
            no file names: it is taken to be 1 to 5 or 0 to 10.
    """
    method = METHODS.get(study.method)
    mushra = figures.MUSHRA
    if method is None or (method.lowest, method.highest) == (mushra.low, mushra.high):
        if study.imported and highest is not None and highest <= LOW_SCALE:
            return _other(1.0, 5.0) if highest <= 5 else _other(0.0, 10.0)
        return mushra
    if method.hides_reference:
        return DIFF_SCALE
    if not method.words:
        return figures.MUSHRA  # listeners choose: nothing is graded
    ends = [(value, str(word)) for value, word in (method.words[-1], method.words[0])]
    return figures.Scale(
        method.mean_name,
        method.lowest or 0.0,
        method.highest or 0.0,
        tuple(sorted(value for value, _word in method.words)),
        method.axis_words or tuple(ends),
    )


def _other(low: float, high: float) -> figures.Scale:
    ticks = tuple(low + (high - low) * part / 4 for part in range(5))
    return replace(figures.MUSHRA, low=low, high=high, ticks=ticks, words=())


def decimals_of(scale: figures.Scale) -> int:
    """The number of decimals of a mean on the scale: one for a hundred points, two for five."""
    return 1 if scale.high - scale.low > 20 else 2


def question_of(study: Study, scale: figures.Scale) -> Question:
    """The researcher's question, or the default."""
    method = METHODS.get(study.method)
    most = span = scale.high - scale.low
    if method and method.hides_reference and method.lowest is not None and method.highest is not None:
        span = method.highest - method.lowest
        most = 2 * span  # between two differences of grades
    wanted = study.analysis
    margin = float(wanted.margin) if wanted.margin is not None else MARGIN_SHARE * span
    return Question(
        Population(wanted.population), margin, wanted.margin is not None, wanted.include_reference, most
    )


def save_question(study: Study, sent: Mapping[str, str]) -> None:
    """Store population and margin from a submitted form. An empty margin means the default.

    Raises:
        StudyError: something is wrong with it; nothing is kept.
    """
    values: dict[str, object] = {"population": sent.get("population", Population.ITEMS_LIKE_THESE.value)}
    text = sent.get("margin", "").strip().replace(",", ".")
    if text:
        try:
            values["margin"] = float(text)
        except ValueError:
            raise StudyError.of_field("margin", _("Margin: “%(text)s” is not a number."), text=text) from None
    if sent.get("include_reference"):
        values["include_reference"] = True
    study.analysis = read_setting(AnalysisSettings, values, "analysis")
    study.save(update_fields=["analysis"])
