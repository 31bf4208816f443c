"""Contexts of the results pages of ABX and paired preference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict, cast

import pandas as pd
from django.utils.safestring import mark_safe
from pydantic import TypeAdapter

from evaluation import systems
from evaluation.analysis import figures
from evaluation.analysis.statistics import choices as statistics
from evaluation.analysis.statistics.corrections import LEVEL, find_hopeless
from evaluation.analysis.statistics.ranking import group_ties
from evaluation.analysis.words import count, every, p_words, percent
from evaluation.contexts import Context
from listening.methods import METHODS
from listening.models import Stimulus, Study
from listening.results.calibration import describe_misses
from listening.results.data import BradleyTerryData, MissesData, PairOddsData
from listening.results.frames import LOUD, REAL, choices_of, item_titles
from listening.results.verdicts import (
    describe_population,
    explain_correction,
    join_names,
    warn_of_few_listeners,
    widest_population,
)

#: Shares of right answers for which the page lists the number of trials needed to detect them.
SHARES = (0.6, 0.7, 0.75, 0.8, 0.9)
#: Axis and key of the figure of each method.
RIGHT_ANSWERS = "right answers"
_RIGHT_KEY = "Marker and bar: share of right answers, 95 % interval over listeners. Guessing: 50 %."
#: The same of one listener.
_RIGHT_OF_ONE = "Marker and bar: share of right answers, exact 95 % interval over answers. Guessing: 50 %."
PREFERENCES = "prefer the left one   |   prefer the right one"
DOTS = "Dots: listeners."


def key_of_answers(listeners: int) -> str:
    """The key of a figure of right answers of so many listeners."""
    return _RIGHT_OF_ONE if listeners == 1 else _RIGHT_KEY


def key_of_votes(*, bars: bool, ties: bool = True) -> str:
    """The key of a figure of votes.

    Whether an interval is over listeners alone or over items, too, the table of pairs says.

    Args:
        bars: some pair has an interval.
        ties: listeners could say that they prefer neither.
    """
    share = f"share that prefers the right one{', a tie counting half' if ties else ''}"
    return f"Marker and bar: {share}, with its 95 % interval." if bars else f"Marker: {share}."


@dataclass(frozen=True)
class ChoiceRow:
    """An answer.

    Attributes:
        item: its position.
        a, b, x: the systems in these roles; `x` is None in preference tests.
        chosen: the chosen system, or None.
        correct: whether it equals X; None in preference tests.
    """

    assessor: str
    item: int
    a: str
    b: str
    x: str | None
    chosen: str | None
    correct: bool | None


def choice_rows(study: Study, kind: str = REAL) -> list[ChoiceRow]:
    """All answers to finished trials without training, by session and trial."""
    slugs = dict(Stimulus.objects.filter(item__study=study).values_list("pk", "system"))
    made = choices_of(study, kind).filter(trial__finished__isnull=False)
    ordered = made.order_by("trial__session__number", "trial__position")
    # Columns, not rows with the rows around them, which take ten times as long.
    columns = ("trial__session__assessor__code", "trial__item__position", "trial__order", "chosen")
    rows = []
    for assessor, item, order, choice in ordered.values_list(*columns):
        parts = {entry["role"]: slugs[entry["stimulus"]] for entry in order}
        chosen = slugs[choice] if choice else None
        rows.append(
            ChoiceRow(
                assessor=assessor,
                item=item,
                a=parts["A"],
                b=parts["B"],
                x=parts.get("X"),
                chosen=chosen,
                correct=chosen == parts["X"] if "X" in parts else None,
            )
        )
    return rows


def _frame(rows: list[ChoiceRow], last: str) -> pd.DataFrame:
    """The data frame for the statistics, with each pair in the order of all tables."""
    made = []
    for row in rows:
        first, second = sorted((row.a, row.b), key=systems.order)
        made.append((row.assessor, row.item, first, second, getattr(row, last)))
    return pd.DataFrame(
        sorted(made, key=lambda row: (systems.order(row[2]), systems.order(row[3]))),
        columns=["assessor", "item", "first", "second", last],
    )


def _titles(frame: pd.DataFrame) -> dict[str, str]:
    return systems.titles_of({*frame["first"], *frame["second"]})


def _base(study: Study, kind: str, frame: pd.DataFrame) -> Context:
    return {
        "n": len(frame),
        "listeners": int(frame["assessor"].nunique()),
        "items": int(frame["item"].nunique()),
        "item_count": len(item_titles(study)),
        "uncounted": choices_of(study, kind).filter(trial__finished=None).count(),
    }


class AnswerData(TypedDict):
    """The slow part of answers as JSON, by the names that `heavy.compute` gives them."""

    logistic: list[PairOddsData]
    misses: NotRequired[MissesData]


def _odds_rows(data: Mapping[str, object] | None, titles: Mapping[str, str]) -> list[Context]:
    """Rows of the logistic model; none in an older analysis."""
    rows = cast("list[PairOddsData]", data.get("logistic") or []) if data else []
    return [{**row, "first": titles[row["first"]], "second": titles[row["second"]]} for row in rows]


def abx(study: Study, kind: str = REAL, data: AnswerData | None = None) -> Context:
    """The context of ``_results_abx.html``; `data` is of `heavy.compute`, for the companion alone."""
    frame = answer_frame(study, kind)
    found = statistics.abx(frame)
    context = _base(study, kind, frame)
    if found.problem:
        return context | {"answer": "Nobody has finished a trial yet.", "warnings": []}
    titles = _titles(frame)
    pooled = [{"row": row, "first": titles[row.first], "second": titles[row.second]} for row in found.pooled]
    distinguished = sum(row.p_holm is not None and row.p_holm < LEVEL for row in found.pooled)
    verb = "was" if distinguished == 1 else "were"
    if len(pooled) == 1:
        only = found.pooled[0]
        answer = f"{titles[only.first]} and {titles[only.second]}: {statistics.abx_sentence(only)}"
    else:
        answer = (
            f"{distinguished} of {len(pooled)} pairs {verb} told apart more often than by guessing "
            f"(exact binomial tests over all answers, Holm's p < 0.05)."
        )
        if few := sum(row.out_of_reach for row in found.pooled):
            answer += (
                f" Of {few} too few answers were given to tell: not even if all were right would Holm's p be "
                "below 0.05."
            )
    single = {
        key: [its["correct"].mean() for _, its in of_pair.groupby("assessor", sort=False)]
        for key, of_pair in frame.groupby(["first", "second"], sort=False)
    }
    shares = [
        figures.ShareRow(
            f"{titles[row.first]} – {titles[row.second]}",
            "",
            row.share,
            row.low,
            row.high,
            single[row.first, row.second],
            f"{row.correct} of {row.n}",
        )
        for row in found.pooled
    ]
    listeners = cast("int", context["listeners"])
    key = key_of_answers(listeners)
    if listeners > 1:
        key = f"{key} {DOTS}"
    drawn = figures.shares(shares, f"{study.name}: right answers", RIGHT_ANSWERS, key)
    drawn = figures.stamp(drawn, LOUD.get(kind, ""))
    return context | {
        "answer": answer,
        "warnings": [
            *found.warnings,
            *_reconcile_answers(pooled, listeners),
            *describe_misses(data, "primary"),
        ],
        "pairs": pooled,
        "shares": shares,
        "assessors": [
            {"row": row, "first": titles[row.first], "second": titles[row.second]} for row in found.assessors
        ],
        "svg": drawn,
        "figure": mark_safe(drawn),  # noqa: S308 -- texts are escaped there
        "odds": _odds_rows(data, titles),
        "companion_misses": describe_misses(data, "companions"),
        "plan": [{"share": 100 * share, "trials": statistics.abx_trials(share)} for share in SHARES],
    }


def _reconcile_answers(pooled: list[Context], listeners: int) -> list[str]:
    """Say why p and the interval beside it seem to contradict each other, where those of any pair do."""
    includes, excludes, corrected = [], [], []
    for each in pooled:
        row = cast("statistics.AbxRow", each["row"])
        pair = f"{each['first']} and {each['second']}"
        adjusted = cast("float", row.p_holm)
        if adjusted < LEVEL and row.low <= 0.5:
            includes.append(pair)
        elif row.p < LEVEL <= adjusted and row.low > 0.5:
            corrected.append(pair)
        elif row.p >= LEVEL and row.low > 0.5:
            excludes.append(pair)
    sentences = []
    if includes:
        whom = "" if listeners == 1 else ", and of listeners like these, who may differ"
        sentences.append(
            f"{'; '.join(includes)}: p is not above 0.05 though the interval includes 50 %: p is one-sided, "
            f"against everybody guessing; the interval is two-sided{whom}."
        )
    if corrected:
        sentences.append(
            f"{'; '.join(corrected)}: each interval is of its pair alone, and Holm's p allows for "
            f"{every(len(pooled), 'pair')}: so a difference can be not shown though the "
            "interval excludes 50 %."
        )
    if excludes:
        sentences.append(
            f"{'; '.join(excludes)}: the interval excludes 50 % though p is above 0.05: p is exact, the "
            "interval approximate, so go by p."
        )
    return sentences


def answer_frame(study: Study, kind: str = REAL) -> pd.DataFrame:
    """The answers of finished trials, without training, as `choices.abx` takes them."""
    return _frame(choice_rows(study, kind), "correct")


def vote_frame(study: Study, kind: str = REAL) -> pd.DataFrame:
    """The votes of finished trials, without training, as `choices.preferences` takes them."""
    return _frame(choice_rows(study, kind), "chosen")


class VoteData(TypedDict):
    """The tests of votes as JSON, by the names that `heavy.compute` gives them; of `Preference`, too."""

    preferences: list[dict[str, object]]
    scale: BradleyTerryData | None
    logistic: list[PairOddsData]
    misses: MissesData


#: Pairs as an analysis keeps them in JSON.
_PREFERENCES = TypeAdapter(list[statistics.Preference])


def _read_scale(data: BradleyTerryData) -> statistics.BradleyTerry:
    worths = [statistics.Worth(**row) for row in data["systems"]]
    return statistics.BradleyTerry(worths, data["votes"], data["ties"], data["problem"])


def preference(study: Study, kind: str = REAL, data: VoteData | None = None) -> Context:
    """The context of ``_results_ab.html``; `data` is of `heavy.compute`."""
    frame = vote_frame(study, kind)
    context = _base(study, kind, frame)
    if frame.empty:
        return context | {"answer": "Nobody has finished a trial yet.", "warnings": []}
    titles = _titles(frame)
    offered = METHODS[study.method].offers_no_preference(study.method_options)
    ties = offered or bool(frame["chosen"].isna().any())
    if data:
        found = _PREFERENCES.validate_python(data["preferences"])
        scale = _read_scale(data["scale"]) if data["scale"] else None
        answer = _describe_preferences(found, scale, titles)
    else:
        found, scale = statistics.count_votes(frame), None
        answer = f"{count(len(frame), 'vote')}. Whether a system is preferred is not computed yet."
    single = {
        key: [
            (its["chosen"] == key[0]).sum() / its["chosen"].notna().sum()
            for _, its in of_pair.groupby("assessor", sort=False)
            if its["chosen"].notna().any()
        ]
        for key, of_pair in frame.groupby(["first", "second"], sort=False)
    }
    # The preferred system is shown at the right, where its share grows.
    shares = [
        figures.ShareRow(
            titles[row.first],
            titles[row.second],
            1 - row.share,
            None if row.high is None else 1 - row.high,
            None if row.low is None else 1 - row.low,
            [1 - share for share in single[row.first, row.second]],
            f"{row.first_votes} : {row.second_votes}" + (f", {count(row.ties, 'tie')}" if row.ties else ""),
        )
        for row in found
    ]
    key = key_of_votes(bars=any(row.low is not None for row in found), ties=ties)
    drawn = figures.shares(
        shares, f"{study.name}: preference", PREFERENCES, f"{key} {DOTS[:-1]}, decided votes."
    )
    warnings = []
    fewest = min(row.assessors for row in found)
    if fewest == 1:
        warnings += warn_of_few_listeners(1)
    elif fewest < statistics.LEAST_ASSESSORS:
        warnings.append("With fewer than five listeners per pair, intervals and tests say little.")
    if scale and scale.problem:
        warnings.append(scale.problem)
    warnings += describe_misses(data, "primary")
    drawn = figures.stamp(drawn, LOUD.get(kind, ""))
    return context | {
        "answer": answer,
        "warnings": warnings,
        "pairs": [{"row": row, "first": titles[row.first], "second": titles[row.second]} for row in found],
        "population": widest_population(
            (row.population.value for row in found if row.p is not None), study.analysis.population
        ),
        "shares": shares,
        "ties": ties,
        "odds": _odds_rows(data, titles),
        "companion_misses": describe_misses(data, "companions"),
        "scale": [{"row": row, "title": titles[row.system]} for row in scale.systems] if scale else [],
        "svg": drawn,
        "figure": mark_safe(drawn),  # noqa: S308 -- texts are escaped there
    }


def _describe_preferences(
    found: list[statistics.Preference], scale: statistics.BradleyTerry | None, titles: dict[str, str]
) -> str:
    shown = [row for row in found if row.p_holm is not None and row.p_holm < LEVEL]
    untested = [row for row in found if row.p_holm is None]
    tested = [row for row in found if row.p_holm is not None]
    # The model of votes has no least p.
    hopeless = find_hopeless([row.floor for row in tested])
    out_of_reach = [row for row, never in zip(tested, hopeless, strict=True) if never]
    undecided = [row for row in tested if row not in shown and row not in out_of_reach]
    sentences = [_describe_pair(row, titles) for row in shown]
    sentences.append(describe_population(row.population.value for row in shown))
    if undecided:
        sentences.append(
            f"Undecided: {_name_pairs(undecided, found, titles)}; this is not evidence that listeners are "
            "indifferent."
        )
        seems = [
            f"{titles[row.first]} and {titles[row.second]}"
            for row in undecided
            if row.low is not None and row.high is not None
            if row.low > 0.5 or row.high < 0.5
        ]
        if seems:
            though = f"excludes 50 %, as that of {'; '.join(seems)} does"
            sentences.append(explain_correction(len(tested), though))
    if out_of_reach:
        corrected = f" (Holm's, of {count(len(tested), 'pair')})" if len(tested) > 1 else ""
        sentences.append(
            f"No verdict is possible on {_name_pairs(out_of_reach, found, titles)}: with so few listeners p"
            f"{corrected} is not below 0.05 even where all of them prefer the same system."
        )
    single = [row for row in untested if row.assessors == 1]
    for rows, why in (
        (single, "one listener voted"),
        ([row for row in untested if row not in single], "the votes leave no spread to test with"),
    ):
        if rows:
            sentences.append(f"No test was possible of {_name_pairs(rows, found, titles)}: {why}.")
    if scale and scale.systems and shown:
        sentences.append(_describe_highest(scale.systems, found, shown, titles))
    return " ".join(filter(None, sentences))


def _describe_highest(
    scale: list[statistics.Worth],
    found: list[statistics.Preference],
    shown: list[statistics.Preference],
    titles: dict[str, str],
) -> str:
    """Who stands highest on Bradley and Terry's scale, and against whom that is not shown."""
    best = group_ties(scale, lambda row: row.ability)[0]
    highest = [row.system for row in best]
    preferred = {(row.first, row.second) if row.share > 0.5 else (row.second, row.first) for row in shown}
    doubts = []
    for system in highest:
        met = [{row.first, row.second} - {system} for row in found if system in (row.first, row.second)]
        open_to = [
            titles[other] for (other,) in met if other not in highest and (system, other) not in preferred
        ]
        if open_to:
            who = "it" if len(best) == 1 else titles[system]
            doubts.append(f"that {who} is preferred to {join_names(open_to)}")
    names = join_names([titles[system] for system in highest])
    stands, each = ("stands highest", "it") if len(best) == 1 else ("stand highest together", "each")
    share = percent(best[0].share)
    said = f"On Bradley and Terry's scale {names} {stands}: {each} wins {share} of votes on average"
    return f"{said}; {join_names(doubts)} is not shown." if doubts else f"{said}."


def _name_pairs(
    some: list[statistics.Preference], of: list[statistics.Preference], titles: dict[str, str]
) -> str:
    """“Opus 9k and CELP 8k”, “2 pairs of 3”, “all 3 pairs”."""
    if len(some) == 1:
        return f"{titles[some[0].first]} and {titles[some[0].second]}"
    return every(len(of), "pair") if len(some) == len(of) else f"{count(len(some), 'pair')} of {len(of)}"


def _describe_pair(row: statistics.Preference, titles: dict[str, str]) -> str:
    first = row.share >= 0.5
    better, other = (row.first, row.second) if first else (row.second, row.first)
    said = [count(row.assessors, "listener"), p_words(row.p_holm)]
    if row.low is not None and row.high is not None:
        low, high = (row.low, row.high) if first else (1 - row.high, 1 - row.low)
        said.insert(0, f"{percent(low)} to {percent(high)}")
    share = percent(max(row.share, 1 - row.share))
    return f"{titles[better]} is preferred to {titles[other]}: {share} ({', '.join(said)})."
