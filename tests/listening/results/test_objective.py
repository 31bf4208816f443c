"""Objective scores of a study's stimuli, wherever they come from."""

from __future__ import annotations

from collections.abc import Callable

from listening.models import Stimulus, Study
from listening.results.objective_frame import objective_frame


def test_measured_scores_by_item_system_and_metric(make_study: Callable[..., Study]) -> None:
    study = make_study(2, ["bpgan-2k"])
    frame = objective_frame(study)
    assert set(frame["item"]) == {1, 2}  # training is no result
    assert set(frame["system"]) == {"original", "anchor35", "anchor70", "bpgan-2k"}
    assert len(frame) == 2 * 4 * 3
    row = frame[(frame["item"] == 1) & (frame["system"] == "bpgan-2k") & (frame["metric"] == "pesq_nb")]
    assert list(row["value"]) == [3.0]


def test_scores_that_came_along_count_unless_measured_here(make_study: Callable[..., Study]) -> None:
    study = make_study(1, ["bpgan-2k"])
    Stimulus.objects.filter(item__study=study, system="bpgan-2k").update(
        objective={"polqa": 3.3, "pesq_nb": 1.0}
    )
    values = objective_frame(study).set_index(["item", "system", "metric"])["value"]
    assert values[1, "bpgan-2k", "polqa"] == 3.3
    assert values[1, "bpgan-2k", "pesq_nb"] == 3.0
    assert len(values) == 4 * 3 + 1


def test_a_study_without_scores_has_an_empty_frame(study: Study) -> None:
    Stimulus.objects.filter(item__study=study).update(rendition=None)
    frame = objective_frame(study)
    assert frame.empty
    assert list(frame.columns) == ["item", "system", "metric", "value"]
