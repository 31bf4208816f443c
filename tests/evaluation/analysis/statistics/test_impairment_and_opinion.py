"""BS.1116's diff grades and P.800's opinion scores, against scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from evaluation.analysis.statistics import impairment, opinion
from evaluation.analysis.statistics.differences import Population


def trials(*rows: tuple[str, int, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(impairment.COLUMNS))


def test_expertise_is_scipys_one_sided_t_test() -> None:
    rng = np.random.default_rng(1)
    rows, grades = [], {}
    for assessor, mean in (("hears", -1.0), ("guesses", 0.0)):
        grades[assessor] = np.round(rng.normal(mean, 0.8, 12), 1)
        for item, diff in enumerate(grades[assessor]):
            score, reference = (5.0 + diff, 5.0) if diff <= 0 else (5.0, 5.0 - diff)
            rows.append((assessor, item, "a", score, reference))
    found = {row.assessor: row for row in impairment.expertise(trials(*rows))}
    for assessor, diffs in grades.items():
        expected = stats.ttest_1samp(diffs, 0, alternative="less")
        row = found[assessor]
        assert (row.t, row.p) == pytest.approx((expected.statistic, expected.pvalue))
        assert row.mistaken == (diffs > 0).sum()
        assert row.expert == (expected.pvalue <= 0.05)
    assert found["hears"].expert
    assert not found["guesses"].expert


def test_expertise_where_there_is_no_t() -> None:
    found = impairment.expertise(
        trials(
            ("one", 1, "a", 3.0, 5.0),
            *[("sure", n, "a", 3.0, 5.0) for n in range(4)],
            *[("deaf", n, "a", 5.0, 5.0) for n in range(4)],
        )
    )
    assert [(row.expert, row.p) for row in found] == [(False, None), (True, None), (False, None)]
    assert found[0].reason == "one trial only"
    assert found[1].reason == "all diff grades are −2.0"
    assert impairment.expertise(trials()) == []


def test_impairments_are_means_of_assessors_with_t_intervals() -> None:
    frame = trials(
        ("x", 1, "a", 3.0, 5.0), ("x", 2, "a", 4.0, 5.0), ("y", 1, "a", 5.0, 4.5), ("y", 2, "a", 4.0, 5.0),
        ("z", 1, "a", 4.0, 5.0), ("x", 1, "b", 5.0, 4.0),
    )  # fmt: skip
    a, b = impairment.impairments(frame)
    means = [-1.5, -0.25, -1.0]
    low, high = stats.t.interval(0.95, 2, np.mean(means), stats.sem(means))
    assert a.interval is not None
    assert (a.n, a.assessors, a.mean) == (5, 3, pytest.approx(np.mean(means)))
    assert (a.interval.low, a.interval.high) == pytest.approx((low, high))
    assert (a.mistaken, a.shown) == (pytest.approx(0.2), False)
    assert (b.n, b.mean, b.interval, b.shown, b.mistaken) == (1, 1.0, None, None, 1.0)


@pytest.mark.filterwarnings("ignore")
def test_the_mean_of_an_impairment_is_that_of_its_interval() -> None:
    """Sixteen listeners heard the item that is impaired by 2.5, four of them the other three, which are not:
    for these items, which count alike, the mean is near -0.6, though that of listener means is near -2.1."""
    rng = np.random.default_rng(5)
    rows = []
    for who in range(16):
        own = rng.normal(0, 0.2)
        for item in range(4 if who < 4 else 1):
            rows.append((f"l{who}", item, "a", 4.0 - 2.5 * (item == 0) + own + rng.normal(0, 0.2), 4.0))
    frame = trials(*rows)
    (row,) = impairment.impairments(frame, Population.THESE_ITEMS)
    model = smf.mixedlm("score ~ C(item, Sum)", impairment.diff_grades(frame), groups="assessor")
    theirs = model.fit(reml=True)
    assert row.estimate == pytest.approx(theirs.params["Intercept"], abs=1e-4)
    assert row.low is not None
    assert row.high is not None
    assert row.low < row.estimate < row.high
    assert row.mean == pytest.approx(
        frame.assign(d=frame["score"] - 4).groupby("assessor")["d"].mean().mean()
    )
    assert not row.low < row.mean < row.high
    (whole,) = impairment.impairments(frame[frame["item"] == 0])
    assert whole.estimate == pytest.approx(whole.mean)


def tidy(*rows: tuple[str, int, str, float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["assessor", "item", "system", "score"])


def test_mos_over_votes_and_over_assessors() -> None:
    rng = np.random.default_rng(2)
    rows = [
        (f"p{who}", item, "a", float(np.clip(rng.integers(1, 6) + who % 2, 1, 5)))
        for who in range(6)
        for item in range(4)
    ]
    frame = tidy(*rows, ("p0", 1, "b", 3.0))
    a, b = opinion.opinions(frame).systems
    votes = frame.loc[frame["system"] == "a", "score"]
    means = frame[frame["system"] == "a"].groupby("assessor")["score"].mean()
    assert (a.n, a.assessors, a.items, a.mean) == (24, 6, 4, pytest.approx(votes.mean()))
    assert a.sd == pytest.approx(votes.std(ddof=1))
    assert a.votes_interval is not None
    assert a.interval is not None
    assert (a.votes_interval.low, a.votes_interval.high) == pytest.approx(
        stats.t.interval(0.95, 23, votes.mean(), stats.sem(votes))
    )
    assert (a.interval.low, a.interval.high) == pytest.approx(
        stats.t.interval(0.95, 5, means.mean(), stats.sem(means))
    )
    assert sum(a.votes.values()) == 24
    assert (b.n, b.sd, b.interval, b.votes_interval) == (1, None, None, None)
    assert b.votes == {1: 0, 2: 0, 3: 1, 4: 0, 5: 0}
    assert opinion.opinions(tidy()).problem == "There are no ratings."


def test_per_item_means_have_intervals_over_votes() -> None:
    table = opinion.per_item(tidy(("x", 1, "a", 2), ("y", 1, "a", 4), ("x", 2, "a", 5)))
    first, second = table.itertuples(index=False)
    assert (first.n, first.mean) == (2, 3.0)
    assert (first.low, first.high) == pytest.approx(stats.t.interval(0.95, 1, 3.0, stats.sem([2, 4])))
    assert (second.n, np.isnan(second.low)) == (1, True)


def test_cmos_turns_grades_of_systems_that_were_heard_first() -> None:
    frame = pd.DataFrame(
        [("x", 1, "a", -2, 1), ("x", 2, "a", 2, -1), ("y", 1, "a", 1, -1), ("y", 2, "a", -1, 1)],
        columns=["assessor", "item", "system", "score", "sign"],
    )
    (row,) = opinion.opinions(opinion.orient_grades(frame), range(-3, 4)).systems
    assert row.mean == pytest.approx(-1.5)
    assert row.votes == {-3: 0, -2: 2, -1: 2, 0: 0, 1: 0, 2: 0, 3: 0}
    effect = opinion.order_effect(frame)
    assert effect is not None
    assert (effect.mean, effect.assessors) == (0.0, 2)
    second_is_better = frame.assign(score=[-1, 3, 2, 0])
    effect = opinion.order_effect(second_is_better)
    assert effect is not None
    assert effect.mean == pytest.approx(1.0)
    assert opinion.order_effect(frame[frame["sign"] > 0]) is None
