"""Simulated studies of systems that do not differ, of many sizes and kinds, and what the analyses claim.

Each kind of method has its own way to draw studies; `METHODS` lists them. Scenarios mean the same everywhere:
spreads that are even or not (between systems; of choices and diff grades between listeners), a third of the
grades missing, grades near the end of the scale, and systems that differ by item though not over items of
their kind. Studies are drawn until a thousand of them give an analysis something to say (`simulate`).
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr, stdtr

from evaluation.analysis.statistics import (
    anova,
    choices,
    comparisons,
    intervals,
)
from evaluation.analysis.statistics.calibration import COLUMNS, ITEMS, LISTENERS, SCENARIOS, Cell, read
from evaluation.analysis.statistics.corrections import holm
from evaluation.analysis.statistics.differences import MARGIN, Population
from evaluation.analysis.statistics.frames import Floats
from tests.calibration import balanced, gaps, likelihood
from tests.calibration import odds as logistic_of_many
from tests.calibration.balanced import Estimates, estimate

Rng = np.random.Generator
LIKE, THESE = Population.ITEMS_LIKE_THESE, Population.THESE_ITEMS
SYSTEMS = ("a", "b", "c")
PAIR: list[comparisons.Pair] = [("a", "b")]
LEVEL = 0.05
MISSING = 0.3
#: Fewer than the 9999 and 10 000 of the page: the noise is a tenth of an interval's end's at most.
RESAMPLES = 999
#: What an analysis claimed: its name; of each study whether its interval covers, and whether its test cries
#: wolf, None where there was no answer. None in place of them: no claim.
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


# What analyses claim -----------------------------------------------------------------------------


def differences(drawn: Drawn) -> Iterator[Claim]:
    """The primary analysis: over these items the difference is as drawn, over all like them it is 0."""
    items, margin = drawn.scores.shape[2], drawn.margin
    missing = bool(np.isnan(drawn.scores).any())
    for population in (LIKE, THESE) if items > 1 else (THESE,):
        found = [
            (gaps.estimate if missing else estimate)(drawn.scores[..., a] - drawn.scores[..., b], population)
            for a, b in combinations(range(3), 2)
        ]
        first, known = found[0], np.isfinite(found[0].se)
        truth = drawn.apart if population is THESE else np.zeros(len(drawn.scores))
        null = not truth.any()
        name = f"difference, {population.value}"
        yield name, _covers(first, truth), _told(first.p() < LEVEL, known) if null else None
        if not null:
            continue
        if population is LIKE:
            if missing:
                found = [_with_one_item(drawn.scores, pair, its) for pair, its in enumerate(found)]
            adjusted = [holm([float(p) if np.isfinite(p) else None for p in ps]) for ps in _p_of(found)]
            shown = np.array([any(p is not None and p < LEVEL for p in ps) for ps in adjusted])
            yield "difference, Holm over three", None, _told(shown, known)
        low, high = first.interval(0.9)
        yield f"equivalence, {population.value}", None, _told((high < 0) & (low + 2 * margin > 0), known)


def _with_one_item(scores: Floats, pair: int, found: Estimates) -> Estimates:
    """`found` with pairs that have one item in common, which are tested for that item."""
    a, b = list(combinations(range(3), 2))[pair]
    apart = scores[..., a] - scores[..., b]
    single = (~np.isnan(apart)).any(axis=1).sum(axis=1) == 1
    here = gaps.estimate(apart[single], THESE)
    for into, what in ((found.mean, here.mean), (found.se, here.se), (found.df, here.df)):
        into[single] = what
    return found


def _p_of(found: list[Estimates]) -> Floats:
    return np.stack([each.p() for each in found], axis=1)


def _covers(found: Estimates, truth: Floats) -> list[bool | None]:
    low, high = found.interval()
    return _told((low - 1e-9 <= truth) & (truth <= high + 1e-9), np.isfinite(found.se))


def _told(outcomes: np.ndarray, known: np.ndarray) -> list[bool | None]:
    """Each outcome, None where it is not known."""
    return [bool(outcome) if told else None for outcome, told in zip(outcomes, known, strict=True)]


def means(drawn: Drawn) -> Iterator[Claim]:
    """Intervals of a's listener means."""
    with np.errstate(invalid="ignore"):
        counts = (~np.isnan(drawn.scores[..., 0])).sum(axis=2)
        sums = np.nansum(drawn.scores[..., 0], axis=2)
        of_listeners = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    covers: list[bool | None] = []
    bootstrap: list[bool | None] = []
    for number, truth in enumerate(drawn.mean):
        own = of_listeners[number][~np.isnan(of_listeners[number])]
        found = intervals.t_interval(own, "listeners")
        covers.append(None if found is None else found.low - 1e-9 <= truth <= found.high + 1e-9)
        found = intervals.bca_interval(own, "listeners", resamples=RESAMPLES, seed=number)
        bootstrap.append(None if found is None else found.low <= truth <= found.high)
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
    """Also whether an impairment is shown of a."""
    drawn = draw_diff_grades(scenario, listeners, items, studies, rng)
    yield from differences(drawn)
    for population in (LIKE, THESE) if items > 1 else (THESE,):
        found = (gaps.estimate if scenario == "missing" else estimate)(drawn.scores[..., 0], population)
        truth = drawn.mean if population is THESE else np.zeros(studies)
        alarms = None if truth.any() else _told(found.p() < LEVEL, np.isfinite(found.se))
        yield f"impairment, {population.value}", _covers(found, truth), alarms


