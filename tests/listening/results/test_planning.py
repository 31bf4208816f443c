"""How many listeners a study takes, on the page where it is set up."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.test import Client
from django.urls import reverse

from evaluation.analysis.statistics import power
from evaluation.analysis.statistics.differences import Population
from listening.columns.studies import AnalysisSettings
from listening.models import Session
from listening.results import planning
from listening.study.studies import create_study
from tests.listening.generated import generate


@pytest.fixture
def draft(alice: Any, processed: Callable[..., Any]) -> Callable[..., Any]:
    def make(method: str, **options: Any) -> Any:
        systems = ("opus-9k", "bpgan-2k", "celp-8k")
        clips = [processed(alice, list(systems)) for _ in range(4)]
        return create_study(alice, "A study", clips, systems, method=method, options=options)

    return make


@pytest.mark.parametrize("method", ["mushra", "acr", "dcr", "ccr", "bs1116", "ab", "abx"])
def test_every_method_is_planned_before_there_is_a_grade(
    client: Client, alice: Any, draft: Callable[..., Any], method: str
) -> None:
    study = draft(method)
    client.force_login(alice)
    html = client.get(reverse("study_setup", args=[study.pk, "check"])).content.decode()
    section = html.split('id="planning"')[1].split("</section>")[0]
    assert ("How many trials" if method == "abx" else "How many listeners") in section
    assert section.count("<polyline") == (4 if method == "abx" else 3)
    assert ("Stahl, Windtner and Sontacchi" in section) is (method not in ("ab", "abx"))


def test_the_numbers_are_those_of_the_primary_analysis(draft: Callable[..., Any]) -> None:
    study = draft("acr")
    study.analysis = AnalysisSettings(population="these", margin=0.5)
    found = planning.context_of(study)
    assert found is not None
    assert [label for label, _ in found["rows"]] == ["0.5 points", "1 point", "2 points"]
    assert (found["pairs"], found["population"]) == (3, "these")
    # 9, 14 and 22 % of the four points from 1 to 5; three items are graded, the first is for training.
    spread = power.Spread(0.36, 0.56, 0.88)
    assert found["rows"][1][1] == power.listeners_needed(
        1.0, spread, found["items"], population=Population.THESE_ITEMS, pairs=3
    )


def test_a_pilot_takes_the_place_of_the_published_spread(study: Any) -> None:
    study.analysis = AnalysisSettings(population="these")  # of two items no spread for others is told
    before = planning.context_of(study)
    quality = dict.fromkeys((*study.systems, "anchor35", "anchor70"), 50.0)
    generate(study, 4, quality, kind=Session.Kind.PILOT.value)
    after = planning.context_of(study)
    assert before is not None
    assert after is not None
    assert "Stahl" in before["source"]
    assert after["source"].startswith("the pilot")


@pytest.mark.shared
def test_the_published_spreads_are_those_of_the_grades(shared: Path) -> None:
    path = shared / "reference" / "ratings" / "benjsta" / "ratings_formated_filtered_long.csv"
    names = {"signal": "item", "condition": "system", "pid": "assessor"}
    frame = pd.read_csv(path).rename(columns=names)
    tested = [name for name in frame["system"].unique() if name not in ("Reference", "Anchor")]
    found = [power.spread_of(frame, a, b) for a, b in combinations(tested, 2)]
    parts = np.array([[each.listener, each.item, each.rest] for each in found if each])
    published = planning.PUBLISHED
    assert np.sqrt((parts**2).mean(axis=0)) / 100 == pytest.approx(
        [published.listener, published.item, published.rest], abs=0.005
    )
