"""Differences between systems in sentences and table rows: the same for every method that grades."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.analysis.figures import Scale
from evaluation.analysis.words import count, figure, p_words
from listening.results.scales import decimals_of

#: Whom a difference speaks for, as its sentences say it.
POPULATIONS = {"like": "for items like these", "these": "for these items only"}


@dataclass(frozen=True)
class Ranked:
    """A system under test in a ranking.

    Attributes:
        rank_by: the mean that ranks go by: as if every listener had graded it in every item.
        low, high: of the 95 % interval of `mean` over listeners, within the scale; None without one.
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
    """The words of a method's sentences.

    Attributes:
        measure: what a mean grade is called: “mean”, “MOS”.
        of_scale: after the figure: “ of 100”, or nothing.
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
        return f"{self.measure}, adjusted for who heard which items" if self.adjusted else self.measure


def describe_block(block: Sequence[Ranked], terms: Terms, data: Mapping[str, Any] | None) -> str:
    """What the figures say of systems that can be ranked among each other, the best mean first.

    Args:
        data: of `differences.compare` as JSON; None while it is being computed.
    """
    best = block[0]
    who = f"{count(best.listeners, 'listener')}, {count(best.items, 'item')}"
    if best.low is not None and best.high is not None:
        low, high = figure(best.low, terms.decimals), figure(best.high, terms.decimals)
        who += f"; 95 % interval of listener means {low} to {high}"
    mean = f"{figure(best.rank_by, terms.decimals)}{terms.of_scale} ({who})"
    if len(block) == 1:
        return f"{best.title} has a {terms.kind} of {mean}."
    ties = [row.title for row in block if abs(row.rank_by - best.rank_by) < 1e-9]
    if len(ties) > 1:
        how = (
            f"the same {terms.kind}"
            if len(ties) == len(block)
            else f"the same {terms.kind}, the highest of {len(block)} systems"
        )
        first = f"{names(ties)} have {how}: {mean}."
    elif data is not None and not _decided(block, data):
        first = (
            f"Which of {len(block)} systems is highest is undecided: "
            f"{best.title} has a {terms.kind} of {mean}."
        )
    else:
        first = f"{best.title} has the highest {terms.kind} of {len(block)} systems: {mean}."
    if data is None:
        return f"{first} The tests between systems are not computed yet."
    return f"{first} {_compared(block, terms, data)}".rstrip()


def _against_best(block: Sequence[Ranked], data: Mapping[str, Any]) -> list[tuple[Ranked, Mapping[str, Any]]]:
    found = {row["b"]: row for row in data["rows"] if row["a"] == block[0].slug}
    return [(other, found[other.slug]) for other in block[1:] if other.slug in found]


def _decided(block: Sequence[Ranked], data: Mapping[str, Any]) -> bool:
    return any(row["verdict"] == "better" for _, row in _against_best(block, data))


def _compared(block: Sequence[Ranked], terms: Terms, data: Mapping[str, Any]) -> str:
    """What the tests say of the best against each of the others, grouped by verdict."""
    margin = data["margin"]
    rows = _against_best(block, data)
    who = block[0].title
    sentences = []
    for name, start in (
        ("better", f"{who} is better than"),
        ("worse", f"{who} is worse than"),
        ("equivalent", f"{who} is equivalent within ±{margin:g} points to"),
        ("undecided", f"Undecided against {who}:"),
    ):
        said = [
            _apart(other, row, terms) for other, row in rows if row["verdict"] == name and not row["problem"]
        ]
        if said:
            sentences.append(f"{start} {names(said)}.")
    for problem in dict.fromkeys(row["problem"] for _, row in rows if row["problem"]):
        untested = [other.title for other, row in rows if row["problem"] == problem]
        sentences.append(f"No test was possible against {names(untested)}: {problem[0].lower()}{problem[1:]}")
    populations = {row["population"] for _, row in rows if not row["problem"]}
    if len(populations) == 1:
        sentences.append(f"This holds {POPULATIONS[populations.pop()]}.")
    return " ".join(sentences)


def _apart(other: Ranked, row: Mapping[str, Any], terms: Terms) -> str:
    difference, low, high = (figure(row[name], terms.decimals) for name in ("difference", "low", "high"))
    return f"{other.title} ({difference} points, {low} to {high})"


def verdict(row: Mapping[str, Any], margin: float) -> str:
    """A row's verdict in words, with the margin where it is one of equivalence."""
    return f"equivalent within ±{margin:g}" if row["verdict"] == "equivalent" else str(row["verdict"])


def names(titles: Sequence[str]) -> str:
    """“A”, “A and B”, “A, B and C”."""
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"


def pair_rows(titles: Mapping[str, str], data: Mapping[str, Any], decimals: int) -> list[dict[str, Any]]:
    """Rows of a table of differences, with titles, the verdict and a sentence of how each was made."""
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
            f"interval is of this pair alone; p is adjusted by Holm for {count(len(data['rows']), 'pair')}.",
        }
        for row in data.get("rows", [])
    ]


def cautions(data: Mapping[str, Any], *, near_end: Iterable[str] = ()) -> list[str]:
    """Where the simulations of docs/statistics.md miss the nominal level, in exactly these cells."""
    rows = [row for row in data.get("rows", []) if not row["problem"]]
    said = []
    few = sorted({row["items"] for row in rows if row["population"] == "like" and row["items"] < FEW_ITEMS})
    if few:
        said.append(
            f"Differences are asked for items like these, and some pairs share only "
            f"{' or '.join(str(n) for n in few)} items: {FEW_ITEMS_NOTE}"
        )
    return said


#: Of `cautions`: with fewer items than this an interval for items like these misses its level.
FEW_ITEMS = 5
FEW_ITEMS_NOTE = (
    "in simulations intervals of so few items are wider or narrower than they claim (docs/statistics.md). "
    "Read them as rough."
)
