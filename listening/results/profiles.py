"""Screening profiles of a study: named views over untouched grades, and the researcher's own thresholds."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from evaluation.analysis.statistics.screening import (
    PROFILES,
    Profile,
    Screening,
    Thresholds,
    custom,
    screen,
    to_json,
)
from evaluation.columns import BadColumn, parse
from evaluation.contexts import Context
from listening.columns.studies import PostScreening
from listening.models import Study

NONE, BS1534, MPEG, CUSTOM = "none", "bs1534", "mpeg", "custom"

#: Fields of `Thresholds` in the form: name, what it says, its unit.
FIELDS = (
    ("reference_below", "Hidden reference below", "points"),
    ("reference_share", "… on more than this share of items", "0 to 1"),
    ("mid_above", "7 kHz anchor above", "points"),
    ("mid_share", "… on more than this share of items", "0 to 1"),
    ("mid_escape", "… not counting items where more than this share of listeners do so", "0 to 1"),
    ("ordered", "Reference, 7 and 3.5 kHz anchor out of order on more than this share of items", "0 to 1"),
    ("least_spread", "Standard deviation of all grades below", "points"),
    ("least_items", "Fewer items graded than", "items"),
)


def profiles_of(study: Study) -> dict[str, Profile]:
    """The profiles that the study can be seen through."""
    found = dict(PROFILES)
    if study.post_screening:
        found[CUSTOM] = custom(study.post_screening.stored())[0]
    return found


def settings_of(study: Study, profile: str) -> Context:
    """What figures seen through the profile depend on besides the grades, for the fingerprint."""
    return {
        "profile": profile,
        "own": study.post_screening.stored() if profile == CUSTOM else None,
        "analysis": study.analysis.stored(),
    }


def apply(study: Study, frame: pd.DataFrame, profile: str) -> Screening:
    """What the profile says of each listener, in the frame's order."""
    return screen(frame, profiles_of(study)[profile])


def form_of(study: Study) -> list[Context]:
    """The researcher's thresholds as fields of a form; where there are none yet, BS.1534-3's."""
    values = {**to_json(PROFILES[BS1534].thresholds), **study.post_screening.stored()}
    return [
        {"name": name, "label": label, "unit": unit, "value": values.get(name)}
        for name, label, unit in FIELDS
    ]


def rules_of(profile: Profile) -> list[tuple[str, float | int, str]]:
    """The profile's thresholds that are on: what each says, its number and its unit."""
    values = to_json(profile.thresholds)
    heads = {"mid_share": "mid_above", "mid_escape": "mid_above", "reference_share": "reference_below"}
    return [
        (label, value, unit)
        for name, label, unit in FIELDS
        if (value := values[name]) is not None and values[heads.get(name, name)] is not None
    ]


def save(study: Study, sent: Mapping[str, str]) -> list[str]:
    """Keep the thresholds of a sent form; returns what is wrong with them, and then keeps nothing.

    An empty field switches its rule off; shares that belong to a rule fall back to the usual 0.15.
    """
    usual = to_json(Thresholds())
    values: Context = {}
    problems = []
    for name, label, _ in FIELDS:
        text = sent.get(name, "").strip().replace(",", ".")
        try:
            values[name] = (int if name == "least_items" else float)(text) if text else None
        except ValueError:
            problems.append(f"{label.strip('… ')}: “{text}” is not a number.")
        if values.get(name) is None and name in ("reference_share", "mid_share"):
            values[name] = usual[name]
    if problems:
        return problems
    try:
        study.post_screening = parse(PostScreening, values, "post_screening")
    except BadColumn as error:
        labels = {name: label.strip("… ") for name, label, _ in FIELDS}
        return [f"{labels.get(problem.path, problem.path)} {problem.message}" for problem in error.problems]
    study.save(update_fields=["post_screening"])
    return []
