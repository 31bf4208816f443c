"""Whatever is rated, every public function answers: figures, or a sentence that says why there are none."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.analysis import statistics
from evaluation.analysis.statistics import (
    agreement,
    anova,
    comparisons,
    corrections,
    describe,
    intervals,
    mapping,
    mixed,
    planning,
    screening,
)
from tests.evaluation.analysis.statistics.frames import simulated, tidy
from tests.rows import some

SYSTEMS = ["original", "anchor35", "anchor70", "x"]
SCORES = pd.DataFrame(
    [(item, system, 1.0 + k + 0.1 * j) for j, item in enumerate("123") for k, system in enumerate(SYSTEMS)],
    columns=["item", "system", "value"],
)

FUNCTIONS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "systems": lambda frame: describe.systems(frame, resamples=50),
    "cells": lambda frame: describe.cells(frame, resamples=20),
    "outliers": describe.outliers,
    "validity_hints": describe.validity_hints,
    "none": lambda frame: screening.screen(frame, "none"),
    "bs1534": screening.screen,
    "mpeg": lambda frame: screening.screen(frame, "mpeg"),
    "custom": lambda frame: screening.screen(
        frame, screening.custom({"least_spread": 1, "least_items": 2})[0]
    ),
    "attachment3": lambda frame: comparisons.attachment3(frame, permutations=20),
    "sign_flip": lambda frame: comparisons.sign_flip(frame, permutations=20),
    "wilcoxon": comparisons.wilcoxon,
    "contrasts": lambda frame: comparisons.contrasts(frame, [("x", "original"), ("x", "anchor35")]),
    "friedman": comparisons.friedman,
    "repeated_measures": anova.repeated_measures,
    "mixed": mixed.fit,
    "plan": lambda frame: planning.plan(frame, 5.0),
    "per_stimulus": lambda frame: agreement.per_stimulus(frame, SCORES),
    "per_system": lambda frame: agreement.per_system(frame, SCORES),
}


def numbers(value: Any, path: str = "") -> list[tuple[str, float]]:
    """Every float in a result, with where it is."""
    if isinstance(value, float):
        return [(path, value)]
    if dataclasses.is_dataclass(value):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return [found for name, inner in fields for found in numbers(inner, f"{path}.{name}")]
    if isinstance(value, dict):
        return [found for name, inner in value.items() for found in numbers(inner, f"{path}[{name}]")]
    if isinstance(value, list | tuple):
        return [found for k, inner in enumerate(value) for found in numbers(inner, f"{path}[{k}]")]
    return []


def lacking(value: Any) -> list[str]:
    """Results that give no p, f or count, and no reason either."""
    found = []
    if isinstance(value, comparisons.Comparison) and value.p is None and not value.problem:
        found.append(str(value))
    if isinstance(value, anova.Effect) and value.p is None and not value.problem:
        found.append(str(value))
    if isinstance(value, agreement.Correlation) and value.value is None and not value.problem:
        found.append(str(value))
    if isinstance(value, agreement.Agreement) and value.rmse is None and not value.rmse_problem:
        found.append(str(value))
    if isinstance(value, mixed.Mixed | comparisons.Friedman) and value.p is None and not value.problem:
        found.append(str(value))
    if isinstance(value, anova.Anova) and not value.effects and not value.problem:
        found.append(str(value))
    if isinstance(value, planning.Plan | planning.Need) and value.assessors is None and not value.problem:
        found.append(str(value))
    if isinstance(value, describe.Description) and not value.conditions and not value.problem:
        found.append(str(value))
    if isinstance(value, comparisons.Comparisons) and not value.rows and not value.problem:
        found.append(str(value))
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            found += lacking(getattr(value, field.name))
    if isinstance(value, list | tuple):
        for inner in value:
            found += lacking(inner)
    return found


def check(function: Callable[[pd.DataFrame], Any], frame: pd.DataFrame) -> None:
    before = frame.copy(deep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = function(frame)
    # An assessor who never graded the reference has no share: that one NaN is documented.
    bad = [
        (path, number)
        for path, number in numbers(result)
        if not math.isfinite(number) and not path.endswith(".share")
    ]
    assert bad == []
    assert lacking(result) == []
    pd.testing.assert_frame_equal(frame, before)


GRADE = st.one_of(
    st.integers(0, 100).map(float),
    st.sampled_from([0.0, 50.0, 100.0, math.nan, math.inf]),
    st.floats(0, 100, allow_nan=False),
)
ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", 4]), st.sampled_from("123"), st.sampled_from(SYSTEMS), GRADE),
    max_size=40,
)
FEW = st.sampled_from([0.0, 50.0, 100.0])


@st.composite
def complete(draw: st.DrawFn) -> pd.DataFrame:
    """Every assessor grades everything, with few different grades: ties, constants, singular covariances."""
    assessors, items, systems = (draw(st.integers(1, most)) for most in (6, 3, 4))
    cells = [
        (f"a{a}", str(i + 1), SYSTEMS[s])
        for a in range(assessors)
        for i in range(items)
        for s in range(systems)
    ]
    return tidy(*((*cell, draw(FEW)) for cell in cells))


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=15)
@given(rows=ROWS)
def test_any_ratings_get_an_answer(name: str, rows: list[tuple[Any, Any, Any, float]]) -> None:
    check(FUNCTIONS[name], tidy(*rows))


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=15)
@given(frame=complete())
def test_complete_tests_with_ties_get_an_answer(name: str, frame: pd.DataFrame) -> None:
    check(FUNCTIONS[name], frame)


WHOLE = simulated(5, 3, 4, seed=1)
CASES: dict[str, pd.DataFrame] = {
    "nobody": tidy(),
    "no columns": pd.DataFrame(),
    "no system column": WHOLE.drop(columns="system"),
    "only NaN": WHOLE.assign(score=math.nan),
    "only texts": WHOLE.assign(score="good"),
    "texts of numbers": WHOLE.assign(score=WHOLE["score"].astype(str)),
    "one rating": WHOLE[:1],
    "one assessor": WHOLE[WHOLE["assessor"] == "a0"],
    "one item": WHOLE[WHOLE["item"] == "i0"],
    "one system": WHOLE[WHOLE["system"] == "original"],
    "two assessors": WHOLE[WHOLE["assessor"].isin(["a0", "a1"])],
    "all the same": WHOLE.assign(score=50),
    "each assessor one grade": WHOLE.assign(score=WHOLE["assessor"].str[1:].astype(float)),
    "each system one grade": WHOLE.assign(score=WHOLE["system"].str.len().astype(float)),
    "each item one grade": WHOLE.assign(score=WHOLE["item"].str[1:].astype(float)),
    "additive, no error": WHOLE.assign(
        score=WHOLE["assessor"].str[1:].astype(float) + 10 * WHOLE["system"].str.len()
    ),
    "every cell twice": pd.concat([WHOLE, WHOLE], ignore_index=True),
    "one cell missing": WHOLE[1:],
    "assessors share no item": tidy(
        *((k, k, s, 10 * k + j) for k in range(4) for j, s in enumerate(SYSTEMS))
    ),
    "assessors share no system": tidy(*((s, i, s, 10.0 + j) for s in SYSTEMS for j, i in enumerate("123"))),
    "huge grades": WHOLE.assign(score=WHOLE["score"] * 1e12),
    "tiny differences": WHOLE.assign(score=50 + WHOLE["score"] * 1e-12),
    "missing names": WHOLE.assign(assessor=[None, *WHOLE["assessor"][1:]]),
    "odd index": WHOLE.set_index(np.zeros(len(WHOLE), dtype=int)),
    "categories": WHOLE.astype({"system": "category", "item": "category", "assessor": "category"}),
    "nullable numbers": WHOLE.astype({"score": "Float64"}),
}


def _is_telling(pair: tuple[str, str]) -> bool:
    """A quarter of the pairs, in which every function and every case occurs several times."""
    return (list(FUNCTIONS).index(pair[0]) + list(CASES).index(pair[1])) % 4 == 0


@pytest.mark.parametrize(("name", "case"), some(product(FUNCTIONS, CASES), _is_telling))
def test_odd_cases_get_an_answer(name: str, case: str) -> None:
    check(FUNCTIONS[name], CASES[case])


@pytest.mark.parametrize("case", ["texts of numbers", "categories", "nullable numbers", "odd index"])
def test_how_a_frame_is_stored_changes_nothing(case: str) -> None:
    plain = {row.system: row for row in describe.systems(WHOLE).conditions}
    assert {row.system: row for row in describe.systems(CASES[case]).conditions} == plain


def test_the_old_names_answer_on_nothing() -> None:
    assert statistics.summarise(tidy()).empty
    assert statistics.screen_hidden_reference(tidy()) == []
    assert math.isnan(statistics.half_width([1]))


NUMBERS = st.lists(
    st.tuples(st.floats(-1e6, 1e6, allow_nan=False), st.floats(-1e6, 1e6, allow_nan=False)), max_size=12
)


@settings(max_examples=200)
@given(pairs=NUMBERS, name=st.sampled_from(["Pearson", "Spearman", "Kendall"]))
def test_any_two_series_are_correlated_or_told_apart(pairs: list[tuple[float, float]], name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = agreement.correlate(name, [x for x, _ in pairs], [y for _, y in pairs])
    assert lacking(found) == []
    if found.value is not None:
        assert -1 <= found.value <= 1
    if found.interval is None:
        assert found.problem
    else:
        assert found.value is not None
        assert -1 <= found.interval.low <= found.value <= found.interval.high <= 1


@settings(max_examples=200)
@given(pairs=NUMBERS, rising=st.booleans())
def test_any_points_are_mapped_without_a_turn(pairs: list[tuple[float, float]], rising: bool) -> None:
    x, y = np.array([x for x, _ in pairs]), np.array([y for _, y in pairs])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = mapping.monotone_cubic(x, y, rising=rising)
    if found is None:
        assert x.size < 2 or np.ptp(x) <= 1e-100  # whose third power has no inverse
        return
    drawn = found(np.linspace(x.min(), x.max(), 60))
    assert np.isfinite(drawn).all()
    steps = np.diff(drawn) if rising else -np.diff(drawn)
    assert steps.min() >= -1e-6 * max(1.0, float(np.ptp(y)))
    # Never worse than the flat line, which does not turn either.
    flat = float(((y - y.mean()) ** 2).sum())
    assert float(((found(x) - y) ** 2).sum()) <= flat * (1 + 1e-6) + 1e-6


@settings(max_examples=200)
@given(p=st.lists(st.one_of(st.none(), st.floats(0, 1), st.just(math.nan)), max_size=12))
def test_corrections_never_lower_a_p_and_keep_the_order(p: list[float | None]) -> None:
    step_down, step_up = corrections.holm(p), corrections.hochberg(p)
    known = [k for k, value in enumerate(p) if value is not None and math.isfinite(value)]
    for adjusted in (step_down, step_up):
        assert [k for k, value in enumerate(adjusted) if value is not None] == known
        values = [(p[k] or 0.0, adjusted[k] or 0.0) for k in known]
        assert all(raw <= more <= 1 for raw, more in values)
        assert [more for _, more in sorted(values)] == sorted(more for _, more in values)
    assert all((step_up[k] or 0.0) <= (step_down[k] or 0.0) for k in known)


@settings(max_examples=100)
@given(
    sd=st.floats(allow_nan=True, allow_infinity=True),
    wanted=st.floats(allow_nan=True, allow_infinity=True),
    assurance=st.one_of(st.none(), st.floats(-1, 2)),
)
def test_any_plan_has_a_number_or_a_reason(sd: float, wanted: float, assurance: float | None) -> None:
    need = planning.assessors_needed(sd, wanted, assurance=assurance)
    assert (need.assessors is None) == bool(need.problem)
    if need.assessors is not None:
        assert 2 <= need.assessors <= planning.MOST


@settings(max_examples=100)
@given(values=st.lists(st.floats(-1e6, 1e6, allow_nan=False), max_size=15))
def test_any_values_have_an_interval_around_the_mean_or_none(values: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        t = intervals.t_interval(values, "values")
        bca = intervals.bca_interval(values, "values", resamples=99)
        b = describe.multimodality(values)
    assert (t is None) == (len(values) < 2)
    assert b is None or math.isfinite(b)
    if t is not None:
        assert t.low <= np.mean(values) <= t.high
    if bca is not None:
        assert min(values) - 1e-6 <= bca.low <= bca.high <= max(values) + 1e-6
