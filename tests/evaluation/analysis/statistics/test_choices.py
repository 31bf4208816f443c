"""Choices: ABX, preference and Bradley-Terry, against scipy, statsmodels and published figures."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from evaluation.analysis.statistics import choices, corrections
from evaluation.analysis.statistics.choices import ABX_COLUMNS, PREFERENCE_COLUMNS
from evaluation.analysis.statistics.differences import Population


@pytest.mark.parametrize("n", [1, 5, 10, 16, 100])
def test_exact_tails_and_intervals_are_scipys(n: int) -> None:
    for k in range(n + 1):
        one = stats.binomtest(k, n, alternative="greater")
        assert choices.at_least(k, n) == pytest.approx(one.pvalue, abs=1e-12)
        assert choices.two_sided(k, n) == pytest.approx(stats.binomtest(k, n).pvalue, abs=1e-9)
        interval = stats.binomtest(k, n).proportion_ci(method="exact")
        assert choices.clopper_pearson(k, n) == pytest.approx((interval.low, interval.high), abs=1e-9)
        assert choices.clopper_pearson(k, n) == pytest.approx(
            proportion_confint(k, n, method="beta"), abs=1e-9
        )


def test_the_usual_table_of_abx() -> None:
    """9 of 10, 12 of 16, 15 of 20."""
    assert choices.abx_needed(10) == 9
    assert choices.abx_needed(16) == 12
    assert choices.abx_needed(20) == 15
    assert choices.at_least(12, 16) == pytest.approx(0.0384, abs=1e-4)
    assert choices.at_least(9, 10) == pytest.approx(0.0107, abs=1e-4)
    assert (choices.abx_needed(4), choices.abx_needed(5)) == (None, 5)


def test_power_is_the_binomials_and_trials_are_those_from_which_it_stays() -> None:
    assert choices.abx_power(16, 0.75) == pytest.approx(stats.binom.sf(11, 16, 0.75), abs=1e-12)
    assert choices.abx_power(4, 0.9) == 0
    n = choices.abx_trials(0.75)
    assert n is not None
    assert n > 23  # whose power is 80 %, and 24 trials' 73 %
    assert choices.abx_power(n, 0.75) >= 0.8 > choices.abx_power(n - 1, 0.75)
    assert choices.abx_trials(0.5) is None
    assert choices.abx_trials(0.501) is None


def test_holm_is_statsmodels() -> None:
    values = [0.01, 0.04, 0.03, 0.005, 0.5]
    assert corrections.holm(values) == pytest.approx(multipletests(values, method="holm")[1])
    assert corrections.holm([]) == []


def test_abx_by_assessor_and_pooled() -> None:
    rows = [("x", 1, "a", "b", n < 9) for n in range(10)] + [("y", 1, "b", "a", n < 5) for n in range(10)]
    found = choices.abx(pd.DataFrame(rows, columns=list(ABX_COLUMNS)))
    (pooled,) = found.pooled
    assert (pooled.first, pooled.second, pooled.correct, pooled.n) == ("a", "b", 14, 20)
    assert pooled.p == pytest.approx(stats.binomtest(14, 20, alternative="greater").pvalue)
    x, y = found.assessors
    assert (x.correct, y.correct, x.needed) == (9, 5, 9)
    assert (x.p, x.p_holm) == pytest.approx((0.0107421875, 0.021484375))
    assert any("share over listeners like these" in warning for warning in found.warnings)
    assert "no difference was shown" in choices.abx_sentence(y)
    assert "more than guessing" in choices.abx_sentence(x)


def test_a_share_of_answers_outside_the_interval_over_listeners_is_explained() -> None:
    """One who answered a lot is one listener of thirteen, though most of the right answers are theirs."""
    rows = [("x", n, "a", "b", True) for n in range(20)]
    rows += [(f"y{who}", n, "a", "b", False) for who in range(12) for n in range(2)]
    found = choices.abx(pd.DataFrame(rows, columns=list(ABX_COLUMNS)))
    assert found.pooled[0].share == pytest.approx(20 / 44)
    assert found.pooled[0].high < 20 / 44
    assert any("many more answers than others" in warning for warning in found.warnings)
    even = choices.abx(pd.DataFrame(rows[10:20] + rows[20:32], columns=list(ABX_COLUMNS)))
    assert not any("many more answers" in warning for warning in even.warnings)


def test_abx_of_little_or_nothing() -> None:
    assert choices.abx(pd.DataFrame(columns=list(ABX_COLUMNS))).problem == "There are no answers."
    one = choices.abx(pd.DataFrame([("x", 1, "a", "b", True)], columns=list(ABX_COLUMNS)))
    assert (one.pooled[0].p, one.pooled[0].needed, one.pooled[0].power) == (0.5, None, 0.0)
    assert one.pooled[0].out_of_reach
    assert "1 of 1 answer right (100 %, p = 0.500), too few to show a difference" in choices.abx_sentence(
        one.pooled[0]
    )


def test_abx_says_what_no_answers_could_show() -> None:
    """Five of five: p = 1/32, by Holm over two pairs 1/16; eight of eight: 1/256, over ten people 5/128."""
    right = [(f"l{who}", n, "a", other, True) for other in "bc" for who in range(5) for n in range(1)]
    found = choices.abx(pd.DataFrame(right, columns=list(ABX_COLUMNS)))
    assert [row.p_holm for row in found.pooled] == [1 / 16, 1 / 16]
    assert all(row.out_of_reach for row in [*found.pooled, *found.assessors])
    assert any("cannot show who hears" in warning for warning in found.warnings)
    guessed = [(f"l{who}", n, "a", "b", n < 4) for who in range(10) for n in range(8)]
    (row,), listeners = (
        (found := choices.abx(pd.DataFrame(guessed, columns=list(ABX_COLUMNS)))).pooled,
        found.assessors,
    )
    assert not row.out_of_reach
    assert not any(each.out_of_reach for each in listeners)
    assert not any("cannot show who hears" in warning for warning in found.warnings)


def votes(*rows: tuple[str, int, str, str, str | None]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(PREFERENCE_COLUMNS))


def test_preference_leaves_ties_out_and_counts_assessors() -> None:
    frame = votes(
        *[("x", n, "a", "b", "a") for n in range(6)],
        *[("x", n, "b", "a", "b") for n in range(6, 8)],
        *[("y", n, "a", "b", None) for n in range(3)],
        ("y", 4, "a", "b", "b"),
        ("z", 1, "b", "a", None),
    )
    (row,) = choices.preferences(frame)
    assert (row.n, row.first_votes, row.second_votes, row.ties) == (13, 6, 3, 4)
    assert row.p_votes == pytest.approx(stats.binomtest(6, 9).pvalue)
    assert (row.assessors, row.assessors_first, row.assessors_second) == (3, 1, 1)
    (tied,) = choices.preferences(votes(("x", 1, "a", "b", None)))
    assert (tied.share, tied.p, tied.low, tied.high) == (0.5, None, None, None)
    assert choices.preferences(votes()) == []


def test_one_vote_a_listener_is_an_exact_binomial_test() -> None:
    (row,) = choices.preferences(votes(*[(f"l{n}", 1, "a", "b", "a" if n < 14 else "b") for n in range(20)]))
    theirs = stats.binomtest(14, 20)
    assert row.p == pytest.approx(theirs.pvalue)
    exact = theirs.proportion_ci(0.95, "exact")
    assert (row.low, row.high) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_one_vote_a_listener_on_few_items_is_no_sample_of_items() -> None:
    """Four votes on each of three items, 2, 4 and 4 of them for a: for items like these the items' means 0, 1
    and 1 count, t = (2/3) / (1/3) with 2 degrees of freedom; for these items 10 of 12 votes.
    """
    frame = votes(
        *[
            (f"l{item}{n}", item, "a", "b", "a" if item or n < 2 else "b")
            for item in range(3)
            for n in range(4)
        ]
    )
    (like,) = choices.preferences(frame)
    assert like.population is Population.ITEMS_LIKE_THESE
    assert (like.share, like.p) == (pytest.approx(5 / 6), pytest.approx(2 * stats.t.sf(2, 2), abs=1e-6))
    assert like.floor is None
    (these,) = choices.preferences(frame, Population.THESE_ITEMS)
    assert (these.p, these.floor) == (pytest.approx(stats.binomtest(10, 12).pvalue), pytest.approx(2 / 2**12))
    # A vote of its own for each item, and all of them are drawn alike.
    apart = frame.assign(item=range(12))
    assert choices.preferences(apart)[0].p == pytest.approx(these.p)


def test_votes_of_listeners_who_all_vote_alike_speak_for_these_items() -> None:
    """Ten listeners: a sign test over them. Where they prefer a in two items and b in one, the share is of
    votes, so that a share of listeners (69 to 100 %) is no interval of it."""
    one = choices.preferences(votes(*[(f"l{who}", n, "a", "b", "a") for who in range(10) for n in range(2)]))[
        0
    ]
    assert one.population is Population.THESE_ITEMS  # two items are no sample for p = 0.002
    assert (one.p, one.floor) == (pytest.approx(2 / 2**10), pytest.approx(2 / 2**10))
    assert (one.low, one.high) == (pytest.approx(0.025**0.1), 1.0)
    for pattern, share in ((("a", "a", "b"), 2 / 3), (("a", None), 3 / 4)):
        frame = votes(
            *[(f"l{who}", n, "a", "b", vote) for who in range(10) for n, vote in enumerate(pattern)]
        )
        (row,) = choices.preferences(frame, Population.THESE_ITEMS)
        assert row.share == pytest.approx(share)
        assert (row.low, row.high, row.p) == (None, None, pytest.approx(2 / 2**10))


def test_many_votes_of_few_listeners_are_not_many_votes() -> None:
    """Ten listeners with tastes of their own vote on 20 items: the sign test over 200 votes cries wolf."""
    rng = np.random.default_rng(2)
    alarms = {"listeners": 0, "votes": 0}
    for _ in range(200):
        taste = rng.beta(2, 2, 10)
        won = rng.random((10, 20)) < taste[:, None]
        frame = votes(
            *[(f"l{a}", i, "a", "b", "a" if won[a, i] else "b") for a in range(10) for i in range(20)]
        )
        (row,) = choices.preferences(frame, Population.THESE_ITEMS)
        assert row.p is not None
        alarms["listeners"] += row.p < 0.05
        alarms["votes"] += row.p_votes < 0.05
    assert alarms["listeners"] <= 18  # 5 % of 200, and three standard errors
    assert alarms["votes"] > 60


#: Wins of row over column: American League, eastern division, 1987 (Agresti, Categorical Data Analysis).
TEAMS = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"]
WINS = [
    [0, 7, 9, 7, 7, 9, 11],
    [6, 0, 7, 5, 11, 9, 9],
    [4, 6, 0, 7, 7, 8, 12],
    [6, 8, 6, 0, 6, 7, 10],
    [6, 2, 6, 7, 0, 7, 12],
    [4, 4, 5, 6, 6, 0, 6],
    [2, 4, 1, 3, 1, 7, 0],
]


def season() -> pd.DataFrame:
    rows = []
    for i, winner in enumerate(TEAMS):
        for j, loser in enumerate(TEAMS):
            rows += [(f"{n % 9}", n, *sorted((winner, loser)), winner) for n in range(WINS[i][j])]
    return votes(*rows)


def test_bradley_terry_finds_the_published_abilities() -> None:
    found = choices.bradley_terry(season())
    abilities = {row.system: row.ability for row in found.systems}
    assert next(row.system for row in found.systems) == "Milwaukee"
    published = {
        "Milwaukee": 1.58, "Detroit": 1.44, "Toronto": 1.29, "New York": 1.25, "Boston": 1.11,
        "Cleveland": 0.68, "Baltimore": 0.0,
    }  # fmt: skip
    for team, ability in published.items():
        assert abilities[team] - abilities["Baltimore"] == pytest.approx(ability, abs=0.006)
    assert sum(abilities.values()) == pytest.approx(0, abs=1e-9)


def test_bradley_terry_is_statsmodels_logistic_regression() -> None:
    frame = season()
    design = np.zeros((len(frame), len(TEAMS)))
    for row, (first, second) in enumerate(zip(frame["first"], frame["second"], strict=True)):
        design[row, TEAMS.index(first)], design[row, TEAMS.index(second)] = 1, -1
    won = (frame["chosen"] == frame["first"]).astype(float)
    # Deviations from the mean of all: the last team's ability is minus the sum of the others'.
    contrast = design[:, :-1] - design[:, [-1]]
    fit = sm.Logit(won, contrast).fit(disp=0)
    found = {row.system: row for row in choices.bradley_terry(frame).systems}
    for place, team in enumerate(TEAMS[:-1]):
        row = found[team]
        assert row.ability == pytest.approx(fit.params.iloc[place], abs=1e-6)
        assert row.high - row.low == pytest.approx(2 * 1.959964 * fit.bse.iloc[place], abs=1e-5)
    clustered = sm.Logit(won, contrast).fit(
        disp=0,
        cov_type="cluster",
        cov_kwds={"groups": frame["assessor"].astype(int), "use_correction": False},
    )
    scale = math.sqrt(9 / 8)
    for place, team in enumerate(TEAMS[:-1]):
        row = found[team]
        assert row.high_assessors is not None
        assert row.high_assessors - row.ability == pytest.approx(
            scale * stats.t.ppf(0.975, 8) * clustered.bse.iloc[place], abs=1e-5
        )


def test_bradley_terry_of_two_is_the_share_and_ties_are_half_votes() -> None:
    frame = votes(
        *[("x", n, "a", "b", "a") for n in range(6)],
        *[("y", n, "b", "a", "b") for n in range(2)],
        *[("y", n, "b", "a", None) for n in range(2)],
    )
    best, worst = choices.bradley_terry(frame).systems
    assert (best.system, worst.system) == ("a", "b")
    assert best.share == pytest.approx(0.7)
    assert best.ability - worst.ability == pytest.approx(math.log(0.7 / 0.3))
    assert best.low_assessors is None


def test_bradley_terry_without_a_bound_says_so() -> None:
    found = choices.bradley_terry(votes(*[("x", n, "a", "b", "a") for n in range(6)]))
    assert found.systems == []
    assert "no bound" in found.problem
    apart = votes(*[(who, 1, "a", "b", who) for who in "ab"], *[(who, 1, "c", "d", who) for who in "cd"])
    assert choices.bradley_terry(apart).problem
    assert choices.bradley_terry(votes()).problem == "There are no votes."
