"""Template filters for answers in a session's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def of(mapping: object, key: str) -> Any:
    """The value under `key`; "" if there is none, or `mapping` is not a mapping."""
    return mapping.get(key, "") if isinstance(mapping, Mapping) else ""


@register.filter
def holds(answer: object, value: str) -> bool:
    """Whether an option is (among) the answer: one value, or a list."""
    answers = answer if isinstance(answer, list) else [answer]
    return value in [str(each) for each in answers if each not in ("", None)]


@register.filter
def plain(answer: object) -> str:
    """An answer as it was typed: numbers without thousands separators."""
    return str(answer)
