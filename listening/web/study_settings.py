"""Settings of a study as a program or an archive says them, checked by what checks the pages'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from listening.models import Study
from listening.results.profiles import check_thresholds
from listening.session.sessions import MAX_REPEATS
from listening.study.errors import StudyError
from listening.study.languages import LANGUAGES
from listening.study.questionnaire import validated
from listening.study.studies import clean_texts
from listening.web.forms import Headphones, Recruitment, Section


def check_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as `Study` keeps them, by attribute. None takes a limit or date away, and nothing else.

    Raises:
        StudyError: naming what does not fit.
    """
    for name, value in values.items():
        if value is None and not Study._meta.get_field(name).null:
            raise StudyError(_("%(name)s: null is no value here; leave it out to let it be."), name=name)
    checked = {name: _CHECKS[name](value) if name in _CHECKS else value for name, value in values.items()}
    for name in ("opens", "closes", "sealed_until"):
        if checked.get(name) and checked[name].tzinfo is None:
            raise StudyError(
                _("%(name)s: give the time zone, too, as in 2026-01-31T12:00:00+01:00."), name=name
            )
    opens, closes = checked.get("opens"), checked.get("closes")
    if opens and closes and closes <= opens:
        raise StudyError(_("The study would close before it opens."))
    return checked


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise StudyError(
            _("There is no language %(value)r. Known: %(languages)s."),
            value=value,
            languages=", ".join(LANGUAGES),
        )
    return value


def _by_form(section: type[Section], name: str, value: dict[str, Any]) -> Any:
    """`value` after it went through the form that the study page has for it."""
    study = Study(**{name: value})
    try:
        if not isinstance(value, dict):
            raise TypeError
        start = section.initial_of(study)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise StudyError(
            _("%(name)s: this is not in the shape that GET /studies/{id} shows."), name=name
        ) from None
    form = section(study, {f"{section.slug}-{field}": entry for field, entry in start.items() if entry})
    if not form.is_valid():
        told = "; ".join(f"{field}: {' '.join(map(str, errors))}" for field, errors in form.errors.items())
        raise StudyError(_("%(name)s: %(told)s"), name=name, told=told)
    form.apply(study)
    kept = getattr(study, name)
    if unknown := sorted(set(value) - set(kept)):
        raise StudyError(_("%(name)s: %(unknown)r does not belong here."), name=name, unknown=unknown[0])
    return kept


def _training_repeats(value: int) -> int:
    if not 0 <= value <= MAX_REPEATS:
        raise StudyError(
            _("training_repeats: a whole number from 0 to %(max_repeats)s."), max_repeats=MAX_REPEATS
        )
    return value


def _post_screening(value: dict[str, Any]) -> dict[str, Any]:
    check_thresholds(value)
    return value


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "texts": clean_texts,
    "language": _language,
    "questionnaire": validated,
    "headphones": lambda value: _by_form(Headphones, "headphones", value),
    "recruitment": lambda value: _by_form(Recruitment, "recruitment", value),
    "post_screening": _post_screening,
    "training_repeats": _training_repeats,
}
