"""Where a verdict and the interval beside it seem to contradict each other, one sentence says why."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

import numpy as np
import pandas as pd
import pytest

from evaluation.analysis.figures import Scale
from evaluation.analysis.statistics import choices
from evaluation.analysis.statistics.corrections import holm
from evaluation.analysis.statistics.differences import Population, compare
from evaluation.contexts import Context
from listening.results.choosing import _describe_preferences, _reconcile_answers
from listening.results.data import DifferenceData, DifferencesData
from listening.results.scales import DIFF_SCALE
from listening.results.verdicts import Ranked, Terms, describe_block, reconcile
from tests.rows import some

SYSTEMS = ("p", "q", "r", "s")
TITLES = {name: name.upper() for name in SYSTEMS}


def headline_of(rng: np.random.Generator, scale: Scale, margin: float) -> tuple[str, DifferencesData]:
    """The headline of a small study of four systems that are a little apart, and its tests as JSON."""
    of_systems = np.array([0, 0.04, 0.08, 0.15]) * (scale.high - scale.low)
    listeners, items = int(rng.integers(3, 9)), int(rng.integers(2, 5))
    spread = rng.choice([0.01, 0.05, 0.1]) * (scale.high - scale.low)
    middle = (scale.high + scale.low) / 2
    grades = middle - of_systems + spread * rng.standard_normal((listeners, items, 4))
    listener, item, system = (place.ravel() for place in np.indices(grades.shape))
    names = np.array(SYSTEMS, dtype=object)[system]
    frame = pd.DataFrame({"assessor": listener, "item": item, "system": names, "score": grades.ravel()})
    order = np.argsort(-grades.mean(axis=(0, 1)))
    ranked = [SYSTEMS[place] for place in order]
    pairs = [(a, b) for place, a in enumerate(ranked) for b in ranked[place + 1 :]]
    data = cast("DifferencesData", asdict(compare(frame, pairs, margin=margin)))
    block = [
        Ranked(slug, TITLES[slug], float(grades.mean(axis=(0, 1))[place]), listeners, items)
        for slug, place in zip(ranked, order, strict=True)
    ]
    return describe_block(block, Terms(scale), data), data


def ends_of(row: DifferenceData) -> tuple[float, float]:
    """The 95 % interval of a pair that was tested."""
    assert row["low"] is not None
    assert row["high"] is not None
    return row["low"], row["high"]


POINTS, MOS = Scale("grade", 0, 100, ()), Scale("MOS", 1, 5, ())


@pytest.mark.parametrize(
    ("scale", "margin"),
    some([(POINTS, 5.0), (MOS, 0.2), (DIFF_SCALE, 0.2)], lambda row: row[0] is POINTS),
)
def test_headlines_explain_intervals_that_exclude_0_beside_undecided(scale: Scale, margin: float) -> None:
    """Of MUSHRA, ACR and BS.1116: where printed pairs contradict themselves, and nowhere else."""
    rng = np.random.default_rng(4)
    found = {True: 0, False: 0}
    for _ in range(60):
        text, data = headline_of(rng, scale, margin)
        best = data["rows"][0]["a"]
        beside = [row for row in data["rows"] if row["a"] == best and row["verdict"] == "undecided"]
        apart = any(low > 0 or high < 0 for low, high in map(ends_of, beside))
        within = any(-margin < low and high < margin for low, high in map(ends_of, beside))
        assert ("can be undecided though its interval" in text) is (apart or within), text
        assert ("excludes 0" in text.partition("undecided though")[2].partition(".")[0]) is apart, text
        found[apart] += 1
    assert min(found.values()) > 3


def test_equivalence_beside_an_interval_that_excludes_0_is_explained() -> None:
    rng = np.random.default_rng(5)
    seen = set()
    for _ in range(40):
        text, data = headline_of(rng, POINTS, 12.0)
        best = data["rows"][0]["a"]
        beside = [row for row in data["rows"] if row["a"] == best and row["verdict"] == "equivalent"]
        apart = any(low > 0 or high < 0 for low, high in map(ends_of, beside))
        assert ("there is a difference, which lies within the margin" in text) is apart
        seen.add(apart)
    assert seen == {True, False}


def test_nothing_is_explained_of_pairs_that_were_not_tested() -> None:
    frame = pd.DataFrame({"assessor": [1, 1], "item": [1, 1], "system": ["p", "q"], "score": [10.0, 90.0]})
    data = cast("DifferencesData", asdict(compare(frame)))
    assert reconcile(data["rows"], data) == []


def test_preferences_explain_intervals_that_exclude_half() -> None:
    rng = np.random.default_rng(6)
    found = {True: 0, False: 0}
    for _ in range(60):
        shape = (8, 3, 3)
        listener, item, pair = (place.ravel() for place in np.indices(shape))
        named = np.array([("p", "q"), ("p", "r"), ("q", "r")], dtype=object)[pair]
        first = rng.random(shape).ravel() < 0.68
        frame = pd.DataFrame(
            {
                "assessor": listener,
                "item": item,
                "first": named[:, 0],
                "second": named[:, 1],
                "chosen": np.where(first, named[:, 0], named[:, 1]),
            }
        )
        rows = choices.preferences(frame, Population.THESE_ITEMS)
        text = _describe_preferences(rows, None, TITLES)
        apart = any(row.p_holm is not None and row.p_holm >= 0.05 and (row.low or 0) > 0.5 for row in rows)
        assert ("can be undecided though its interval excludes 50 %" in text) is apart, text
        found[apart] += 1
    assert min(found.values()) > 3


def answers(*counts: list[tuple[int, int]]) -> tuple[list[Context], int]:
    """Pairs as the page has them, of each the right answers and answers of its listeners."""
    rows = [
        (who, number, SYSTEMS[pair], SYSTEMS[pair + 1], number < right)
        for pair, of_pair in enumerate(counts)
        for who, (right, n) in enumerate(of_pair)
        for number in range(n)
    ]
    found = choices.abx(pd.DataFrame(rows, columns=list(choices.ABX_COLUMNS))).pooled
    adjusted = holm([row.p for row in found])
    return [
        {"row": row, "first": TITLES[row.first], "second": TITLES[row.second], "p_holm": p}
        for row, p in zip(found, adjusted, strict=True)
    ], max(map(len, counts))


def test_right_answers_explain_a_two_sided_interval_beside_a_one_sided_p() -> None:
    """Five of five: p = 1/32; Clopper and Pearson's interval begins at 0.025^(1/5) = 47.8 %."""
    pooled, listeners = answers([(5, 5)])
    (said,) = _reconcile_answers(pooled, listeners)
    assert said == (
        "P and Q: p is not above 0.05 though the interval includes 50 %: p is one-sided, against everybody "
        "guessing; the interval is two-sided."
    )
    assert _reconcile_answers(*answers([(6, 6)])) == []  # 0.025^(1/6) = 54.1 %
    assert _reconcile_answers(*answers([(4, 5)])) == []


def test_right_answers_explain_holm_and_listeners_who_differ() -> None:
    apart = [(8, 8), (8, 8), (8, 8), (3, 8)]  # 27 of 32, of listeners who differ
    (said,) = _reconcile_answers(*answers(apart))
    assert "of listeners like these, who may differ" in said
    # 7 of 7 in one of seven pairs: p = 1/128, times 7 is 5.5 %.
    several = answers([(7, 7)], [(3, 7)], [(4, 7)])
    assert _reconcile_answers(*several) == []
    six = [{**several[0][0], "p_holm": 0.055}, *several[0][1:]]
    (said,) = _reconcile_answers(six, 1)
    assert "Holm's p allows for all 3" in said
