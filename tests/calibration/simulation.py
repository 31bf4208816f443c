"""Simulated studies of systems that do not differ, of many sizes and kinds, and what the analyses claim.

Each kind of method has its own way to draw studies; `METHODS` lists them. Scenarios mean the same everywhere:
spreads that are even or not (between systems; of choices and diff grades between listeners), a third of the
grades missing, grades near the end of the scale, and systems that differ by item though not over items of
their kind. What is slow is tried on fewer studies, and each row of the table says on how many.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr

from evaluation.analysis.statistics import (
    anova,
    choices,
    comparisons,
    impairment,
    intervals,
    logistic,
    mixed,
    ordinal,
)
from evaluation.analysis.statistics.calibration import COLUMNS, ITEMS, LISTENERS, SCENARIOS, Cell
from evaluation.analysis.statistics.corrections import holm
from evaluation.analysis.statistics.differences import MARGIN, Population, compare
from evaluation.analysis.statistics.frames import Floats
from tests.calibration import balanced
from tests.calibration.balanced import estimate

Rng = np.random.Generator
LIKE, THESE = Population.ITEMS_LIKE_THESE, Population.THESE_ITEMS
SYSTEMS = ("a", "b", "c")
PAIR: list[comparisons.Pair] = [("a", "b")]
LEVEL = 0.05
MISSING = 0.3
#: Fewer than the 9999 and 10 000 of the page: the noise is a tenth of an interval's end's at most.
RESAMPLES = 999
#: Share of the studies that are fitted one by one: where grades are missing, by companions, by the slowest.
GAPS, COMPANIONS, SLOWEST = (1.0, 1.0, 1.0) if "CALIBRATION_WHOLE" in os.environ else (0.2, 0.2, 0.05)

#: What an analysis claimed: its name; whether intervals cover; whether tests cry wolf. None: no claim.
Claim = tuple[str, Iterable[bool | None] | None, Iterable[bool | None] | None]


@dataclass(frozen=True)
class Drawn:
    """Studies, (studies, listeners, items, systems), NaN for no grade.

    Attributes:
        apart, mean: true difference of a and b, and mean of a, over each study's items.
        margin: of equivalence.
    """

    scores: Floats
    apart: Floats
    mean: Floats
    margin: float = MARGIN


def _lose(scenario: str, scores: Floats, rng: Rng) -> Floats:
    if scenario != "missing":
        return scores
    return np.where(rng.random(scores.shape) > MISSING, scores, np.nan)


def _normal(rng: Rng, sd: float | Floats, *shape: int) -> Floats:
    return np.asarray(sd * rng.standard_normal(shape))


def draw_grades(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Drawn:
    """MUSHRA: 50 + listener 8 + item 8 + listener x system 4 + system x item + rest 8, in points.

    Near the ceiling 97 without listeners and items, cut off at 100; with system x item that is 5.
    """
    ceiling = scenario == "near ceiling"
    common = 0.0 if ceiling else 8.0
    by_item = _normal(rng, 5.0 if scenario == "system x item" else 0.0, studies, 1, items, 3)
    of_items = _normal(rng, common, studies, 1, items, 1)
    spread = np.array([4.0, 16.0, 8.0]) if scenario == "unequal spread" else np.full(3, 8.0)
    scores = (
        (97.0 if ceiling else 50.0)
        + _normal(rng, common, studies, listeners, 1, 1)
        + of_items
        + _normal(rng, 4.0, studies, listeners, 1, 3)
        + by_item
        + _normal(rng, spread, studies, listeners, items, 3)
    )
    level = 50.0
    if ceiling:
        scores = np.minimum(scores, 100.0)
        wide = float(np.hypot(4.0, 8.0))  # of min(x, 100), x normal around 97
        z = 3.0 / wide
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        level = float(97.0 * ndtr(z) - wide * density + 100.0 * ndtr(-z))
    apart = (by_item[..., 0] - by_item[..., 1]).mean(axis=(1, 2))
    mean = level + of_items.mean(axis=(1, 2, 3)) + by_item[..., 0].mean(axis=(1, 2))
    return Drawn(_lose(scenario, scores, rng), apart, mean)


def draw_categories(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Drawn:
    """ACR: whole categories of 1 to 5 around 3 (4.6 near the ceiling), 0.4 of one between listeners."""
    base = 4.6 if scenario == "near ceiling" else 3.0
    by_item = _normal(rng, 0.4 if scenario == "system x item" else 0.0, studies, 1, items, 3)
    of_items = _normal(rng, 0.4, studies, 1, items, 1)
    spread = np.array([0.4, 1.2, 0.8]) if scenario == "unequal spread" else np.full(3, 0.8)
    latent = (
        base
        + _normal(rng, 0.4, studies, listeners, 1, 1)
        + of_items
        + _normal(rng, 0.3, studies, listeners, 1, 3)
        + by_item
        + _normal(rng, spread, studies, listeners, items, 3)
    )
    wide = np.sqrt(0.4**2 + 0.3**2 + spread**2)[:, None]
    expected = 1 + ndtr(((base + of_items + by_item)[..., None] - np.arange(1.5, 5)) / wide).sum(axis=-1)
    apart = (expected[..., 0] - expected[..., 1]).mean(axis=(1, 2))
    if scenario != "system x item":
        apart = np.zeros(studies)
    scores = _lose(scenario, np.clip(np.round(latent), 1, 5), rng)
    return Drawn(scores, apart, expected[..., 0].mean(axis=(1, 2)), 0.2)


def draw_diff_grades(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Drawn:
    """BS.1116: diff grades of transparent systems, as often above as below 0, to a tenth.

    Unequal spread: listeners differ in it from 0.1 to 1. Near the ceiling two of three are exactly 0.
    """
    by_item = _normal(rng, 0.3 if scenario == "system x item" else 0.0, studies, 1, items, 3)
    spread = 10 ** rng.uniform(-1, 0, (studies, listeners, 1, 1)) if scenario == "unequal spread" else 0.5
    ceiling = scenario == "near ceiling"
    rest = spread * rng.standard_normal((studies, listeners, items, 3))
    scores = _normal(rng, 0.0 if ceiling else 0.2, studies, listeners, 1, 3) + by_item + rest
    if ceiling:
        scores = np.where(rng.random(scores.shape) < 2 / 3, 0.0, scores)
    apart = (by_item[..., 0] - by_item[..., 1]).mean(axis=(1, 2))
    scores = _lose(scenario, np.clip(np.round(scores, 1), -4, 4), rng)
    return Drawn(scores, apart, by_item[..., 0].mean(axis=(1, 2)), 0.2)


def to_frame(scores: Floats) -> pd.DataFrame:
    """One study, (listeners, items, systems), as a tidy frame of what was graded."""
    listener, item, system = np.nonzero(~np.isnan(scores))
    return pd.DataFrame(
        {
            "assessor": listener,
            "item": item,
            "system": np.array(SYSTEMS, dtype=object)[system],
            "score": scores[listener, item, system],
        }
    )


def _some(scores: Floats, share: float) -> range:
    return range(max(1, round(share * len(scores))))


# What analyses claim -----------------------------------------------------------------------------


def differences(drawn: Drawn) -> Iterator[Claim]:
    """The primary analysis: over these items the difference is as drawn, over all like them it is 0."""
    if np.isnan(drawn.scores).any():
        yield from _differences_with_gaps(drawn)
        return
    items, margin = drawn.scores.shape[2], drawn.margin
    for population in (LIKE, THESE) if items > 1 else (THESE,):
        pairs = list(combinations(range(3), 2))
        found = [estimate(drawn.scores[..., a] - drawn.scores[..., b], population) for a, b in pairs]
        first, known = found[0], np.isfinite(found[0].se)
        truth = drawn.apart if population is THESE else np.zeros(len(drawn.scores))
        low, high = first.interval()
        null = not truth.any()
        name = f"difference, {population.value}"
        yield name, _covers(low, truth, high, known), (first.p() < LEVEL)[known] if null else None
        if not null:
            continue
        if population is LIKE:
            adjusted = [holm([float(p) if np.isfinite(p) else None for p in ps]) for ps in _p_of(found)]
            shown = [any(p is not None and p < LEVEL for p in ps) for ps in adjusted]
            yield "difference, Holm over three", None, shown
        low, high = first.interval(0.9)
        yield f"equivalence, {population.value}", None, ((high < 0) & (low + 2 * margin > 0))[known]


def _p_of(found: list) -> Floats:
    return np.stack([each.p() for each in found], axis=1)


def _covers(low: Floats, truth: Floats, high: Floats, known: np.ndarray) -> np.ndarray:
    return ((low - 1e-9 <= truth) & (truth <= high + 1e-9))[known]


def _differences_with_gaps(drawn: Drawn) -> Iterator[Claim]:
    for population in (LIKE, THESE):
        covers, alarms, several, equal = [], [], [], []
        for number in _some(drawn.scores, GAPS):
            # All three pairs for one population: the other is no different in this.
            pairs = None if population is LIKE else PAIR
            frame = to_frame(drawn.scores[number])
            found = compare(frame, pairs, population=population, margin=drawn.margin).rows
            row = next((each for each in found if (each.a, each.b) == ("a", "b")), None)
            if row is None or row.population is not population or row.p is None:
                continue
            assert row.low is not None
            assert row.high is not None
            assert row.low90 is not None
            assert row.high90 is not None
            covers.append(row.low <= 0 <= row.high)
            alarms.append(row.p < LEVEL)
            several.append(any(each.p_adjusted is not None and each.p_adjusted < LEVEL for each in found))
            equal.append(row.high90 < 0 and row.low90 + 2 * drawn.margin > 0)
        if covers:
            yield f"difference, {population.value}", covers, alarms
            if population is LIKE:
                yield "difference, Holm over three", None, several
            yield f"equivalence, {population.value}", None, equal


def means(drawn: Drawn) -> Iterator[Claim]:
    """Intervals of a's listener means."""
    with np.errstate(invalid="ignore"):
        counts = (~np.isnan(drawn.scores[..., 0])).sum(axis=2)
        sums = np.nansum(drawn.scores[..., 0], axis=2)
        of_listeners = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    covers, bootstrap = [], []
    for number, truth in enumerate(drawn.mean):
        own = of_listeners[number][~np.isnan(of_listeners[number])]
        if found := intervals.t_interval(own, "listeners"):
            covers.append(found.low - 1e-9 <= truth <= found.high + 1e-9)
        if found := intervals.bca_interval(own, "listeners", resamples=RESAMPLES, seed=number):
            bootstrap.append(found.low <= truth <= found.high)
    yield "mean", covers, None
    yield "mean, BCa", bootstrap, None


