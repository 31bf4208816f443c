"""Screening profiles of a study: named views over untouched grades, and the researcher's own thresholds."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from django.utils.translation import gettext_lazy as _

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
from evaluation.refusals import Message, Text
from listening.columns.studies import PostScreening
from listening.kinds import kinds_of
from listening.models import Session, Study
from listening.results.frames import KINDS
from listening.study.errors import StudyError

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
        found[CUSTOM] = custom(study.post_screening.to_json())[0]
    return found


def settings_of(study: Study, profile: str) -> Context:
    """What figures seen through the profile depend on besides the grades, for the fingerprint."""
    return {
        "profile": profile,
        "own": study.post_screening.to_json() if profile == CUSTOM else None,
        "analysis": study.analysis.to_json(),
    }


def apply(study: Study, frame: pd.DataFrame, profile: str) -> Screening:
    """What the profile says of each listener, in the frame's order."""
    return screen(frame, profiles_of(study)[profile])


def form_of(study: Study) -> list[Context]:
    """The researcher's thresholds as fields of a form; where there are none yet, BS.1534-3's."""
    values = {**to_json(PROFILES[BS1534].thresholds), **study.post_screening.to_json()}
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


def save(study: Study, sent: Mapping[str, str]) -> None:
    """Keep the thresholds of a sent form.

    An empty field switches its rule off; shares that belong to a rule fall back to the usual 0.15.

    Raises:
        StudyError: something is wrong with them; none is kept.
    """
    usual = to_json(Thresholds())
    values: Context = {}
    problems: dict[str, Text] = {}
    for name, label, _unit in FIELDS:
        text = sent.get(name, "").strip().replace(",", ".")
        try:
            values[name] = (int if name == "least_items" else float)(text) if text else None
        except ValueError:
            problems[name] = Message(
                _("%(label)s: “%(text)s” is not a number."), label=label.strip("… "), text=text
            )
        if values.get(name) is None and name in ("reference_share", "mid_share"):
            values[name] = usual[name]
    if problems:
        raise _refused(problems)
    labels = {name: label.strip("… ") for name, label, _unit in FIELDS}
    try:
        study.post_screening = parse(PostScreening, values, "post_screening")
    except BadColumn as error:
        raise _refused(
            {row.path: f"{labels.get(row.path, row.path)} {row.message}" for row in error.problems}
        ) from None
    study.save(update_fields=["post_screening"])


def _refused(problems: Mapping[str, Text]) -> StudyError:
    return StudyError(
        _("These thresholds cannot be: %(problems)s"),
        fields={f"post_screening.{path}": text for path, text in problems.items()},
        problems=" ".join(map(str, problems.values())),
    )


def check_kind(kind: str) -> tuple[Session.Kind, ...]:
    """`kinds_of` what a person named. Raises `StudyError` where there is no such kind."""
    try:
        return kinds_of(kind)
    except ValueError:
        raise StudyError(
            _("There is no kind of sessions %(kind)r: %(kinds)s."),
            fields={"kind": _("There is no such kind of sessions.")},
            kind=kind,
            kinds=", ".join(KINDS),
        ) from None


def check_view(study: Study, kind: str, profile: str) -> None:
    """Raise `StudyError` unless results of `study` can be seen by this kind of sessions and profile."""
    check_kind(kind)
    known = profiles_of(study)
    if profile not in known:
        raise StudyError(
            _("There is no profile %(profile)r of screening. Known: %(known)s."),
            fields={"profile": _("There is no such profile of screening.")},
            profile=profile,
            known=", ".join(known),
        )
