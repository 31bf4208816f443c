"""Screening profiles of a study: named views of the unchanged grades, and the researcher's thresholds."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from evaluation.analysis.statistics.frames import Ratings
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

#: Fields of `Thresholds` in the form: name, label, unit.
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
    """The screening profiles that are available for the study."""
    found = dict(PROFILES)
    if study.post_screening:
        found[CUSTOM] = custom(study.post_screening.to_json())[0]
    return found


def settings_of(study: Study, profile: str) -> Context:
    """Settings that the profile's results depend on besides the grades, for the fingerprint."""
    return {
        "profile": profile,
        "own": study.post_screening.to_json() if profile == CUSTOM else None,
        "analysis": study.analysis.to_json(),
    }


def apply(study: Study, frame: Ratings, profile: str) -> Screening:
    """Screen each listener by the profile, in the frame's order."""
    return screen(frame, profiles_of(study)[profile])


def form_of(study: Study) -> list[Context]:
    """The researcher's thresholds as form fields; by default those of BS.1534-3."""
    values = {**to_json(PROFILES[BS1534].thresholds), **study.post_screening.to_json()}
    return [
        {"name": name, "label": label, "unit": unit, "value": values.get(name)}
        for name, label, unit in FIELDS
    ]


def rules_of(profile: Profile) -> list[tuple[str, float | int, str]]:
    """The profile's active thresholds: label, value and unit."""
    values = to_json(profile.thresholds)
    heads = {"mid_share": "mid_above", "mid_escape": "mid_above", "reference_share": "reference_below"}
    return [
        (label, value, unit)
        for name, label, unit in FIELDS
        if (value := values[name]) is not None and values[heads.get(name, name)] is not None
    ]


def save(study: Study, sent: Mapping[str, str]) -> None:
    """Store the thresholds of a submitted form.

    An empty field disables its rule; empty shares get their default of 0.15.

    Raises:
        StudyError: some are invalid; nothing is stored.
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
        raise _refusal(problems)
    labels = {name: label.strip("… ") for name, label, _unit in FIELDS}
    try:
        study.post_screening = parse(PostScreening, values, "post_screening")
    except BadColumn as error:
        raise _refusal(
            {row.path: f"{labels.get(row.path, row.path)} {row.message}" for row in error.problems}
        ) from None
    study.save(update_fields=["post_screening"])


def _refusal(problems: Mapping[str, Text]) -> StudyError:
    return StudyError(
        _("These thresholds are invalid: %(problems)s"),
        fields={f"post_screening.{path}": text for path, text in problems.items()},
        problems=" ".join(map(str, problems.values())),
    )


def check_kind(kind: str) -> tuple[Session.Kind, ...]:
    """The kinds of a submitted name, from `kinds_of`. Raises `StudyError` if it is unknown."""
    try:
        return kinds_of(kind)
    except ValueError:
        raise StudyError(
            _("There is no kind of session %(kind)r. Known: %(kinds)s."),
            fields={"kind": _("There is no such kind of session.")},
            kind=kind,
            kinds=", ".join(KINDS),
        ) from None


def check_view(study: Study, kind: str, profile: str) -> None:
    """Raise `StudyError` unless `study` has results of this kind of session and profile."""
    check_kind(kind)
    known = profiles_of(study)
    if profile not in known:
        raise StudyError(
            _("There is no screening profile %(profile)r. Known: %(known)s."),
            fields={"profile": _("There is no such screening profile.")},
            profile=profile,
            known=", ".join(known),
        )
