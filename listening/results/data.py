"""Parts of an analysis as JSON, made by `heavy.to_plain` and read by name in other modules."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class DifferenceData(TypedDict):
    """A `differences.Difference`; `population` and `verdict` are the values of its enumerations."""

    a: str
    b: str
    n: int
    assessors: int
    items: int
    population: str
    difference: float | None
    low: float | None
    high: float | None
    low90: float | None
    high90: float | None
    df: float | None
    p: float | None
    p_adjusted: float | None
    p_equivalent: float | None
    standardised: float | None
    rank_biserial: float | None
    verdict: str
    note: str
    problem: str


class DifferencesData(TypedDict):
    """A `differences.Differences`."""

    rows: list[DifferenceData]
    population: str
    margin: float
    notes: list[str]
    problem: str


class IntervalData(TypedDict):
    """An `intervals.Interval`."""

    low: float
    high: float
    method: str


class ImpairmentData(TypedDict):
    """An `impairment.Impairment`; `population` is the enumeration's value."""

    system: str
    n: int
    assessors: int
    mean: float
    interval: IntervalData | None
    mistaken: float
    population: str
    estimate: NotRequired[float | None]  # an older analysis has none
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    shown: bool | None


class GaugeData(TypedDict):
    """A `gauge.Gauge`."""

    assessor: str
    n: int
    repeated: bool
    discrimination: float | None
    discrimination_floor: float | None
    discrimination_p: float | None
    reliability: float | None
    reliability_floor: float | None
    reliability_p: float | None
    expert: bool
    problem: str


class LogisticData(TypedDict):
    """A `logistic.Logistic`."""

    n: int
    successes: int
    listeners: int
    items: int
    typical: float | None
    se: float | None
    share: float | None
    low: float | None
    high: float | None
    p: float | None
    sd_listener: float | None
    sd_item: float | None
    problem: str


class PairOddsData(TypedDict):
    """A `logistic.PairOdds`."""

    first: str
    second: str
    ties: int
    model: LogisticData
    p_holm: float | None


class WorthData(TypedDict):
    """A `choices.Worth`."""

    system: str
    ability: float
    low: float
    high: float
    low_assessors: float | None
    high_assessors: float | None
    share: float


class BradleyTerryData(TypedDict):
    """A `choices.BradleyTerry`."""

    systems: list[WorthData]
    votes: int
    ties: int
    problem: str


class MissesData(TypedDict):
    """Where a study's figures are known to miss their goals, each a `calibration.Cell`: those of the primary
    analysis, and of its companions."""

    primary: list[dict[str, object]]
    companions: list[dict[str, object]]


class OddsRatioData(TypedDict):
    """An `ordinal.OddsRatio`."""

    a: str
    b: str
    ratio: float
    low: float
    high: float
    p: float
    p_adjusted: float | None


class OrdinalData(TypedDict):
    """An `ordinal.Ordinal`."""

    rows: list[OddsRatioData]
    listeners: int
    problem: str


class NeededRowData(TypedDict):
    """A `planning.NeededRow`."""

    difference: float
    listeners: int | None
    numbers: list[int]
    powers: list[float]


class NeededData(TypedDict):
    """A `planning.Needed`, without its spread."""

    rows: list[NeededRowData]
    items: int
    population: str
    pairs: int


class AgreementFigure(TypedDict):
    """A correlation with its name, or an error without one; `why` there is no value.

    `low_here` and `high_here` bound the correlation for these systems, as resampled listeners and items do.
    """

    name: NotRequired[str]
    value: float | None
    low: float | None
    high: float | None
    low_here: NotRequired[float | None]
    high_here: NotRequired[float | None]
    decimals: int
    why: str


class AgreementData(TypedDict):
    """The agreement of a metric with the grades; `level`: system or stimulus."""

    metric: str
    level: str
    over: str
    n: int
    figures: list[AgreementFigure]
    warning: str
    notes: tuple[str, ...]
    problem: str