def grades(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    drawn = draw_grades(scenario, listeners, items, studies, rng)
    yield from differences(drawn)
    yield from means(drawn)


def categories(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    drawn = draw_categories(scenario, listeners, items, studies, rng)
    yield from differences(drawn)
    yield from means(drawn)


def diff_grades(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    """Also whether an impairment is shown of a, and what listeners who pass the t-test make of it."""
    drawn = draw_diff_grades(scenario, listeners, items, studies, rng)
    yield from differences(drawn)
    if scenario != "missing":
        for population in (LIKE, THESE) if items > 1 else (THESE,):
            found = estimate(drawn.scores[..., 0], population)
            known, (low, high) = np.isfinite(found.se), found.interval()
            truth = drawn.mean if population is THESE else np.zeros(studies)
            alarms = None if truth.any() else (found.p() < LEVEL)[known]
            yield f"impairment, {population.value}", _covers(low, truth, high, known), alarms
    rows: dict[str, list[impairment.Impairment]] = {}
    for number in _some(drawn.scores, SLOWEST):
        tidy = to_frame(drawn.scores[number])
        tidy = tidy[tidy["system"] == "a"]
        below, above = np.minimum(tidy["score"], 0), np.maximum(tidy["score"], 0)
        frame = tidy.assign(score=5.0 + below, reference=5.0 - above)
        if frame.empty:
            continue
        if scenario == "missing":
            for population in (LIKE, THESE):
                rows.setdefault(f"impairment, {population.value}", []).extend(
                    row for row in impairment.impairments(frame, population) if row.population is population
                )
        experts = [row.assessor for row in impairment.expertise(frame) if row.expert]
        passed = impairment.impairments(frame[frame["assessor"].isin(experts)])
        rows.setdefault("impairment, listeners who passed", []).extend(passed)
    for name, found_rows in rows.items():
        tested = [row for row in found_rows if row.low is not None and row.high is not None]
        covers = [row.low <= 0 <= row.high for row in tested if row.low is not None and row.high is not None]
        yield name, covers, [row.p is not None and row.p < LEVEL for row in tested]


def draw_votes(
    scenario: str, listeners: int, items: int, studies: int, rng: Rng
) -> tuple[Floats, Floats, float]:
    """AB: nobody prefers any of three systems on average, near the ceiling a is preferred in nine of ten.

    Unequal spread: listeners differ by 1 logit; system x item: items by 0.7.

    Returns:
        votes of +1, -1 and NaN for none, (studies, listeners, items, pairs); the true share that prefers a to
        b in each study's items; the same in all items of their kind, of a typical listener.
    """
    ceiling = scenario == "near ceiling"
    logit = float(np.log(9.0)) if ceiling else 0.0
    of_listeners = _normal(rng, 1.0 if scenario == "unequal spread" else 0.0, studies, listeners, 1, 3)
    of_items = _normal(rng, 0.7 if scenario == "system x item" else 0.0, studies, 1, items, 3)
    chance = expit(logit + of_listeners + of_items)
    won = np.where(rng.random((studies, listeners, items, 3)) < chance, 1.0, -1.0)
    won = _lose(scenario, won, rng)
    return won, expit(logit + of_items[..., 0]).mean(axis=(1, 2)), float(expit(logit))


def votes(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    """Preferences between a and b, and abilities of three systems, of `draw_votes`."""
    ceiling = scenario == "near ceiling"
    won, here, share = draw_votes(scenario, listeners, items, studies, rng)
    first = won[..., 0]
    if items == 1:
        yield from _single_votes(first[..., 0], here, ceiling)
    elif not np.isnan(won).any():
        for population, truth in ((LIKE, np.full(studies, share)), (THESE, here)):
            found = estimate(first, population)
            low, high = ((1 + end) / 2 for end in found.interval())
            known = np.isfinite(found.se)
            null = not ceiling and bool(np.all(truth == 0.5))
            alarms = (found.p() < LEVEL)[known] if null else None
            covers = _covers(np.maximum(low, 0), truth, np.minimum(high, 1), known)
            yield f"preference, {population.value}", covers, alarms
    else:
        yield from _votes_one_by_one(first, here, share, ceiling)
    if ceiling:
        return
    worths: dict[str, list[bool]] = {"Bradley-Terry, votes": [], "Bradley-Terry, listeners": []}
    for number in _some(won, SLOWEST):
        found_worths = {row.system: row for row in choices.bradley_terry(votes_frame(won[number])).systems}
        if "a" in found_worths:
            row = found_worths["a"]
            worths["Bradley-Terry, votes"].append(row.low <= 0 <= row.high)
            if row.low_assessors is not None and row.high_assessors is not None:
                worths["Bradley-Terry, listeners"].append(row.low_assessors <= 0 <= row.high_assessors)
    for name, covers_zero in worths.items():
        if covers_zero:
            yield name, covers_zero, None


def _single_votes(first: Floats, here: Floats, ceiling: bool) -> Iterator[Claim]:
    """Where each listener has one vote, (studies, listeners), the exact test and interval are printed."""
    n, won = (~np.isnan(first)).sum(axis=1), (first > 0).sum(axis=1)
    voted = np.flatnonzero(n)
    ends = [_exact(int(won[k]), int(n[k])) for k in voted]
    covers = [low <= here[k] <= high for k, (low, high) in zip(voted, ends, strict=True)]
    alarms = [choices.two_sided(int(won[k]), int(n[k])) < LEVEL for k in voted]
    null = not ceiling and bool(np.all(here == 0.5))
    yield "preference, these", covers, alarms if null else None


def _votes_one_by_one(first: Floats, here: Floats, share: float, ceiling: bool) -> Iterator[Claim]:
    for population in (LIKE, THESE):
        covers, alarms = [], []
        for number in _some(first, GAPS):
            frame = votes_frame(first[number][..., None])
            for row in choices.preferences(frame, population) if len(frame) else []:
                if row.population is population and row.low is not None and row.high is not None:
                    truth = share if population is LIKE else here[number]
                    covers.append(row.low - 1e-9 <= truth <= row.high + 1e-9)
                    alarms.append(row.p is not None and row.p < LEVEL)
        null = not ceiling and bool(population is LIKE or np.all(here == 0.5))
        yield f"preference, {population.value}", covers, alarms if null else None


def votes_frame(won: Floats) -> pd.DataFrame:
    listener, item, pair = np.nonzero(~np.isnan(won))
    named = np.array([("a", "b"), ("a", "c"), ("b", "c")], dtype=object)[pair]
    for_first = won[listener, item, pair] > 0
    chosen = np.where(for_first, named[:, 0], named[:, 1])
    return pd.DataFrame(
        {"assessor": listener, "item": item, "first": named[:, 0], "second": named[:, 1], "chosen": chosen}
    )


def answers(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    """ABX: alarms where everybody guesses; coverage where three of four answers are right on average.

    Unequal spread: listeners differ by 1 logit around that; system x item: items by 0.7; near the ceiling
    19 of 20 are right.
    """
    logit = float(np.log(19.0 if scenario == "near ceiling" else 3.0))
    unequal = scenario == "unequal spread"
    of_listeners = _normal(rng, 1.0 if unequal else 0.0, studies, listeners, 1)
    of_items = _normal(rng, 0.7 if scenario == "system x item" else 0.0, studies, 1, items)
    truth = expit(logit + of_items).mean(axis=(1, 2))
    if unequal:
        nodes = np.linspace(-5, 5, 501)
        weights = np.exp(-(nodes**2) / 2)
        truth = np.full(studies, expit(logit + nodes) @ weights / weights.sum())
    shape = (studies, listeners, items)
    kept = ~np.isnan(_lose(scenario, np.zeros(shape), rng))
    n = kept.sum(axis=2)
    guessed = (kept & (rng.random(shape) < 0.5)).sum(axis=(1, 2))
    right = (kept & (rng.random(shape) < expit(logit + of_listeners + of_items))).sum(axis=2)
    tested = np.flatnonzero(n.sum(axis=1))
    alarms = [_guessing(int(guessed[k]), int(n[k].sum())) <= LEVEL for k in tested]
    ends = [
        _over_listeners(tuple(sorted(zip(right[k].tolist(), n[k].tolist(), strict=True)))) for k in tested
    ]
    covers = [low <= truth[k] <= high for k, (low, high) in zip(tested, ends, strict=True)]
    yield "right answers", covers, alarms


@cache
def _over_listeners(counts: tuple[tuple[int, int], ...]) -> tuple[float, float]:
    """The interval of right answers and answers of each listener, of who gave one."""
    given = [each for each in counts if each[1]]
    return choices.share_interval([right for right, _ in given], [n for _, n in given])


_guessing = cache(choices.at_least)
_exact = cache(choices.clopper_pearson)


def companions(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    """Tests of no difference that take the items as all there are, and what they say of others like them."""
    drawn = draw_grades(scenario, listeners, items, studies, rng)
    frames = [to_frame(drawn.scores[number]) for number in _some(drawn.scores, COMPANIONS)]
    few = frames[: len(_some(drawn.scores, SLOWEST))]
    if scenario == "missing":
        tests = {
            "sign-flip": [comparisons.sign_flip(each, PAIR, permutations=RESAMPLES) for each in frames],
            "Wilcoxon": [comparisons.wilcoxon(each, PAIR) for each in frames],
            "paired t": [comparisons.contrasts(each, PAIR) for each in frames],
        }
        for name, found in tests.items():
            yield name, None, [_below(each.rows[0].p) for each in found if each.rows]
        yield "Friedman", None, [_below(comparisons.friedman(frame).p) for frame in frames]
        models = [mixed.fit(frame, PAIR) for frame in few]
        ends = [model.comparisons[0].interval for model in models if model.comparisons]
        covers = [each.low <= 0 <= each.high for each in ends if each is not None]
        yield "mixed model", covers, [_below(model.p) for model in models]
    else:
        for name, p in balanced.companions(drawn.scores, rng).items():
            yield name, None, p < LEVEL
        low, high, p = balanced.mixed_model(drawn.scores)
        yield "mixed model", (low <= 0) & (high >= 0), p < LEVEL
    effects: dict[str, list[bool | None]] = {}
    for frame in frames:
        for effect in anova.repeated_measures(frame).effects:
            # Of an interaction there is one in that scenario.
            if effect.name == "system" or (effect.name == "system x item" != scenario):
                effects.setdefault(f"ANOVA, {effect.name}", []).append(_below(effect.p))
    yield from ((name, None, alarms) for name, alarms in effects.items())
    found_rows = [comparisons.attachment3(each, PAIR, permutations=RESAMPLES).rows for each in few]
    yield "Attachment 3", None, [_below(rows[0].p) for rows in found_rows if rows]


def ordered(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    """The proportional odds model of categories, which takes the items as all there are."""
    drawn = draw_categories(scenario, listeners, items, studies, rng)
    found = [ordinal.compare(to_frame(drawn.scores[k]), PAIR).rows for k in _some(drawn.scores, COMPANIONS)]
    rows = [each[0] for each in found if each]
    yield "proportional odds", [row.low <= 1 <= row.high for row in rows], [row.p < LEVEL for row in rows]


def odds(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    """The logistic model of choices: alarms where all are tosses, coverage where a typical share is 3/4.

    Unequal spread: listeners differ by 1 logit; system x item: items by 0.7; near the ceiling the typical
    share is 19/20. The truth is the log-odds of a typical listener in a typical item, as the model says.
    """
    logit = float(np.log(19.0 if scenario == "near ceiling" else 3.0))
    of_listeners = _normal(rng, 1.0 if scenario == "unequal spread" else 0.0, studies, listeners, 1)
    of_items = _normal(rng, 0.7 if scenario == "system x item" else 0.0, studies, 1, items)
    shape = (studies, listeners, items)
    kept = ~np.isnan(_lose(scenario, np.zeros(shape), rng))
    chance = rng.random(shape)
    covers: list[bool] = []
    alarms: list[bool] = []
    for number in _some(chance, SLOWEST):
        listener, item = np.nonzero(kept[number])
        for typical in (0.0, logit):
            success = chance[number] < expit(typical + of_listeners[number] + of_items[number])
            model = logistic.fit(listener, item, success[kept[number]])
            if model.p is None or model.low is None or model.high is None:
                continue
            if typical:
                covers.append(model.low <= expit(typical) <= model.high)
            else:
                alarms.append(model.p < LEVEL)
    yield "logistic model", covers, alarms


def _below(p: float | None) -> bool | None:
    return None if p is None else p < LEVEL


#: How each kind of method draws studies and what is claimed of them.
METHODS: dict[str, Callable[[str, int, int, int, Rng], Iterator[Claim]]] = {
    "grades": grades,
    "categories": categories,
    "diff grades": diff_grades,
    "votes": votes,
    "answers": answers,
    "companions": companions,
    "ordered": ordered,
    "odds": odds,
}


def simulate(method: str, scenario: str, listeners: int, items: int, studies: int) -> list[Cell]:
    """All analyses of `studies` studies of one size and kind; the same for the same arguments."""
    places = [list(METHODS).index(method), SCENARIOS.index(scenario), listeners, items]
    rng = np.random.default_rng([1, *places])
    cells = []
    for name, covers, alarms in METHODS[method](scenario, listeners, items, studies, rng):
        coverage, (wolves, n) = _share(covers), _share(alarms)
        cells.append(Cell(method, scenario, listeners, items, name, max(coverage[1], n), coverage[0], wolves))
    return [cell for cell in cells if cell.studies]


def _share(outcomes: Iterable[bool | None] | None) -> tuple[float | None, int]:
    """Of those studies in which the analysis gave an answer, in per cent; how many they are."""
    known = [] if outcomes is None else [bool(each) for each in outcomes if each is not None]
    return (round(100.0 * sum(known) / len(known), 1) if known else None), len(known)


def grid() -> list[tuple[str, str, int, int]]:
    """Every method, scenario, number of listeners and of items; what takes long comes last."""
    cells = list(product(METHODS, SCENARIOS, LISTENERS, ITEMS))
    return sorted(
        cells, key=lambda cell: (cell[0] in ("companions", "ordered", "odds"), cell[1] == "missing")
    )


def extend(path: Path, studies: int) -> None:
    """Simulate what `path`, a table with a header, lacks, and write each cell when it is done."""
    done = set()
    if path.exists():
        with path.open(newline="") as file:
            done = {tuple(row[:4]) for row in csv.reader(file)}
    else:
        path.write_text(",".join(COLUMNS) + "\n")
    for cell in grid():
        if tuple(map(str, cell)) in done:
            continue
        rows = simulate(*cell, studies)
        with path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                ["" if value is None else value for value in row.values()] for row in rows
            )
