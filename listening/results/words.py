"""What the figures say, in sentences: the answer at the top, and what keeps it from meaning more."""

from __future__ import annotations

from evaluation.analysis.words import count, figure
from listening.results.outcome import Results

#: Of a metric whose rank correlation with the grades is lower, the page warns.
DISAGREEMENT = 0.5
#: A test without a grade above this has used another scale than 0 to 100.
LOW_SCALE = 10


def answer(results: Results) -> str:
    """The outcome in one sentence or two, with n and interval."""
    if results.listeners == 0:
        return _nothing(results)
    ranked = results.ranked
    if not ranked:
        return "No system under test has a grade yet."
    best = ranked[0]
    interval = (
        f"; 95 % interval of listener means {best.low:.0f} to {best.high:.0f}" if best.low is not None else ""
    )
    who = f"{count(best.listeners, 'listener')}, {count(results.items, 'item')}"
    scale = "" if results.frame["score"].max() <= LOW_SCALE else " of 100"
    mean = f"{best.mean:.1f}{scale} ({who}{interval})"
    if len(ranked) == 1:
        return f"{best.title} was graded {mean}."
    ties = [row.title for row in ranked if row.mean == best.mean]
    if len(ties) > 1:
        return f"{' and '.join(ties)} were graded alike and highest: {mean}."
    return f"{best.title} was graded highest of {len(ranked)} systems: {mean}. {_second(results)}"


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


def _second(results: Results) -> str:
    second, margin = results.ranked[1], results.margin
    if margin is None:
        return f"{second.title} follows with {second.mean:.1f}; no listener graded both."
    if margin.low is None or margin.high is None:
        return f"{second.title} follows {margin.mean:.1f} points behind."
    interval = f"paired 95 % interval {figure(margin.low, 1)} to {figure(margin.high, 1)}"
    if margin.low <= 0 <= margin.high:
        return (
            f"{second.title} follows {figure(margin.mean, 1)} points behind ({interval}): "
            "these grades do not tell the two apart."
        )
    return f"{second.title} follows {figure(margin.mean, 1)} points behind ({interval})."


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
