"""Settings of a study as a program sends them: each checked by the module that knows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from listening.languages import LANGUAGES
from listening.services.errors import StudyError
from listening.services.studies import clean_texts


def check_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as `Study` keeps them, by attribute.

    Raises:
        StudyError: naming what does not fit.
    """
    checked = {name: _CHECKS[name](value) if name in _CHECKS else value for name, value in values.items()}
    opens, closes = checked.get("opens"), checked.get("closes")
    if opens and closes and closes <= opens:
        raise StudyError("The study would close before it opens.")
    for name in ("opens", "closes", "sealed_until"):
        if checked.get(name) and checked[name].tzinfo is None:
            raise StudyError(f"{name}: give the time zone, too, as in 2026-01-31T12:00:00+01:00.")
    return checked


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise StudyError(f"There is no language {value!r}. Known: {', '.join(LANGUAGES)}.")
    return value


_CHECKS: dict[str, Callable[[Any], Any]] = {"texts": clean_texts, "language": _language}
