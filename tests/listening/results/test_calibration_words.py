"""Pages say where their figures miss what they claim, in the cells that miss and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from evaluation.analysis.statistics import calibration
from evaluation.analysis.statistics.calibration import Cell
from listening.models import Study, Trial
from listening.results import heavy, methods
from listening.results.calibration import NAMES, describe_cells, describe_misses
from listening.results.page import context_of
from listening.results.summary import compute
from listening.session.grading import graded_signals
from listening.session.ratings import save_rating
from tests.listening.conftest import system_of
from tests.listening.generated import generate
from tests.listening.results.test_analyses import computed
from tests.listening.results.test_method_results import right, wrong


def test_every_analysis_of_the_table_has_words() -> None:
    assert {cell.analysis for cell in calibration.table()} <= set(NAMES)


def test_each_cell_that_misses_is_told_to_a_study_like_it_and_no_other_is() -> None:
    """Of every row of the table, as pages look it up: by method, scenario, size and analysis."""
    for cell in calibration.table():
        found = calibration.find_misses(
            cell.method, [cell.analysis], cell.listeners, cell.items, [cell.scenario]
        )
        assert found == ([cell] if cell.too_narrow or cell.too_wide else [])
        said = describe_cells(found)
        assert ("too sure: " in said, "too cautious: " in said) == (
            cell.too_narrow > 0,
            cell.too_wide > 0 and not cell.too_narrow,
        )
        assert (NAMES[cell.analysis] in said) is bool(found)


def test_sentences_say_what_was_found_and_to_which_side_it_misses() -> None:
    cells = [
        Cell("grades", "missing", 4, 1, "mean", 1000, 91.2, None),
        Cell("grades", "missing", 4, 1, "difference, these", 1000, 92.0, 8.0),
        Cell("grades", "even", 8, 3, "equivalence, like", 1000, None, 0.4),
    ]
    assert describe_cells(cells) == (
        "Cases are told apart by unequal spreads, gaps, grades near the end of the scale, and systems that "
        "differ by item. "
        "In simulated studies of the nearest size, 4 listeners (the fewest simulated) and 1 item, where a "
        "third of the grades is missing, too sure: means of "
        "listener means (95 % intervals held the true figure in 91.2 %) and differences for these items only "
        "(95 % intervals held the true figure in 92.0 % and 5 % tests found what was not there in 8.0 %). "
        "Read these intervals as too narrow, and these p as too small. "
        "In simulated studies of the nearest size, 8 listeners and 3 items, where grades show none of these, "
        "too cautious: "
        "equivalence for items like these (5 % tests found what was not there in 0.4 %). True equivalence is "
        "missed more often than need be. "
        "A case applies to the pairs and systems whose own grades or choices are like it."
    )
    assert describe_cells([]) == ""
    of_choices = [
        Cell("votes", name, 8, 3, "preference, like", 1000, 80.0, None) for name in ("missing", "even")
    ]
    assert describe_cells(of_choices).startswith(
        "Cases are told apart by listeners or items that differ, gaps, and choices that are nearly all alike."
    )


#: The same analysis of one study: too sure for pairs that differ by item, too cautious for others.
BOTH = [
    Cell("grades", "even", 16, 3, "difference, like", 1000, 97.3, 2.7),
    Cell("grades", "system x item", 16, 3, "difference, like", 1000, 92.9, 7.1),
]


def test_one_analysis_that_misses_to_both_sides_is_one_statement_with_the_case_of_each() -> None:
    said = describe_cells(BOTH, 0.0004)
    assert (
        "In simulated studies of the nearest size, 16 listeners and 3 items, where systems differ by item, "
        "too sure: differences for items like these (95 % intervals held the true figure in 92.9 %"
    ) in said
    assert "Where grades show none of these, too cautious: differences" in said
    assert said.count("unequal spreads") == 1
    assert said.index("too sure") < said.index("too cautious")


@pytest.mark.parametrize(
    ("data", "weighed"),
    [
        (
            {"anova": {"effects": [{"name": "system", "p": 0.5}, {"name": "system x item", "p": 0.0004}]}},
            "The analysis of variance shows that systems differ by item here (p < 0.001), which speaks for "
            "that case.",
        ),
        (
            {"anova": {"effects": [{"name": "system", "p": 0.001}, {"name": "system x item", "p": 0.3}]}},
            "The analysis of variance leaves undecided whether systems differ by item here (p = 0.300), "
            "which is no evidence that they do not: allow for either.",
        ),
        ({}, "Whether the items make a difference is not tested here: allow for either."),
        (
            {
                "omnibus": {"include_reference": True},
                "anova": {"effects": [{"name": "system x item", "p": 0.0}]},
            },
            "Whether the items make a difference is not tested here: allow for either.",
        ),
    ],
)
def test_the_studys_own_interaction_says_which_case_it_speaks_for(data: Any, weighed: str) -> None:
    misses = {"misses": {"primary": [asdict(cell) for cell in BOTH], "companions": []}}
    (said,) = describe_misses(data | misses, "primary")
    assert said.endswith(f"are like it. {weighed}")
    assert describe_misses(data | misses, "companions") == []
    alone = {"misses": {"primary": [asdict(BOTH[1])], "companions": []}}
    (said,) = describe_misses(data | alone, "primary")
    assert said.endswith(f"these p as too small. {weighed}")
    assert "none of these" not in said


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
    said = describe_cells([Cell("grades", "even", 8, 3, analysis, 1000, coverage, alarms)])
    assert said.startswith("In simulated studies of the nearest size, 8 listeners and 3 items, too ")
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
        "In simulated studies of the nearest size, 4 listeners (the fewest simulated) and 3 items, too "
        "cautious: differences for"
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
    assert "too sure: " in said
    study = hold("bs1116", graded, systems=("opus-9k", "bpgan-2k", "celp-8k"), listeners=4)
    data = heavy.compute(study, "real", "none")
    assert {miss["analysis"] for miss in data["misses"]["companions"]} == {"impairment, listeners who passed"}
