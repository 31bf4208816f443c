"""Statistics of choices: ABX, and paired preference with Bradley and Terry's model.

Binomial tails are exact. Frames of ABX have the columns ``assessor, item, first, second, correct``; frames
of preference ``assessor, item, first, second, chosen``, where ``chosen`` is one of the two or None for "no
preference". ``first`` and ``second`` name a pair in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import betainc, betaincinv, ndtri, stdtrit

from evaluation.analysis.statistics import beta_binomial
from evaluation.analysis.statistics.corrections import LEVEL, find_hopeless, holm
from evaluation.analysis.statistics.differences import Population, estimate_mean
from evaluation.analysis.statistics.frames import Floats
from evaluation.analysis.statistics.ranking import best_first
from evaluation.analysis.words import count, p_words, percent

ABX_COLUMNS = ("assessor", "item", "first", "second", "correct")
PREFERENCE_COLUMNS = ("assessor", "item", "first", "second", "chosen")

#: Fewer assessors than this make no sandwich.
LEAST_ASSESSORS = 5

#: The largest number of trials that `abx_trials` looks at.
MOST_TRIALS = 5000


def at_least(successes: int, n: int, chance: float = 0.5) -> float:
    """The probability of `successes` or more in `n` trials by chance: the exact one-sided binomial p."""
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials cannot be.")
    return 1.0 if successes == 0 else float(betainc(successes, n - successes + 1, chance))


def two_sided(successes: int, n: int) -> float:
    """The exact two-sided p of the sign test: twice the smaller tail at a chance of 1/2, at most 1."""
    return min(1.0, 2 * at_least(max(successes, n - successes), n))


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share (Clopper and Pearson 1934); 0 to 1 without any trial."""
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def abx_needed(n: int, alpha: float = LEVEL) -> int | None:
    """The fewest right answers of `n` whose p is below `alpha`; None if not even all of them are."""
    return next((right for right in range(n // 2, n + 1) if at_least(right, n) < alpha), None)


def abx_power(n: int, share: float, alpha: float = LEVEL) -> float:
    """The chance that who answers right with probability `share` gets that far in `n` trials."""
    needed = abx_needed(n, alpha)
    return 0.0 if needed is None else at_least(needed, n, share)


def abx_trials(share: float, power: float = 0.8, alpha: float = LEVEL) -> int | None:
    """The number of trials from which on the power against a true `share` of right answers stays at `power`.

    Power saws: with a trial more it may take a right answer more. None if `share` is not above 1/2, or so
    little that it takes more than `MOST_TRIALS`.
    """
    if share <= 0.5:
        return None
    since = 1
    for n in range(1, MOST_TRIALS + _TEETH + 1):
        if abx_power(n, share, alpha) < power:
            since = n + 1
        elif n - since >= _TEETH:
            return since
    return None


#: Trials for which the power has to stay: more than ten teeth of the saw, whose troughs rise.
_TEETH = 30


@dataclass(frozen=True)
class AbxRow:
    """Right answers of somebody, or of all together, about a pair.

    Attributes:
        assessor: None for all together.
        low, high: 95 % interval of the share: of all together over assessors (`beta_binomial`), of one, or
            where each has one answer, Clopper and Pearson's.
        p: exact, one-sided, against guessing; `p_holm` adjusted over the assessors of the pair, of all
            together over the pairs.
        needed: right answers of `n` that it takes for p < 0.05; None if `n` is too small for that.
        out_of_reach: whether `p_holm` is 0.05 or more even if every answer in its family is right.
        power: the chance to reach it for a listener who is right three times out of four.
    """

    first: str
    second: str
    assessor: object | None
    correct: int
    n: int
    share: float
    low: float
    high: float
    p: float
    p_holm: float | None
    needed: int | None
    power: float
    out_of_reach: bool = False


@dataclass(frozen=True)
class Abx:
    """All rows of an ABX test: for each pair all together, then each assessor."""

    pooled: list[AbxRow]
    assessors: list[AbxRow]
    warnings: tuple[str, ...] = ()
    problem: str = ""


def _pairs(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with the two of each pair in the order in which the pair first appeared."""
    seen: dict[frozenset[str], tuple[str, str]] = {}
    named = [
        seen.setdefault(frozenset(pair), pair) for pair in zip(frame["first"], frame["second"], strict=True)
    ]
    return frame.assign(first=[pair[0] for pair in named], second=[pair[1] for pair in named])


def share_interval(successes: ArrayLike, trials: ArrayLike) -> tuple[float, float]:
    """The 95 % interval of a share over people, of whom each had so many successes in so many trials.

    Clopper and Pearson's for one of them, and where each had one trial; else `beta_binomial.interval`.
    """
    k, n = np.asarray(successes, dtype=int), np.asarray(trials, dtype=int)
    if n.size < 2 or n.max() < 2:
        return clopper_pearson(int(k.sum()), int(n.sum()))
    return beta_binomial.interval(k, n)


def _abx_row(first: str, second: str, assessor: object | None, its: pd.DataFrame) -> AbxRow:
    of_each = its.assign(correct=its["correct"].astype(bool)).groupby("assessor", sort=False)["correct"]
    correct, n = int(of_each.sum().sum()), len(its)
    p = at_least(correct, n)
    low, high = share_interval(of_each.sum(), of_each.size())
    return AbxRow(
        first, second, assessor, correct, n, correct / n, low, high, p, p, abx_needed(n), abx_power(n, 0.75)
    )


def _adjust(family: list[AbxRow]) -> list[AbxRow]:
    """Holm's p of the rows, and whether it can be small enough at all."""
    adjusted = holm([row.p for row in family])
    hopeless = find_hopeless([at_least(row.n, row.n) for row in family])
    return [
        replace(row, p_holm=p, out_of_reach=never)
        for row, p, never in zip(family, adjusted, hopeless, strict=True)
    ]


def abx(frame: pd.DataFrame) -> Abx:
    """Who tells which pair apart, from a frame of `ABX_COLUMNS`, one row a trial."""
    if frame.empty:
        return Abx([], [], problem="There are no answers.")
    pooled, assessors = [], []
    for (first, second), of_pair in _pairs(frame).groupby(["first", "second"], sort=False):
        pooled.append(_abx_row(first, second, None, of_pair))
        rows = [
            _abx_row(first, second, assessor, its)
            for assessor, its in of_pair.groupby("assessor", sort=False)
        ]
        assessors += _adjust(rows)
    pooled = _adjust(pooled)
    warnings = []
    if frame["assessor"].nunique() > 1:
        warnings.append(
            "All listeners together: p is of everybody guessing, and is right whoever the listeners are. The "
            "interval is of the share over listeners like these, in these items. Look at the listeners one "
            "by one, too."
        )
    if any(not row.low <= row.share <= row.high for row in pooled):
        warnings.append(
            "The share of all answers lies outside the interval, which is of the mean over listeners: some "
            "listeners gave many more answers than others."
        )
    if assessors and all(row.out_of_reach for row in assessors):
        warnings.append(
            "One by one, listeners gave so few answers that not even all right ones would have a p (Holm) "
            "below 0.05: the table of listeners cannot show who hears a difference."
        )
    return Abx(pooled, assessors, tuple(warnings))


@dataclass(frozen=True)
class Preference:
    """Votes between two systems, and how sure it is that assessors prefer one.

    Attributes:
        n: votes; `ties` of them for neither.
        share: of `first`, a tie counting half, on average over the population; `low`, `high`: its 95 %
            interval over assessors (and items), within 0 and 1; None where there is none.
        p: two-sided, of no preference; `p_holm` adjusted over the pairs. None where nothing can be tested.
        p_votes: of the exact sign test over decided votes, which takes an assessor's votes for
            independent: right where each has one, else too small.
        assessors_first, assessors_second: assessors who preferred one more often than the other.
        population: whom `share`, `low`, `high` and `p` speak for.
        floor: the smallest p that an exact test of so many assessors can have; None of the model.
    """

    first: str
    second: str
    n: int
    first_votes: int
    second_votes: int
    ties: int
    share: float
    p_votes: float
    population: Population
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    assessors: int = 0
    assessors_first: int = 0
    assessors_second: int = 0
    floor: float | None = None


def count_votes(frame: pd.DataFrame) -> list[Preference]:
    """The votes of each pair, from a frame of `PREFERENCE_COLUMNS`, one row a vote; nothing is tested."""
    return [
        _count(first, second, of_pair)
        for (first, second), of_pair in _pairs(frame).groupby(["first", "second"], sort=False)
    ]


def preferences(
    frame: pd.DataFrame, population: Population = Population.ITEMS_LIKE_THESE
) -> list[Preference]:
    """`count_votes` with intervals and tests.

    A vote is +1, 0 (no preference) or -1, and its mean is estimated with random assessors and, by
    `population`, items (`differences.estimate_mean`): votes of one assessor are alike. Where each assessor
    has one vote and none is a tie, the exact binomial test and Clopper and Pearson's interval are used, but
    for items like these only if each item has one vote, too: votes on one item are alike as well.
    """
    rows = [
        _test(_count(first, second, of_pair), of_pair, population)
        for (first, second), of_pair in _pairs(frame).groupby(["first", "second"], sort=False)
    ]
    return [replace(row, p_holm=p) for row, p in zip(rows, holm([row.p for row in rows]), strict=True)]


def _values(row: Preference, votes: pd.DataFrame) -> Floats:
    chosen = votes["chosen"]
    return np.asarray((chosen == row.first).to_numpy(float) - (chosen == row.second).to_numpy(float))


def _count(first: str, second: str, votes: pd.DataFrame) -> Preference:
    won, lost = int((votes["chosen"] == first).sum()), int((votes["chosen"] == second).sum())
    row = Preference(
        first=first,
        second=second,
        n=len(votes),
        first_votes=won,
        second_votes=lost,
        ties=len(votes) - won - lost,
        share=(1 + (won - lost) / len(votes)) / 2,
        p_votes=two_sided(won, won + lost),
        population=Population.THESE_ITEMS,
    )
    assessor, names = pd.factorize(votes["assessor"])
    balance = np.bincount(assessor, _values(row, votes))
    return replace(
        row,
        assessors=len(names),
        assessors_first=int((balance > 0).sum()),
        assessors_second=int((balance < 0).sum()),
    )


def _test(row: Preference, votes: pd.DataFrame, population: Population) -> Preference:
    assessor, names = pd.factorize(votes["assessor"])
    item, items = pd.factorize(votes["item"])
    if len(items) == 1:
        population = Population.THESE_ITEMS
    random_items = population is Population.ITEMS_LIKE_THESE
    values = _values(row, votes)
    independent = row.n == len(names) and (not random_items or row.n == len(items))
    if independent and row.ties == 0:
        low, high = clopper_pearson(row.first_votes, row.n)
        p, floor = two_sided(row.first_votes, row.n), two_sided(row.n, row.n)
        return replace(row, low=low, high=high, p=p, p_holm=p, floor=floor, population=population)
    if len(names) > 1 and (contrast := estimate_mean(values, assessor, item, population)):
        low, high = (min(1.0, max(0.0, (1 + end) / 2)) for end in contrast.interval())
        share, p = (1 + contrast.estimate) / 2, contrast.p()
        return replace(row, share=share, low=low, high=high, p=p, p_holm=p, population=population)
    # Assessors vote alike, so that the model has no error; a sign test still counts them, for these items.
    row = replace(row, population=Population.THESE_ITEMS)
    decided = row.assessors_first + row.assessors_second
    if decided < 2:
        return row
    p, floor = two_sided(row.assessors_first, decided), two_sided(decided, decided)
    row = replace(row, p=p, p_holm=p, floor=floor)
    if np.ptp(values) > 0:  # a share of votes, of which a share of assessors is no interval
        return row
    low, high = clopper_pearson(row.assessors_first, decided)
    return replace(row, low=low, high=high)


@dataclass(frozen=True)
class Worth:
    """A system's place on Bradley and Terry's scale.

    Attributes:
        ability: log-odds, 0 on average over the systems; a difference of 1 is preferred in 73 % of votes.
        low, high: 95 % interval of `ability` that takes votes for independent.
        low_assessors, high_assessors: the same over assessors like these, in these items: robust against an
            assessor's votes being alike; None with fewer than 5 assessors.
        share: of votes that it wins against another system, on average over them.
    """

    system: str
    ability: float
    low: float
    high: float
    low_assessors: float | None
    high_assessors: float | None
    share: float


@dataclass(frozen=True)
class BradleyTerry:
    """The systems from the most preferred down, equal ones as they appear; `problem`: why there are none."""

    systems: list[Worth]
    votes: int
    ties: int
    problem: str = ""


def bradley_terry(frame: pd.DataFrame) -> BradleyTerry:
    """Bradley and Terry's model (1952) of a frame of `PREFERENCE_COLUMNS`, by maximum likelihood.

    A tie counts as half a vote for each. Intervals: Wald, from the information matrix, with the abilities'
    sum held at 0; those over assessors from the sandwich that adds up each assessor's score.
    """
    systems = list(dict.fromkeys([*frame["first"], *frame["second"]]))
    ties = int(frame["chosen"].isna().sum())
    if len(systems) < 2:
        return BradleyTerry([], len(frame), ties, "There are no votes.")
    index = {system: place for place, system in enumerate(systems)}
    first = np.array([index[each] for each in frame["first"]], dtype=np.intp)
    second = np.array([index[each] for each in frame["second"]], dtype=np.intp)
    won = np.where(
        frame["chosen"].isna(), 0.5, (frame["chosen"].to_numpy() == frame["first"].to_numpy()).astype(float)
    )
    wins = np.zeros((len(systems), len(systems)))
    np.add.at(wins, (first, second), won)
    np.add.at(wins, (second, first), 1 - won)
    if not _connected(wins):
        return BradleyTerry(
            [],
            len(frame),
            ties,
            "Some systems won, or lost, every vote against all the others, so their distance has no bound: "
            "see the shares of the pairs.",
        )
    ability = fit_abilities(wins)
    chance = 1 / (1 + np.exp(-(ability[:, None] - ability[None, :])))
    weight = (wins + wins.T) * chance * chance.T
    information = np.diag(weight.sum(axis=1)) - weight
    covariance = np.linalg.pinv(information)
    residual = won - chance[first, second]
    robust = _sandwich(
        np.asarray(covariance, dtype=np.float64), first, second, residual, frame["assessor"].to_numpy()
    )
    half = ndtri(0.975) * np.sqrt(np.diag(covariance))
    rows = []
    for place in best_first(range(len(systems)), ability.__getitem__):
        others = np.delete(chance[place], place)
        spread = None if robust is None else robust[place]
        rows.append(
            Worth(
                systems[place],
                float(ability[place]),
                float(ability[place] - half[place]),
                float(ability[place] + half[place]),
                None if spread is None else float(ability[place] - spread),
                None if spread is None else float(ability[place] + spread),
                float(others.mean()),
            )
        )
    return BradleyTerry(rows, len(frame), ties)


def _connected(wins: Floats) -> bool:
    """Whether from each system a chain of wins leads to each other one (Ford 1957)."""
    reach = (wins > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(len(wins)):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    return bool(reach.all())


def fit_abilities(wins: Floats) -> Floats:
    """Maximum likelihood by Newton's method, the sum held at 0; wins of shape (systems, systems)."""
    games = wins + wins.T
    ability = np.zeros(len(wins))
    for _ in range(200):
        chance = 1 / (1 + np.exp(-(ability[:, None] - ability[None, :])))
        gradient = wins.sum(axis=1) - (games * chance).sum(axis=1)
        weight = games * chance * chance.T
        information = np.diag(weight.sum(axis=1)) - weight
        step = np.linalg.pinv(information) @ gradient
        # A whole step can overshoot where votes are lopsided.
        ability += step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-10:
            break
    centred: Floats = ability - ability.mean()
    return centred


def _sandwich(
    covariance: Floats, first: np.ndarray, second: np.ndarray, residual: Floats, assessors: np.ndarray
) -> Floats | None:
    """Half widths (systems,) of 95 % intervals that are robust within assessors; None with fewer than 5.

    With G / (G - 1) and G - 1 degrees of freedom, which is Bell and McCaffrey's correction (2002) where all
    assessors voted on the same pairs.
    """
    codes, names = pd.factorize(assessors)
    if len(names) < LEAST_ASSESSORS:
        return None
    scores = np.zeros((len(names), len(covariance)))
    np.add.at(scores, (codes, first), residual)
    np.add.at(scores, (codes, second), -residual)
    middle = scores.T @ scores * len(names) / (len(names) - 1)
    variance = np.diag(covariance @ middle @ covariance)
    half: Floats = stdtrit(len(names) - 1, 0.975) * np.sqrt(np.maximum(variance, 0.0))
    return half


def abx_sentence(row: AbxRow) -> str:
    """What the row of a test's only pair says, in words."""
    told = (
        "more than guessing explains"
        if row.p < LEVEL
        else f"too few to show a difference: not even if all were right would p be below {LEVEL:g}"
        if row.out_of_reach
        else "which guessing explains as well: no difference was shown, nor that there is none"
    )
    share = f"{percent(row.share)}, {p_words(row.p)}"
    return f"{row.correct} of {count(row.n, 'answer')} right ({share}), {told}."
