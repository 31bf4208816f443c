"""What the figures say, in sentences: the answer at the top, and what keeps it from meaning more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.analysis.words import count, figure
from listening.results.outcome import Results, SystemResult

#: Of a metric whose rank correlation with the grades is lower, the page warns.
DISAGREEMENT = 0.5
#: A test without a grade above this has used another scale than 0 to 100.
LOW_SCALE = 10


#: Whom a difference speaks for, as its sentences say it.
POPULATIONS = {"like": "for items like these", "these": "for these items only"}


def answer(results: Results, data: Mapping[str, Any] | None = None) -> str:
    """The outcome in a few sentences; what is said of differences comes from the tests in `data` alone."""
    if results.listeners == 0:
        return _nothing(results)
    blocks = results.ranked_blocks
    if not blocks:
        return "No system under test has a grade yet."
    if len(blocks) > 1:
        groups = "; ".join(", ".join(row.title for row in block) for block in blocks)
        intro = (
            f"{count(len(blocks), 'group')} of systems were never heard on the same recordings and cannot be "
            f"compared with each other: {groups}."
        )
        return " ".join([intro, *(_of_block(results, block, data) for block in blocks if len(block) > 1)])
    return _of_block(results, blocks[0], data)


def _of_block(results: Results, block: list[SystemResult], data: Mapping[str, Any] | None) -> str:
    best = block[0]
    heard = results.frame[results.frame["system"] == best.slug]
    who = f"{count(best.listeners, 'listener')}, {count(int(heard['item'].nunique()), 'item')}"
    if best.low is not None:
        low, high = _on_scale(results, best.low), _on_scale(results, best.high)
        who += f"; 95 % interval of listener means {low} to {high}"
    adjusted = not results.is_complete
    value = results.adjusted[best.slug] if adjusted else best.mean
    kind = "mean, adjusted for who heard which items" if adjusted else "mean"
    mean = f"{figure(value, 1)}{_of_scale(results)} ({who})"
    if len(block) == 1:
        return f"{best.title} has a {kind} of {mean}."
    ties = [
        row.title for row in block if abs(results.adjusted[row.slug] - results.adjusted[best.slug]) < 1e-9
    ]
    if len(ties) > 1:
        first = f"{_list(ties)} have the same {kind}, the highest of {len(block)} systems: {mean}."
    else:
        first = f"{best.title} has the highest {kind} of {len(block)} systems: {mean}."
    return f"{first} {_compared(results, block, data)}".rstrip()


def _compared(results: Results, block: list[SystemResult], data: Mapping[str, Any] | None) -> str:
    """What the tests say of the best against each of the others, grouped by verdict."""
    if not data or "pairs" not in data:
        return "The tests between systems are not computed yet."
    best, margin = block[0], data["pairs"]["margin"]
    found = {row["b"]: row for row in data["pairs"]["rows"] if row["a"] == best.slug}
    rows = [(other, found[other.slug]) for other in block[1:] if other.slug in found]
    sentences = []
    for name, start in (
        ("better", "It is better than"),
        ("worse", "It is worse than"),
        ("equivalent", f"It is equivalent within ±{margin:g} points to"),
        ("undecided", "Undecided:"),
    ):
        said = [_apart(other, row) for other, row in rows if row["verdict"] == name and not row["problem"]]
        if said:
            sentences.append(f"{start} {_list(said)}.")
    untested = [other.title for other, row in rows if row["problem"]]
    if untested:
        sentences.append(f"No test was possible against {_list(untested)}.")
    populations = {row["population"] for _, row in rows if not row["problem"]}
    if len(populations) == 1:
        sentences.append(f"This holds {POPULATIONS[populations.pop()]}.")
    return " ".join(sentences)


def _apart(other: SystemResult, row: Mapping[str, Any]) -> str:
    difference, low, high = (figure(row[name], 1) for name in ("difference", "low", "high"))
    return f"{other.title} ({difference} points, {low} to {high})"


def verdict(row: Mapping[str, Any], margin: float) -> str:
    """A row's verdict in words, with the margin where it is one of equivalence."""
    return f"equivalent within ±{margin:g}" if row["verdict"] == "equivalent" else str(row["verdict"])


def reach(data: Mapping[str, Any]) -> list[str]:
    """Which companion tests cannot become significant with so few listeners, whatever the grades."""
    names = {"sign_flip": "The sign-flip test", "wilcoxon": "Wilcoxon's test", "attachment3": "Attachment 3"}
    return [
        f"{title} cannot fall below 0.05 in {data[name]['out_of_reach']} of {len(data[name]['rows'])} rows "
        "with so few listeners and so many pairs: there it says nothing."
        for name, title in names.items()
        if data.get(name, {}).get("out_of_reach")
    ]


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _of_scale(results: Results) -> str:
    return "" if results.frame["score"].max() <= LOW_SCALE else " of 100"


def _on_scale(results: Results, value: float | None) -> str:
    return figure(value, 1 if results.frame["score"].max() <= LOW_SCALE else 0)


def _nothing(results: Results) -> str:
    if results.screened:
        who = (
            "The only listener is"
            if len(results.screened) == 1
            else f"All {len(results.screened)} listeners are"
        )
        return f"{who} screened out; choose “All assessors” to see the grades."
    if results.uncounted:
        return "Nobody has finished a trial yet; grades count once their trial is finished."
    return "Nobody has graded anything yet."


def warnings(results: Results) -> list[str]:
    """What keeps the figures from meaning what a reader may take them for."""
    notes = []
    if results.listeners == 1:
        notes.append(
            "One listener: there is no interval of listener means; it takes two, and a test some 20."
        )
    elif results.listeners == 2:
        notes.append("Two listeners: the intervals have one degree of freedom and say next to nothing.")
    if results.listeners and results.items == 1:
        notes.append(
            "One item: the figures hold for this recording, not the systems; BS.1534-3 asks for 5 or more."
        )
    if results.listeners and results.frame["score"].max() <= LOW_SCALE:
        notes.append(
            "No grade is above 10: the test seems to have used another scale than 0 to 100, and what is said "
            "here of thresholds and words of the scale does not hold for it."
        )
    items = results.frame.groupby("assessor")["item"].nunique()
    partial = int((items < len(results.item_titles)).sum())
    if partial and not results.study.design:
        notes.append(
            f"{count(partial, 'listener')} graded only some of the items so far; "
            "a mean of listener means gives each listener the same weight."
        )
    elif partial:
        notes.append(
            f"{count(partial, 'listener')} graded some of the items, as the study's blocks have it or "
            "because they are not through: each listener's mean is over other items."
        )
    notes += [
        f"{row.metric.title} and the listeners order the systems differently: rank correlation "
        f"{figure(row.spearman, 2)} over {row.systems} systems and anchors. It can't stand in for the grades."
        for row in results.agreements
        if row.spearman is not None and _disagrees(row.spearman, row.metric.higher_is_better)
        if row.metric.slug != "stoi"
    ]
    if results.uncounted:
        notes.append(
            f"{count(results.uncounted, 'grade')} in trials that are not finished "
            f"{'is' if results.uncounted == 1 else 'are'} in the export and not in these figures."
        )
    return notes


def _disagrees(correlation: float, higher_is_better: bool) -> bool:
    return (correlation if higher_is_better else -correlation) < DISAGREEMENT
