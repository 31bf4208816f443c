"""The results in sentences: the answer at the top, and warnings about its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.analysis.statistics.agreement import DISAGREEMENT
from evaluation.analysis.statistics.corrections import LEVEL
from evaluation.analysis.words import count, every, figure, p_figure
from listening.results.frames import SIMULATED
from listening.results.outcome import Results, SystemResult
from listening.results.scales import LOW_SCALE
from listening.results.verdicts import Ranked, Terms, describe_block, join_names, warn_of_few_listeners


def answer(results: Results, data: Mapping[str, Any] | None = None) -> str:
    """The outcome in a few sentences; statements on differences are based on the tests in `data` only."""
    if results.listeners == 0:
        return _explain_absence(results)
    blocks = results.ranked_blocks
    if not blocks:
        return "No system under test has a grade yet."
    if len(blocks) > 1:
        groups = "; ".join(", ".join(row.title for row in block) for block in blocks)
        intro = (
            f"{count(len(blocks), 'group')} of systems were never heard on the same recordings and cannot be "
            f"compared with each other: {groups}."
        )
        return " ".join(
            [intro, *(_answer_for_block(results, block, data) for block in blocks if len(block) > 1)]
        )
    return _answer_for_block(results, blocks[0], data)


def _answer_for_block(results: Results, block: list[SystemResult], data: Mapping[str, Any] | None) -> str:
    frame = results.frame
    adjusted = not results.is_complete
    ranked = [
        Ranked(
            row.slug,
            row.title,
            results.adjusted[row.slug] if adjusted or row.mean is None else row.mean,
            row.listeners,
            int(frame.loc[frame["system"] == row.slug, "item"].nunique()),
            row.low,
            row.high,
        )
        for row in block
    ]
    of_scale = " of 100" if results.scale.high == 100 else ""
    terms = Terms(results.scale, of_scale=of_scale, adjusted=adjusted)
    return describe_block(ranked, terms, data["pairs"] if data and "pairs" in data else None)


def describe_reach(data: Mapping[str, Any]) -> list[str]:
    """Sentences on companion tests that cannot become significant with so few listeners."""
    names = {"sign_flip": "The sign-flip test", "wilcoxon": "Wilcoxon's test", "attachment3": "Attachment 3"}
    sentences = []
    for name, title in names.items():
        # Attachment 3 goes by single grades, and corrects for nothing.
        lacking = "grades" if name == "attachment3" else "listeners"
        several = "" if name == "attachment3" else " and so many pairs"
        few, rows = data.get(name, {}).get("out_of_reach"), len(data.get(name, {}).get("rows", ()))
        if few and rows == 1:
            sentences.append(
                f"{title} cannot fall below 0.05 with so few {lacking}, so it is not informative here."
            )
        elif few:
            sentences.append(
                f"{title} cannot fall below 0.05 in {few} of {rows} rows with so few {lacking}{several}, so "
                "it is not informative there."
            )
    # An older analysis has no floor.
    floor = data.get("friedman", {}).get("floor")
    if floor is not None and floor >= LEVEL:
        sentences.append(
            f"Friedman's test cannot fall below 0.05 with so few listeners and systems (its least is "
            f"{p_figure(floor)}), so it is not informative here."
        )
    return sentences


def _explain_absence(results: Results) -> str:
    if results.screened:
        who = every(len(results.screened), "listener")
        are = "is" if len(results.screened) == 1 else "are"
        return f"{who[0].upper()}{who[1:]} {are} screened out; choose “All listeners” to see the grades."
    if results.uncounted:
        return "Nobody has finished a trial yet; grades count once their trial is finished."
    return "Nobody has graded anything yet."


def warnings(results: Results) -> list[str]:
    """Warnings about the limits of the figures."""
    notes = warn_of_few_listeners(results.listeners)
    alike = [row.title for row in results.ranked_systems if row.ci95 is not None and row.ci95 < 1e-9]
    if alike:
        notes.append(
            f"All listeners have the same mean of {join_names(alike)}: the interval has zero width. It "
            "shows that these listeners agree, not that another would."
        )
    if results.listeners and results.items == 1:
        notes.append("One item: the figures hold for this recording only; BS.1534-3 asks for 5 or more.")
    if results.listeners and results.frame["score"].max() <= LOW_SCALE:
        notes.append(
            "No grade is above 10: the test seems to have used a scale other than 0 to 100. The screening "
            "thresholds of BS.1534-3 do not apply, and the grades are not MUSHRA grades."
        )
    notes += _warn_of_gaps(results)
    notes += [
        f"{row.metric.title} and the listeners order the systems differently: rank correlation "
        f"{figure(row.spearman, 2)} over {row.systems} systems and anchors, all of its 95 % interval below "
        f"{DISAGREEMENT:g}. It is not a substitute for listeners here."
        for row in results.agreements
        if row.disagrees and results.kind != SIMULATED
    ]
    if results.uncounted:
        notes.append(
            f"{count(results.uncounted, 'grade')} in trials that are not finished "
            f"{'is' if results.uncounted == 1 else 'are'} in the export and not in these figures."
        )
    return notes


def _warn_of_gaps(results: Results) -> list[str]:
    """Warnings about listeners who graded a part of the items: by the study's design, or for lack of time."""
    from listening.study.design import plan_of

    study, whole = results.study, len(results.item_titles)
    items = results.frame.groupby("assessor")["item"].nunique()
    given = whole
    if study.design and not study.imported:
        given = max(len(block) for block in plan_of(study).items)
    notes = []
    if items.size and given < whole:
        notes.append(
            f"By the study's design each listener is given {given} of {count(whole, 'item')}: listeners' "
            "means are over different items."
        )
    if partial := int((items < given).sum()):
        fewer = f"fewer than {given} items" if given < whole else "only some of the items"
        notes.append(
            f"{count(partial, 'listener')} graded {fewer}{'' if study.imported else ' so far'}; "
            "a mean of listener means gives each listener the same weight."
        )
    return notes
