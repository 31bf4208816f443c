"""Screening profiles against a published test whose authors screened by the same rule, and by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from evaluation.analysis import statistics
from evaluation.analysis.statistics import screening
from tests.evaluation.analysis.statistics.frames import (
    expected,
    published,
    shared,
    simulated,
    tidy,
)

BENJSTA = ["benjsta_unfiltered", "benjsta_filtered"]


@shared
@pytest.mark.shared
@pytest.mark.parametrize("name", BENJSTA)
def test_shares_and_exclusions_are_those_of_an_independent_calculation(name: str) -> None:
    figures = expected(name)["screen"]
    found = screening.screen(published(name), "bs1534", reference="Reference", mid_anchor=None)
    assert sorted(entry.assessor for entry in found.excluded) == figures["hr_below90_gt15pct"]
    shares = {str(entry.assessor): entry.share for entry in found.entries if entry.share}
    assert shares == pytest.approx(figures["fractions_nonzero"])


@shared
@pytest.mark.shared
def test_exactly_assessors_6_and_17_go_and_what_stays_is_the_published_filtered_file() -> None:
    frame = published("benjsta_unfiltered")
    found = screening.screen(frame, "bs1534", reference="Reference")
    assert sorted(entry.assessor for entry in found.excluded) == [6, 17]
    reasons = {entry.assessor: entry.reasons for entry in found.excluded}
    assert reasons[6] == ("hidden reference below 90 on 5 of 8 items (62 %)",)
    pd.testing.assert_frame_equal(
        statistics.summarise(found.view(frame)).sort_index(),
        statistics.summarise(published("benjsta_filtered")).sort_index(),
    )


def test_exactly_15_percent_of_items_stay_in() -> None:
    rows = [("a", str(item), "original", 89 if item < 3 else 100) for item in range(20)]
    rows += [("b", str(item), "original", 89 if item < 4 else 90) for item in range(20)]
    kept, dropped = statistics.screen_hidden_reference(tidy(*rows))
    assert (kept.share, kept.excluded) == (0.15, False)
    assert (dropped.share, dropped.excluded) == (0.2, True)
    assert dropped.reason == "hidden reference below 90 on 4 of 20 items (20 %)"


def test_who_never_graded_the_reference_is_named_not_dropped() -> None:
    (entry,) = statistics.screen_hidden_reference(tidy(("a", "1", "opus-9k", 70)))
    assert not entry.excluded
    assert math.isnan(entry.share)
    assert "has not graded" in entry.reason


def mids(*grades_by_assessor: list[float]) -> pd.DataFrame:
    """Grades of the mid anchor per assessor and item; the reference is always 100."""
    rows = []
    for number, grades in enumerate(grades_by_assessor):
        for item, grade in enumerate(grades):
            rows += [(f"a{number}", item, "anchor70", grade), (f"a{number}", item, "original", 100)]
    return tidy(*rows)


def test_who_takes_the_mid_anchor_for_the_reference_goes() -> None:
    found = screening.screen(mids([95, 95, 40, 40], [40, 40, 40, 40], [40] * 4, [40] * 4, [91, 40, 40, 40]))
    assert [entry.assessor for entry in found.excluded] == ["a0"]
    # Item 0 fools 2 of 5, more than 25 %: it does not count. Without it a0 has 1 of 3, a4 none.
    assert found.excluded[0].reasons == ("mid anchor above 90 on 1 of 3 items (33 %)",)
    assert "1 item left out of the mid anchor's rule" in found.notes[0]


def test_a_share_a_little_above_the_limit_is_not_printed_as_the_limit() -> None:
    """2 of 13 items are 15.4 %, which is more than 15 %; 3 of 20 are not."""
    rows = [("a", item, "original", 80.0 if item < 2 else 100.0) for item in range(13)]
    rows += [("b", item, "original", 80.0 if item < 3 else 100.0) for item in range(20)]
    a, b = screening.screen_hidden_reference(tidy(*rows))
    assert (a.excluded, a.reason) == (True, "hidden reference below 90 on 2 of 13 items (15.4 %)")
    assert (b.excluded, b.reason) == (False, "hidden reference below 90 on 3 of 20 items (15 %)")


def test_an_item_that_fools_exactly_a_quarter_still_counts() -> None:
    found = screening.screen(mids([95], [40], [40], [40]))
    assert [entry.assessor for entry in found.excluded] == ["a0"]
    assert screening.screen(mids([95], [40], [40])).excluded == []


def test_mpeg_drops_for_any_item() -> None:
    def rows(who: str, ref: float, mid: float, low: float) -> list[tuple[str, str, str, float]]:
        return [(who, "1", "original", ref), (who, "1", "anchor70", mid), (who, "1", "anchor35", low)]

    frame = tidy(*rows("good", 90, 50, 50), *rows("deaf", 89, 50, 20), *rows("turned", 100, 20, 21))
    found = screening.screen(frame, "mpeg")
    assert {entry.assessor: entry.reasons for entry in found.excluded} == {
        "deaf": ("hidden reference below 90 on 1 of 1 item (100 %)",),
        "turned": ("not reference ≥ mid anchor ≥ low anchor on 1 of 1 item (100 %)",),
    }


def test_nobody_goes_under_none_and_an_unknown_profile_is_named() -> None:
    frame = simulated()
    assert screening.screen(frame, "none").excluded == []
    assert "no screening profile 'harsh'" in screening.screen(frame, "harsh").problem


def test_a_researchers_own_thresholds() -> None:
    profile, problems = screening.custom({"least_spread": 5, "least_items": 2})
    assert problems == []
    frame = tidy(
        ("flat", "1", "x", 50), ("flat", "2", "x", 51), ("short", "1", "x", 10), ("short", "1", "y", 90),
        ("fine", "1", "x", 10), ("fine", "2", "x", 90),
    )  # fmt: skip
    assert {entry.assessor: entry.reason for entry in screening.screen(frame, profile).excluded} == {
        "flat": "grades hardly differ: standard deviation 0.7, below 5",
        "short": "graded 1 item of at least 2",
    }
    assert screening.custom(screening.to_json(profile.thresholds))[0] == profile


@pytest.mark.parametrize(
    "stored",
    [
        {"reference_share": 1.5}, {"mid_above": "high"}, {"reference_below": math.nan}, {"harshness": 3},
        {"reference_below": -1}, {"mid_share": None}, {"ordered": True},
    ],
)  # fmt: skip
def test_thresholds_that_make_no_sense_are_named_and_exclude_nobody(stored: dict[str, object]) -> None:
    profile, problems = screening.custom(stored)
    assert len(problems) == 1
    assert next(iter(stored)) in problems[0]
    assert profile.thresholds == screening.Thresholds()


def test_a_rule_about_a_system_that_nobody_graded_is_named() -> None:
    found = screening.screen(tidy(("a", "1", "original", 100), ("a", "1", "x", 20)))
    assert found.excluded == []
    assert found.notes == ("Nobody graded the mid anchor (anchor70): rules about it exclude nobody.",)
