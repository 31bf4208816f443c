"""Differences between systems in sentences and table rows: the same for every method that grades."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evaluation.analysis.figures import Scale
from evaluation.analysis.statistics.ranking import group_ties
from evaluation.analysis.words import count, every, figure, p_words, points
from evaluation.contexts import Context
from listening.results.data import DifferenceData, DifferencesData
from listening.results.scales import decimals_of

#: Whom a difference speaks for, as its sentences say it.
POPULATIONS = {"like": "for items like these", "these": "for these items only"}


def widest_population(tested: Iterable[str], asked: str) -> str:
    """For whom a family of tests speaks, "like" or "these", for what is said of all of it.

    Pairs with one item in common speak for it alone, whatever was asked.

    Args:
        tested: the population of each test that was possible.
        asked: the study's, which counts where there is no test.
    """
    found = set(tested) or {asked}
    return next(name for name in POPULATIONS if name in found)


def describe_population(decided: Iterable[str]) -> str:
    """For whom these verdicts hold, in a sentence that follows them; empty without any, or where they differ.

    What is undecided holds for nobody.
    """
    found = set(decided)
    return f"This holds {POPULATIONS[found.pop()]}." if len(found) == 1 else ""


@dataclass(frozen=True)
class Ranked:
    """A system under test in a ranking.

    Attributes:
        rank_by: the mean for ranking, as if every listener had graded the system in every item.
        low, high: ends of the 95 % interval over listeners, within the scale; None if there is no interval.
    """

    slug: str
    title: str
    rank_by: float
    listeners: int
    items: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Terms:
    """Terms for a method's sentences.

    Attributes:
        measure: name of a mean grade: “mean”, “MOS”.
        of_scale: text after the figure: “ of 100”, or empty.
        adjusted: whether `Ranked.rank_by` differs from plain means.
    """

    scale: Scale
    measure: str = "mean"
    of_scale: str = ""
    adjusted: bool = False

    @property
    def decimals(self) -> int:
        return decimals_of(self.scale)

    @property
    def kind(self) -> str:
        return f"{self.measure}, adjusted for who heard which items," if self.adjusted else self.measure


def describe_block(block: Sequence[Ranked], terms: Terms, data: DifferencesData | None) -> str:
    """Describe the results of systems that can be ranked among each other, the best mean first.

    Args:
        data: of `differences.compare` as JSON; None while it is being computed.
    """
    best = block[0]
    who = f"{count(best.listeners, 'listener')}, {count(best.items, 'item')}"
    if best.low is not None and best.high is not None:
        low, high = figure(best.low, terms.decimals), figure(best.high, terms.decimals)
        plain = "unadjusted " if terms.adjusted else ""
        who += f"; 95 % interval of {plain}listener means {low} to {high}"
    mean = f"{figure(best.rank_by, terms.decimals)}{terms.of_scale} ({who})"
    if len(block) == 1:
        return f"{best.title} has a {terms.kind} of {mean}."
    ties = group_ties(block, lambda row: row.rank_by)[0]
    decided = data is not None and _is_better(best, [row for row in block if row not in ties], data)
    if len(ties) > 1:
        how = f"the same {terms.kind.removesuffix(',')}"
        if decided and len(ties) < len(block):
            how = f"{how}, the highest of {len(block)} systems"
        first = f"{join_names([row.title for row in ties])} have {how}: {mean}."
    elif decided:
        first = f"{best.title} has the highest {terms.kind} of {len(block)} systems: {mean}."
    else:
        known = "not known" if data is None else "undecided"
        first = (
            f"Which of {len(block)} systems is highest is {known}: {best.title} has a {terms.kind} of {mean}."
        )
    if data is None:
        return f"{first} Whether the systems differ is not computed yet."
    return f"{first} {_describe_comparisons(block, terms, data)}".rstrip()


def warn_of_few_listeners(listeners: int) -> list[str]:
    """A warning that intervals over so few listeners say nothing or little."""
    if listeners == 1:
        return ["One listener: an interval over listeners needs at least two, and so does a test."]
    if listeners == 2:
        return ["Two listeners: the intervals have one degree of freedom and say almost nothing."]
    return []


def _against_best(block: Sequence[Ranked], data: DifferencesData) -> list[tuple[Ranked, DifferenceData]]:
    found = {row["b"]: row for row in data["rows"] if row["a"] == block[0].slug}
    return [(other, found[other.slug]) for other in block[1:] if other.slug in found]


def _is_better(best: Ranked, others: Sequence[Ranked], data: DifferencesData) -> bool:
    """Whether the best is shown to be better than each of the others."""
    rows = _against_best([best, *others], data)
    # A system that an older analysis does not know, or knows as higher, has no row.
    return len(rows) == len(others) and all(row["verdict"] == "better" for _, row in rows)


def _describe_comparisons(block: Sequence[Ranked], terms: Terms, data: DifferencesData) -> str:
    """Describe the tests of the best system against each of the others, grouped by verdict."""
    margin = data["margin"]
    rows = _against_best(block, data)
    who = block[0].title
    sentences = []
    tested = [row for _, row in rows if not row["problem"]]
    whom = describe_population(row["population"] for row in tested if row["verdict"] != "undecided")
    for name, start in (
        ("better", f"{who} is better than"),
        ("worse", f"{who} is worse than"),
        ("equivalent", f"{who} is equivalent within ±{points(margin)} to"),
        ("undecided", f"Undecided against {who}:"),
    ):
        said = [
            _describe_difference(other, row, terms)
            for other, row in rows
            if row["verdict"] == name and not row["problem"]
        ]
        if name == "undecided":
            sentences.append(whom)
        if said:
            sentences.append(f"{start} {join_names(said)}.")
    for problem in dict.fromkeys(row["problem"] for _, row in rows if row["problem"]):
        untested = [other.title for other, row in rows if row["problem"] == problem]
        sentences.append(
            f"No test was possible against {join_names(untested)}: {problem[0].lower()}{problem[1:]}"
        )
    sentences += reconcile([row for _, row in rows], data)
    return " ".join(filter(None, sentences))


def reconcile(shown: Iterable[DifferenceData], data: DifferencesData) -> list[str]:
    """Say why a verdict and the interval beside it seem to contradict each other, where any of these rows do.

    Args:
        shown: rows of `data` whose verdicts and intervals stand side by side.
    """
    margin = points(data["margin"])
    though = []
    apart_equivalent = wide_equivalent = False
    for row in shown:
        low, high = row["low"], row["high"]
        if row["problem"] or low is None or high is None:
            continue
        apart, within = low > 0 or high < 0, max(-low, high) < data["margin"]
        if row["verdict"] == "undecided":
            though += ["excludes 0"] * apart + [f"lies within ±{margin}"] * within
        elif row["verdict"] == "equivalent":
            apart_equivalent |= apart
            wide_equivalent |= not within
    sentences = []
    if though:
        sentences.append(explain_correction(family_of(data), " or ".join(dict.fromkeys(though))))
    if apart_equivalent:
        sentences.append(
            "Where a pair is equivalent and its interval excludes 0, there is a difference, which lies "
            "within the margin."
        )
    if wide_equivalent:
        sentences.append("Equivalence goes by the 90 % interval, which is narrower than the one of 95 %.")
    return sentences


def tested_rows(data: DifferencesData | None) -> list[DifferenceData]:
    """The pairs that were tested."""
    return [row for row in data["rows"] if row["p_adjusted"] is not None] if data else []


def family_of(data: DifferencesData | None) -> int:
    """Over how many pairs Holm's correction is: those that were tested."""
    return len(tested_rows(data))