def passed(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    """What listeners who pass the t-test make of an impairment of a, which has none."""
    if items == 1:  # of one diff grade there is no test
        return
    grades = draw_diff_grades(scenario, listeners, items, studies, rng).scores[..., 0]
    found = experts_estimate(grades)
    alarms = _told(found.p() < LEVEL, np.isfinite(found.se))
    yield "impairment, listeners who passed", _covers(found, np.zeros(studies)), alarms


def experts_estimate(grades: Floats) -> Estimates:
    """The mean diff grade, (studies, listeners, items), of who pass as in `impairment.expertise`."""
    n = (~np.isnan(grades)).sum(axis=2)
    filled = np.where(np.isnan(grades), 0.0, grades)
    mean = filled.sum(axis=2) / np.maximum(n, 1)
    squares = np.where(np.isnan(grades), 0.0, (grades - mean[..., None]) ** 2).sum(axis=2)
    spread = np.sqrt(squares / np.maximum(n - 1, 1))
    varied = (n > 1) & (spread > 1e-9)
    t = mean / np.where(varied, spread / np.sqrt(np.maximum(n, 1)), 1.0)
    expert = np.where(varied, stdtr(np.maximum(n - 1, 1), t) <= LEVEL, (n > 1) & (mean < 0))
    found = Estimates(*np.full((3, len(grades)), np.nan))
    several = np.flatnonzero(expert.sum(axis=1) > 1)
    theirs = np.where(expert[several, :, None], grades[several], np.nan)
    single = (~np.isnan(theirs)).any(axis=1).sum(axis=1) == 1
    for population, rows in ((LIKE, ~single), (THESE, single)):
        its = gaps.estimate(theirs[rows], population)
        for into, what in ((found.mean, its.mean), (found.se, its.se), (found.df, its.df)):
            into[several[rows]] = what
    return found


def draw_votes(
    scenario: str, listeners: int, items: int, studies: int, rng: Rng
) -> tuple[Floats, Floats, float]:
    """AB: nobody prefers any of three systems on average, near the ceiling a is preferred in nine of ten.

    Unequal spread: listeners differ by 1 logit; system x item: items by 0.7.

    Returns:
        votes of +1, -1 and NaN for none, (studies, listeners, items, pairs); the true share that prefers the
        first of each pair in each study's items, (studies, pairs); the same in all items of their kind, of a
        typical listener.
    """
    ceiling = scenario == "near ceiling"
    logit = float(np.log(9.0)) if ceiling else 0.0
    of_listeners = _normal(rng, 1.0 if scenario == "unequal spread" else 0.0, studies, listeners, 1, 3)
    of_items = _normal(rng, 0.7 if scenario == "system x item" else 0.0, studies, 1, items, 3)
    chance = expit(logit + of_listeners + of_items)
    won = np.where(rng.random((studies, listeners, items, 3)) < chance, 1.0, -1.0)
    won = _lose(scenario, won, rng)
    return won, expit(logit + of_items).mean(axis=(1, 2)), float(expit(logit))


def votes(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    """Preferences between a and b of `draw_votes`."""
    ceiling = scenario == "near ceiling"
    won, here, share = draw_votes(scenario, listeners, items, studies, rng)
    first, here = won[..., 0], here[:, 0]
    if items == 1:
        yield from _single_votes(first[..., 0], here, ceiling)
        return
    for population, truth in ((LIKE, np.full(studies, share)), (THESE, here)):
        low, high, p = preferences_of_many(first, population)
        known, null = np.isfinite(p), not ceiling and bool(np.all(truth == 0.5))
        covers = _told((low - 1e-9 <= truth) & (truth <= high + 1e-9), known)
        yield f"preference, {population.value}", covers, _told(p < LEVEL, known) if null else None


def preferences_of_many(votes: Floats, population: Population) -> tuple[Floats, Floats, Floats]:
    """Ends of the interval and p of `choices.preferences`; NaN for none.

    Args:
        votes: (studies, listeners, items), +1, -1 and NaN.
    """
    found = (gaps.estimate if np.isnan(votes).any() else estimate)(votes, population)
    low, high = ((1 + end) / 2 for end in found.interval())
    low, high, p = np.maximum(low, 0.0), np.minimum(high, 1.0), found.p()
    # All votes alike, or one of each listener: the program counts them.
    there = ~np.isnan(votes)
    counted = ~np.isfinite(found.se) | (there.sum(axis=(1, 2)) == there.any(axis=2).sum(axis=1))
    for study in np.flatnonzero(counted & there.any(axis=(1, 2))):
        (row,) = choices.preferences(votes_frame(votes[study][..., None]), population)
        answered = row.population is population and row.p is not None
        ends = (row.low, row.high, row.p) if answered else (None, None, None)
        low[study], high[study], p[study] = (np.nan if end is None else end for end in ends)
    return low, high, p


def worths(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    """Abilities of three systems, of `draw_votes`, in the items of each study."""
    if scenario == "near ceiling":
        return
    won, here, _ = draw_votes(scenario, listeners, items, studies, rng)
    truth = np.array([_ability(shares) for shares in here])
    ability, half, robust = likelihood.bradley_terry(won)
    for name, wide in (("votes", half), ("listeners", robust)):
        if name == "votes" or listeners >= choices.LEAST_ASSESSORS:
            yield f"Bradley-Terry, {name}", _told(np.abs(ability - truth) <= wide, np.isfinite(wide)), None


def _ability(shares: Floats) -> float:
    """Of a, where these shares of all votes prefer the first of the pairs a and b, a and c, b and c."""
    wins = np.zeros((3, 3))
    for (first, second), share in zip(combinations(range(3), 2), shares, strict=True):
        wins[first, second], wins[second, first] = share, 1 - share
    return float(choices.fit_abilities(wins)[0])


def _single_votes(first: Floats, here: Floats, ceiling: bool) -> Iterator[Claim]:
    """Where each listener has one vote, (studies, listeners), the exact test and interval are printed."""
    n, won = (~np.isnan(first)).sum(axis=1), (first > 0).sum(axis=1)
    voted = np.flatnonzero(n)
    ends = [_exact(int(won[k]), int(n[k])) for k in voted]
    covers = [low <= here[k] <= high for k, (low, high) in zip(voted, ends, strict=True)]
    alarms = [choices.two_sided(int(won[k]), int(n[k])) < LEVEL for k in voted]
    null = not ceiling and bool(np.all(here == 0.5))
    yield "preference, these", covers, alarms if null else None


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
    if scenario != "missing":
        for name, p in balanced.companions(drawn.scores, rng).items():
            yield name, None, _told(p < LEVEL, np.isfinite(p))
        return
    for name, p in companions_with_gaps(drawn.scores, rng).items():
        yield name, None, _told(p < LEVEL, np.isfinite(p))


def companions_with_gaps(scores: Floats, rng: Rng) -> dict[str, Floats]:
    """`balanced.companions` of the listeners of each study who can be compared; NaN for none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        of_listeners = np.nanmean(scores, axis=2)
    found = {name: np.full(len(scores), np.nan) for name in ("sign-flip", "Wilcoxon", "paired t", "Friedman")}
    for names, systems, least in ((list(found)[:3], 2, 2), (["Friedman"], 3, 2)):
        complete = ~np.isnan(of_listeners[..., :systems]).any(axis=2)
        for n in range(least, scores.shape[1] + 1):
            those = np.flatnonzero(complete.sum(axis=1) == n)
            if those.size == 0:
                continue
            theirs = of_listeners[those][complete[those]].reshape(those.size, n, 1, 3)[..., :systems]
            p = balanced.companions(theirs, rng)
            for name in names:
                found[name][those] = p[name]
    return found


def mixed_models(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    scores = draw_grades(scenario, listeners, items, studies, rng).scores
    fit = gaps.mixed_model if scenario == "missing" else balanced.mixed_model
    low, high, p = fit(scores)
    yield "mixed model", _told((low <= 0) & (high >= 0), np.isfinite(p)), _told(p < LEVEL, np.isfinite(p))


def variances(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    """The analysis of variance, where two listeners or more graded everything."""
    drawn = draw_grades(scenario, listeners, items, studies, rng)
    complete = (~np.isnan(drawn.scores)).all(axis=(2, 3)).sum(axis=1) > 1
    names = ["system", "system x item"] if items > 1 else ["system"]
    found: dict[str, list[bool | None]] = {name: [None] * studies for name in names}
    for study in np.flatnonzero(complete):
        for effect in anova.repeated_measures(to_frame(drawn.scores[study])).effects:
            if effect.name in found:
                found[effect.name][study] = _below(effect.p)
    for name, alarms in found.items():
        # Of an interaction there is one in that scenario.
        if name != scenario:
            yield f"ANOVA, {name}", None, alarms


def attachment(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    scores = draw_grades(scenario, listeners, items, studies, rng).scores.reshape(studies, -1, 3)
    p = balanced.attachment3((scores[..., 0], scores[..., 1]), RESAMPLES, rng)
    yield "Attachment 3", None, _told(p < LEVEL, np.isfinite(p))


def ordered(scenario: str, listeners: int, items: int, studies: int, rng: Rng) -> Iterator[Claim]:
    """The proportional odds model of categories, which takes the items as all there are."""
    if listeners < choices.LEAST_ASSESSORS:
        return
    drawn = draw_categories(scenario, listeners, items, studies, rng)
    low, high, p = likelihood.proportional_odds(drawn.scores)
    known = np.isfinite(p)
    yield "proportional odds", _told((low <= 0) & (high >= 0), known), _told(p < LEVEL, known)


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
    low, high, _ = logistic_of_many.fit(kept, chance < expit(logit + of_listeners + of_items))
    _, _, p = logistic_of_many.fit(kept, chance < expit(of_listeners + of_items))
    covers = _told((low <= logit) & (logit <= high), np.isfinite(low))
    yield "logistic model", covers, _told(p < LEVEL, np.isfinite(p))


def _below(p: float | None) -> bool | None:
    return None if p is None else p < LEVEL


#: How each kind of method draws studies and what is claimed of them: in parts that draw their own, each with
#: the analysis that it always has.
Part = Callable[[str, int, int, int, Rng], Iterator[Claim]]
METHODS: dict[str, dict[str, Part]] = {
    "grades": {"difference, these": grades},
    "categories": {"difference, these": categories},
    "diff grades": {"difference, these": diff_grades, "impairment, listeners who passed": passed},
    "votes": {"preference, these": votes, "Bradley-Terry, votes": worths},
    "answers": {"right answers": answers},
    "companions": {
        "sign-flip": companions,
        "mixed model": mixed_models,
        "ANOVA, system": variances,
        "Attachment 3": attachment,
    },
    "ordered": {"proportional odds": ordered},
    "odds": {"logistic model": odds},
}
#: Most studies that are drawn for one that is wanted; so many at once.
_DRAWN, _AT_ONCE = 100, 4000


def simulate(
    method: str, scenario: str, listeners: int, items: int, studies: int, known: Collection[str] = ()
) -> list[Cell]:
    """All analyses of one size and kind, each of the first `studies` studies in which it has an answer.

    The same for the same arguments. Where fewer than one study in `_DRAWN` has an answer there are fewer.
    Parts with an analysis that is `known` already are left out.
    """
    places = [list(METHODS).index(method), SCENARIOS.index(scenario), listeners, items]
    cells = []
    for number, (analysis, part) in enumerate(METHODS[method].items()):
        if analysis in known:
            continue
        rng = np.random.default_rng([1, *places, number] if number else [1, *places])
        found: dict[str, _Outcomes] = {}
        drawn, more = 0, studies
        while more:
            for name, covers, alarms in part(scenario, listeners, items, more, rng):
                found.setdefault(name, _Outcomes()).add(covers, alarms)
            drawn += more
            fewest = min((its.least for its in found.values()), default=studies)
            wanted = 0 if fewest >= studies else 10 + (studies - fewest) * drawn // max(1, fewest)
            more = min(wanted, _AT_ONCE, _DRAWN * studies - drawn)
        for name, its in found.items():
            key = (method, scenario, listeners, items, name)
            if its.least:
                cells.append(Cell(*key, min(its.least, studies), *its.shares(studies)))
    return cells


class _Outcomes:
    """Whether intervals covered and tests cried wolf, of studies with an answer; None for no claim."""

    def __init__(self) -> None:
        self.known: list[list[bool] | None] = [None, None]

    def add(self, *outcomes: Iterable[bool | None] | None) -> None:
        for place, its in enumerate(outcomes):
            if its is not None:
                self.known[place] = [
                    *(self.known[place] or []),
                    *(bool(each) for each in its if each is not None),
                ]

    @property
    def least(self) -> int:
        return min(len(its) for its in self.known if its is not None)

    def shares(self, studies: int) -> list[float | None]:
        """Of the first `studies` with an answer, in per cent."""
        firsts = [None if its is None else its[:studies] for its in self.known]
        return [None if not its else round(100.0 * sum(its) / len(its), 1) for its in firsts]


def grid() -> list[tuple[str, str, int, int]]:
    """Every method, scenario, number of listeners and of items; what takes long comes last."""
    cells = list(product(METHODS, SCENARIOS, LISTENERS, ITEMS))
    return sorted(
        cells, key=lambda cell: (cell[0] in ("companions", "ordered", "odds"), cell[1] == "missing")
    )


def extend(path: Path, studies: int) -> None:
    """Simulate what `path`, a table with a header, lacks, and write each cell when it is done."""
    known: dict[tuple[str, ...], list[str]] = {}
    if path.exists():
        with path.open(newline="") as file:
            for row in csv.reader(file):
                known.setdefault(tuple(row[:4]), []).append(row[4])
    else:
        path.write_text(",".join(COLUMNS) + "\n")
    for cell in grid():
        rows = simulate(*cell, studies, known.get(tuple(map(str, cell)), ()))
        with path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                ["" if value is None else value for value in row.values()] for row in rows
            )
    with path.open(newline="") as file:
        cells = read(csv.DictReader(file))
    names = list(dict.fromkeys(cell.analysis for cell in cells))
    order = list(METHODS), list(SCENARIOS)
    cells.sort(
        key=lambda cell: (
            order[0].index(cell.method), order[1].index(cell.scenario), cell.listeners, cell.items,
            names.index(cell.analysis),
        )
    )  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(["" if value is None else value for value in cell.values()] for cell in cells)
