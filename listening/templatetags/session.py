"""What the pages of a session need of answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def of(mapping: object, key: str) -> Any:
    """The value under `key`; "" where there is none, or no mapping at all."""
    return mapping.get(key, "") if isinstance(mapping, Mapping) else ""


@register.filter
def holds(answer: object, value: str) -> bool:
    """Whether an option is among what was answered: one value, or a list."""
    answers = answer if isinstance(answer, list) else [answer]
    return value in [str(each) for each in answers if each not in ("", None)]


@register.filter
def plain(answer: object) -> str:
    """An answer as it was typed: numbers without a language's thousands separators."""
    return str(answer)