def explain_correction(family: int, though: str) -> str:
    """Why a pair can be undecided though its interval says otherwise; `family` pairs were tested."""
    return (
        f"Each interval is of its pair alone, and the verdicts allow for {every(family, 'pair')} "
        f"(Holm): so a pair can be undecided though its interval {though}."
    )


def reconcile_all(data: DifferencesData | None) -> list[str]:
    """`reconcile` every row; nothing while they are being computed."""
    return reconcile(data["rows"], data) if data else []


def _describe_difference(other: Ranked, row: DifferenceData, terms: Terms) -> str:
    difference, low, high = (figure(row[name], terms.decimals) for name in ("difference", "low", "high"))
    return f"{other.title} ({difference} points, {low} to {high})"


def verdict(row: DifferenceData, margin: float) -> str:
    """A row's verdict in words, with the margin if it is equivalence."""
    return f"equivalent within ±{margin:g}" if row["verdict"] == "equivalent" else str(row["verdict"])


def join_names(titles: Sequence[str]) -> str:
    """“A”, “A and B”, “A, B and C”."""
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"


def pair_rows(titles: Mapping[str, str], data: DifferencesData | None, decimals: int) -> list[Context]:
    """Rows of a table of differences, with titles, the verdict and an explanation of each."""
    if not data:
        return []
    return [
        {
            **row,
            "decimals": decimals,
            "first": titles.get(row["a"], row["a"]),
            "second": titles.get(row["b"], row["b"]),
            "p": p_words(row["p_adjusted"]) if row["p_adjusted"] is not None else "–",
            "verdict": verdict(row, data["margin"]),
            "how": f"Mean of {count(row['n'], 'matched difference')}: {count(row['assessors'], 'listener')} "
            f"who graded both in one item, {count(row['items'], 'item')}. Mixed model, "
            f"{POPULATIONS[row['population']]}, {figure(row['df'], 1)} degrees of freedom. The "
            f"interval is of this pair alone; p is adjusted by Holm for {count(family_of(data), 'pair')}.",
        }
        for row in data["rows"]
    ]
