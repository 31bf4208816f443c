"""Checks of study settings from a program or an archive, by the models of their columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from evaluation.contexts import Context
from listening.columns.studies import MAX_REPEATS, AnalysisSettings, Headphones, PostScreening, Recruitment
from listening.columns.texts import Texts
from listening.models import Study
from listening.study.errors import StudyError, read_setting
from listening.study.languages import LANGUAGES
from listening.study.questionnaire import check_questionnaire


def check_settings(values: Mapping[str, Any]) -> Context:
    """Convert `values`, by attribute, to the form that `Study` stores. None clears a limit or date only.

    Raises:
        StudyError: a value is invalid; the message names it.
    """
    for name, value in values.items():
        if value is None and not Study._meta.get_field(name).null:
            raise StudyError.of_field(
                name, _("%(name)s cannot be null; leave it out to keep its value."), name=name
            )
    checked = {name: _CHECKS[name](value) if name in _CHECKS else value for name, value in values.items()}
    moments = {name: checked.get(name) for name in ("opens", "closes", "sealed_until")}
    for name, moment in moments.items():
        if moment and moment.tzinfo is None:
            raise StudyError.of_field(
                name, _("%(name)s: include the time zone, as in 2026-01-31T12:00:00+01:00."), name=name
            )
    opens, closes = moments["opens"], moments["closes"]
    if opens and closes and closes <= opens:
        raise StudyError.of_field("closes", _("The study would close before it opens."))
    return checked


def _check_language(value: str) -> str:
    if value not in LANGUAGES:
        raise StudyError.of_field(
            "language",
            _("There is no language %(value)r. Known: %(languages)s."),
            value=value,
            languages=", ".join(LANGUAGES),
        )
    return value


def _check_languages(value: Any) -> list[str]:
    codes = value if isinstance(value, list) else [value]
    for code in codes:
        if code not in LANGUAGES:
            raise StudyError.of_field(
                "other_languages",
                _("There is no language %(value)r. Known: %(languages)s."),
                value=code,
                languages=", ".join(LANGUAGES),
            )
    return list(dict.fromkeys(codes))


def _check_training_repeats(value: int) -> int:
    if not 0 <= value <= MAX_REPEATS:
        raise StudyError.of_field(
            "training_repeats",
            _("training_repeats: a whole number from 0 to %(max_repeats)s."),
            max_repeats=MAX_REPEATS,
        )
    return value


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "texts": lambda value: read_setting(Texts, value, "texts"),
    "language": _check_language,
    "other_languages": _check_languages,
    "questionnaire": check_questionnaire,
    "headphones": lambda value: read_setting(Headphones, value, "headphones").complete(),
    "recruitment": lambda value: read_setting(Recruitment, value, "recruitment").complete(),
    "post_screening": lambda value: read_setting(PostScreening, value, "post_screening"),
    "analysis": lambda value: read_setting(AnalysisSettings, value, "analysis"),
    "training_repeats": _check_training_repeats,
}
