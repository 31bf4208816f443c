"""Frames as arrays: what is left of some systems, and that functions take either."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from evaluation.analysis.statistics import describe
from evaluation.analysis.statistics.differences import adjust_means, find_blocks
from evaluation.analysis.statistics.frames import MAX_CELLS, Tidy, tidy
from evaluation.analysis.statistics.residuals import residuals
from evaluation.analysis.statistics.screening import screen


@pytest.fixture
def frame() -> pd.DataFrame:
    """Grades of four listeners, of whom some left out systems and items, in no order; one has no score."""
    rng = np.random.default_rng(3)
    rows = [
        (listener, item, system, float(rng.integers(0, 101)))
        for listener in "dacb"
        for item in (3, 1, 2)
        for system in ("x", "original", "y", "anchor70", "anchor35")
        if rng.random() > 0.3
    ]
    made = pd.DataFrame(rows, columns=["assessor", "item", "system", "score"]).sample(frac=1, random_state=4)
    made.loc[made.index[0], "score"] = np.nan
    return made


def as_lists(data: Tidy) -> dict[str, object]:
    found = asdict(data)
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in found.items()}


@pytest.mark.parametrize("systems", [["y"], ["anchor35", "x"], ["nobody heard this"], []])
def test_only_some_systems_are_what_a_frame_of_their_rows_gives(
    frame: pd.DataFrame, systems: list[str]
) -> None:
    rows = frame[frame["system"].isin(systems) & frame["score"].notna()]
    assert as_lists(tidy(frame).only(systems)) == as_lists(tidy(rows))


def test_only_all_systems_are_the_same_without_notes(frame: pd.DataFrame) -> None:
    data = tidy(frame)
    assert data.notes == ("1 rating without a finite score left out.",)
    assert as_lists(data.only(data.systems)) == {**as_lists(data), "notes": ()}


@pytest.mark.parametrize("count", [describe.cells, describe.outliers, describe.systems,
                                   describe.validity_hints, find_blocks, adjust_means, screen])  # fmt: skip
def test_functions_say_the_same_of_a_frame_and_of_its_arrays(frame: pd.DataFrame, count: object) -> None:
    assert callable(count)
    assert count(frame) == count(tidy(frame))


def test_residuals_are_the_same_of_a_frame_and_of_its_arrays(frame: pd.DataFrame) -> None:
    for one, two in zip(residuals(frame), residuals(tidy(frame)), strict=True):
        assert one.tolist() == two.tolist()


def test_repeated_grades_are_counted_however_many_cells_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        ("a", 1, "x", 5.0),
        ("a", 1, "x", 6.0),
        ("a", 2, "x", 7.0),
        ("b", 1, "x", 7.0),
        ("a", 1, "x", 8.0),
    ]
    data = tidy(pd.DataFrame(rows, columns=["assessor", "item", "system", "score"]))
    assert data.duplicated == 2
    assert MAX_CELLS > 4
    monkeypatch.setattr("evaluation.analysis.statistics.frames.MAX_CELLS", 3)
    assert data.duplicated == 2
