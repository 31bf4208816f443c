"""Where a verdict and the interval beside it seem to contradict each other, one sentence says why."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from evaluation.analysis.figures import Scale
from evaluation.analysis.statistics import choices, comparisons
from evaluation.analysis.statistics.differences import Population, compare
from evaluation.analysis.words import every, figure, keep_units, p_figure, p_words, percent, plain
from evaluation.contexts import Context
from evaluation.templatetags.isolation import isolate, isolate_each, paragraphs
from listening.results.choosing import _describe_preferences, _reconcile_answers
from listening.results.data import DifferenceData, DifferencesData
from listening.results.scales import DIFF_SCALE
from listening.results.verdicts import Ranked, Terms, describe_block, family_of, pair_rows, reconcile
from listening.results.words import describe_reach
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
    return [{"row": row, "first": TITLES[row.first], "second": TITLES[row.second]} for row in found], max(
        map(len, counts)
    )


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
    row = cast("choices.AbxRow", several[0][0]["row"])
    six = [{**several[0][0], "row": replace(row, p_holm=0.055)}, *several[0][1:]]
    (said,) = _reconcile_answers(six, 1)
    assert "Holm's p allows for all 3" in said


def headline(*means: float, spread: float = 1.0) -> str:
    """Of eight listeners and four items, systems of these means, the best first."""
    rng = np.random.default_rng(8)
    grades = np.array(means) + spread * rng.standard_normal((8, 4, len(means)))
    grades += np.array(means) - grades.mean(axis=(0, 1))
    listener, item, system = (place.ravel() for place in np.indices(grades.shape))
    names = np.array(SYSTEMS, dtype=object)[system]
    frame = pd.DataFrame({"assessor": listener, "item": item, "system": names, "score": grades.ravel()})
    data = cast("DifferencesData", asdict(compare(frame)))
    block = [Ranked(name, TITLES[name], mean, 8, 4) for name, mean in zip(SYSTEMS, means, strict=False)]
    return describe_block(block, Terms(POINTS), data)


def test_the_highest_is_so_called_only_where_it_is_better_than_all_others() -> None:
    assert headline(80, 60, 40).startswith("P has the highest mean of 3 systems: 80.0")
    # Better than R, but not than Q, to which it may be equivalent.
    assert headline(80.0, 79.9, 40).startswith(
        "Which of 3 systems is highest is undecided: P has a mean of 80.0"
    )
    assert headline(80, 80, 40).startswith("P and Q have the same mean, the highest of 3 systems: 80.0")
    assert headline(80, 80, 79.5, spread=9.0).startswith("P and Q have the same mean: 80.0")


def test_for_whom_it_holds_is_said_of_what_is_decided_alone() -> None:
    """P and Q 0.1 apart, with noise of 20, are undecided; R is 40 below."""
    none = headline(80.1, 80.0, spread=20.0)
    assert "Undecided against P: Q" in none
    assert "This holds" not in none
    some = headline(80.1, 80.0, 40, spread=20.0)
    better, holds, undecided = (
        some.index(said) for said in ("better than R", "This holds", "Undecided against")
    )
    assert better < holds < undecided


def test_votes_that_cannot_show_a_preference_are_given_no_verdict() -> None:
    """Five listeners of one mind: 2/2^5 = 0.0625; six of one pair 2/2^6 = 0.03125, of three pairs 0.094."""

    def said(listeners: int, *pairs: tuple[str, str]) -> str:
        rows = [
            (f"l{who}", n, *pair, pair[0]) for who in range(listeners) for n in range(3) for pair in pairs
        ]
        frame = pd.DataFrame(rows, columns=list(choices.PREFERENCE_COLUMNS))
        return _describe_preferences(choices.preferences(frame), None, TITLES)

    assert said(5, ("p", "q")) == (
        "No verdict is possible on P and Q: with so few listeners p is not below 0.05 even where all of them "
        "prefer the same system."
    )
    assert said(6, ("p", "q")).startswith(
        "P is preferred to Q: 100 % (54 % to 100 %, 6 listeners, p = 0.031). This holds for these items only."
    )
    three = said(6, ("p", "q"), ("p", "r"), ("q", "r"))
    assert three.startswith(
        "No verdict is possible on all 3 pairs: with so few listeners p (Holm's, of 3 pairs)"
    )


def place(votes: dict[tuple[str, str], tuple[int, int]]) -> tuple[list[str], str]:
    """The systems down the scale, and what is said of it; `votes` are for the first and the second of a pair.

    Each of 16 listeners has a 16th of them.
    """
    rows = [
        (f"l{number % 16}", number // 16, *pair, pair[number >= won])
        for pair, (won, lost) in votes.items()
        for number in range(won + lost)
    ]
    frame = pd.DataFrame(rows, columns=list(choices.PREFERENCE_COLUMNS))
    found, scale = choices.preferences(frame, Population.THESE_ITEMS), choices.bradley_terry(frame)
    said = _describe_preferences(found, scale, TITLES)
    return [row.system for row in scale.systems], said[said.index("On Bradley") :]


def test_who_stands_highest_is_said_with_whom_that_is_not_shown_against() -> None:
    """P wins 94 of 128 votes and beats R in nearly every one; against Q votes are even."""
    ranked, said = place({("p", "q"): (32, 32), ("p", "r"): (62, 2), ("q", "r"): (58, 6)})
    assert ranked == ["p", "q", "r"]
    assert said == (
        "On Bradley and Terry's scale P stands highest: it wins 73 % of votes on average; that it is "
        "preferred to Q is not shown."
    )


@pytest.mark.parametrize("first", ["p", "q"])
def test_those_who_win_as_many_votes_stand_highest_together(first: str) -> None:
    """P and Q win 92 of 128 votes each: equally able, they keep their order, however sums are rounded."""
    votes = {("p", "q"): (30, 34), ("p", "r"): (62, 2), ("q", "r"): (58, 6)}
    if first == "q":
        votes = {("q", "p"): (34, 30), ("q", "r"): (58, 6), ("p", "r"): (62, 2)}
    ranked, said = place(votes)
    assert ranked == [*dict.fromkeys([first, "p", "q"]), "r"]
    names = " and ".join(TITLES[each] for each in ranked[:2])
    assert said == (
        f"On Bradley and Terry's scale {names} stand highest together: each wins 72 % of votes on average."
    )


def test_of_those_who_stand_highest_together_each_has_its_own_doubts() -> None:
    """P and Q win 128 of 192 votes each, but 36 of 64 against R, of which chance explains so many."""
    even, few, nearly_all = (32, 32), (36, 28), (60, 4)
    ranked, said = place(
        {("p", "q"): even, ("p", "r"): few, ("q", "r"): few}
        | {(system, "s"): nearly_all for system in ("p", "q", "r")}
    )
    assert ranked == ["p", "q", "r", "s"]
    assert said.endswith("that P is preferred to R and that Q is preferred to R is not shown.")


def test_holm_is_said_to_be_over_the_pairs_that_were_tested() -> None:
    """All of Q is 10 below P: nothing to test; two pairs remain, of which each undecided row speaks."""
    rng = np.random.default_rng(1)
    p = 60 + rng.standard_normal((6, 3))
    grades = np.stack([p, p - 10, 60 + rng.standard_normal((6, 3))], axis=2)
    listener, item, system = (place.ravel() for place in np.indices(grades.shape))
    names = np.array(SYSTEMS, dtype=object)[system]
    frame = pd.DataFrame({"assessor": listener, "item": item, "system": names, "score": grades.ravel()})
    data = cast("DifferencesData", asdict(compare(frame)))
    assert family_of(data) == 2
    assert all("adjusted by Holm for 2 pairs" in row["how"] for row in pair_rows(TITLES, data, 1))


def test_friedman_says_where_it_cannot_reach_its_level() -> None:
    """Two listeners, three systems: chi-square is 4 at most, p exp(-2); of three listeners 6, exp(-3)."""
    for listeners, floor in ((2, np.exp(-2)), (3, np.exp(-3))):
        rows = [(who, 1, name, 10.0 * k + who) for who in range(listeners) for k, name in enumerate("pqr")]
        found = comparisons.friedman(pd.DataFrame(rows, columns=["assessor", "item", "system", "score"]))
        assert found.floor == pytest.approx(floor)
        said = describe_reach({"friedman": asdict(found)})
        assert ([*said, ""][0].startswith("Friedman's test cannot fall below 0.05")) is (listeners == 2)
    assert describe_reach({"friedman": {"p": 0.2}}) == []  # of an older analysis


def test_all_of_two_are_both_and_of_one_the_only_one() -> None:
    assert [every(number, "pair") for number in (1, 2, 3)] == ["the only pair", "both pairs", "all 3 pairs"]


def test_no_line_breaks_between_a_number_and_its_unit() -> None:
    assert keep_units('<p title="5 %">95 % of 4 s, ± 3 points, −6 dB and 12 listeners</p>') == (
        '<p title="5 %">95\xa0% of 4\xa0s, ±\xa03\xa0points, −6\xa0dB and 12 listeners</p>'
    )
    for kept in (
        "<code>-t 5 s</code>",
        "<svg><text>5 %</text></svg>",
        '<pre id="a">5 % of <b>6 s</b></pre>',
        isolate("take 3 s.wav"),
        isolate_each(["take 3 s.wav", "take 4 s.wav"]),
        f"<blockquote>{paragraphs('Wait 5 s.')}</blockquote>",
    ):
        assert keep_units(f"{kept} 5 s") == f"{kept} 5\xa0s"
    assert keep_units("up to 50 MB, 128 kB a file") == "up to 50\xa0MB, 128\xa0kB a file"
    assert keep_units("3 systems, 2 sides, 4 minutes") == "3 systems, 2 sides, 4 minutes"


def test_figures_do_not_read_as_what_they_are_not() -> None:
    """Rounding hides neither a sign of zero nor on which side of 0.05, of half or of all a figure lies."""
    assert [p_figure(p) for p in (0.0496, 0.05, 0.0504, 0.04999, 0.2, 0.0004)] == [
        "0.0496", "0.050", "0.0504", "0.04999", "0.200", "< 0.001",
    ]  # fmt: skip
    assert (p_words(0.0004), p_words(0.0496)) == ("p < 0.001", "p = 0.0496")
    shares = (0, 0.004, 0.496, 0.5, 0.62, 0.997, 1)
    assert [percent(each) for each in shares] == ["0 %", "0.4 %", "49.6 %", "50 %", "62 %", "99.7 %", "100 %"]
    assert [percent(each, (0.29,)) for each in (0.288, 0.29)] == ["28.8 %", "29 %"]
    assert (figure(-0.04, 1), figure(-0.4, 1)) == ("0.0", "−0.4")
    assert [figure(each, 1, signed=True) for each in (-0.44, -0.04, 1.23)] == ["−0.4", "+0.0", "+1.2"]
    assert [plain(each) for each in (-3.0, 0.5)] == ["−3", "0.5"]
