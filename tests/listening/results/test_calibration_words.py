"""Pages say where their figures miss what they claim, in the cells that miss and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evaluation.analysis.statistics import calibration
from evaluation.analysis.statistics.calibration import Cell
from listening.models import Study, Trial
from listening.results import heavy, methods
from listening.results.calibration import NAMES, describe_cells
from listening.results.page import context_of
from listening.results.summary import compute
from listening.session.grading import graded_signals
from listening.session.ratings import save_rating
from tests.listening.conftest import system_of
from tests.listening.generated import generate
from tests.listening.results.test_analyses import computed
from tests.listening.results.test_method_results import hold, right, wrong

__all__ = ["hold"]  # a fixture


def test_every_analysis_of_the_table_has_words() -> None:
    assert {cell.analysis for cell in calibration.table()} <= set(NAMES)


def test_each_cell_that_misses_is_told_to_a_study_like_it_and_no_other_is() -> None:
    """Of every row of the table, as pages look it up: by method, scenario, size and analysis."""
    for cell in calibration.table():
        found = calibration.find_misses(
            cell.method, [cell.analysis], cell.listeners, cell.items, [cell.scenario]
        )
        assert found == ([cell] if cell.too_narrow or cell.too_wide else [])
        for said in describe_cells(found):
            assert said.startswith("Too sure" if cell.too_narrow else "Too cautious")
            assert NAMES[cell.analysis] in said


def test_sentences_say_what_was_found_and_to_which_side_it_misses() -> None:
    cells = [
        Cell("grades", "missing", 4, 1, "mean", 1000, 91.2, None),
        Cell("grades", "missing", 4, 1, "difference, these", 1000, 92.0, 8.0),
        Cell("grades", "even", 8, 3, "equivalence, like", 1000, None, 0.4),
    ]
    assert describe_cells(cells) == [
        "Too sure: in simulated studies of the nearest size, 4 listeners and 1 item, a third of the grades "
        "missing: means of "
        "listener means (95 % intervals held the true figure in 91.2 %) and differences for these items only "
        "(95 % intervals held the true figure in 92.0 % and 5 % tests found what was not there in 8.0 %). "
        "Read these intervals as too narrow, and these p as too small.",
        "Too cautious: in simulated studies of the nearest size, 8 listeners and 3 items: equivalence for "
        "items like these (5 % tests found what was not there in 0.4 %). True equivalence is missed more "
        "often than need be.",
    ]
    assert describe_cells([]) == []


@pytest.mark.parametrize(
    ("coverage", "alarms", "analysis", "advice"),
    [
        (80.0, None, "mean", "Read these intervals as too narrow."),
        (None, 9.0, "Friedman", "Read these p as too small."),
        (99.0, None, "mean", "These intervals are wider than need be."),
        (None, 0.4, "equivalence, like", "True equivalence is missed more often than need be."),
        (99.0, 1.0, "difference, like", "True differences are missed more often than need be."),
        (98.0, 4.6, "right answers", "These intervals are wider than need be."),
        (94.0, 9.0, "mixed model", "Read these p as too small."),
    ],
)
def test_advice_is_on_what_was_found(
    coverage: float | None, alarms: float | None, analysis: str, advice: str
) -> None:
    (said,) = describe_cells([Cell("grades", "even", 8, 3, analysis, 1000, coverage, alarms)])
    assert said.endswith(f"). {advice}")


def test_the_page_warns_in_the_cell_that_misses_alone(
    make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(3, ["opus-9k", "bpgan-2k"])
    quality = {"anchor35": 25.0, "anchor70": 45.0, "opus-9k": 60.0, "bpgan-2k": 50.0}
    generate(study, 5, quality)
    here = Cell("grades", "even", 4, 3, "difference, like", 1000, 99.0, 1.0)
    there = Cell("grades", "even", 16, 3, "difference, like", 1000, 80.0, 20.0)
    companion = Cell("companions", "even", 4, 3, "sign-flip", 1000, None, 0.0)
    monkeypatch.setattr(calibration, "table", lambda: (here, there, companion))
    monkeypatch.setattr(calibration, "scenarios_of", lambda frame, ends: ("even",))
    row = computed(study)
    assert [miss["coverage"] for miss in row.data["misses"]["primary"]] == [99.0]
    context = context_of(compute(study), row)
    (said,) = context["misses"]
    assert said.startswith(
        "Too cautious: in simulated studies of the nearest size, 4 listeners and 3 items: differences for"
    )
    assert any("the sign-flip test" in line for line in context["reach"])
    monkeypatch.setattr(calibration, "table", lambda: (there,))
    assert heavy.compute(study, "real", "bs1534")["misses"] == {"primary": [], "companions": []}


def test_the_logistic_model_and_listeners_who_passed_are_told_where_they_miss(
    hold: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    odds = [
        Cell("odds", scenario, 4, 3, "logistic model", 1000, 80.0, 5.0) for scenario in calibration.SCENARIOS
    ]
    passed = [
        Cell("diff grades", scenario, 4, 3, "impairment, listeners who passed", 1000, 60.0, 40.0)
        for scenario in calibration.SCENARIOS
    ]
    monkeypatch.setattr(calibration, "table", lambda: (*odds, *passed))

    def answer(trial: Trial) -> None:
        (right if (trial.session.number + trial.position) % 3 else wrong)(trial)

    def graded(trial: Trial) -> None:
        for entry in graded_signals(trial):
            heard = system_of(entry) == "original" or (trial.session.number + trial.position) % 2
            save_rating(trial, entry["key"], 5.0 if heard else 3.5, 1)

    study = hold("abx", answer, trials=4, listeners=4)
    data = heavy.compute(study, "real", "none")
    assert {miss["analysis"] for miss in data["misses"]["companions"]} == {"logistic model"}
    (said,) = methods.context_of(study, "real", data)["companion_misses"]
    assert said.startswith("Too sure")
    study = hold("bs1116", graded, systems=("opus-9k", "bpgan-2k", "celp-8k"), listeners=4)
    data = heavy.compute(study, "real", "none")
    assert {miss["analysis"] for miss in data["misses"]["companions"]} == {"impairment, listeners who passed"}
