"""Translates pydantic's errors into messages for people, for all columns and forms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from pydantic import ValidationError

#: By pydantic's error type; placeholders in the messages are keys of the error's context.
_MESSAGES = {
    "missing": gettext_noop("is missing."),
    "string_type": gettext_noop("must be text."),
    "string_too_long": gettext_noop("is longer than %(max_length)s characters."),
    "string_too_short": gettext_noop("is shorter than %(min_length)s characters."),
    "string_pattern_mismatch": gettext_noop("does not have the required format."),
    "int_type": gettext_noop("must be a whole number."),
    "float_type": gettext_noop("must be a number."),
    "finite_number": gettext_noop("must be a number."),
    "bool_type": gettext_noop("must be true or false."),
    "literal_error": gettext_noop("must be one of %(expected)s."),
    "greater_than": gettext_noop("must be more than %(gt)s."),
    "greater_than_equal": gettext_noop("must be %(ge)s or more."),
    "less_than": gettext_noop("must be less than %(lt)s."),
    "less_than_equal": gettext_noop("must be %(le)s or less."),
    "list_type": gettext_noop("must be a list."),
    "dict_type": gettext_noop("must be an object."),
    "model_type": gettext_noop("must be an object."),
    "too_long": gettext_noop("has more than %(max_length)s entries."),
    "too_short": gettext_noop("has fewer than %(min_length)s entries."),
    "extra_forbidden": gettext_noop("does not belong here."),
}


@dataclass(frozen=True)
class Problem:
    """A problem at one place of a value.

    Attributes:
        where: keys and indices from the value's root to the place.
        message: for people, a predicate without its subject or a whole sentence.
        key: the key at the place that does not belong there; the message names it.
    """

    where: tuple[str | int, ...]
    message: str
    key: str = ""

    @property
    def path(self) -> str:
        """The place as text, such as ``tests[0].pass``; "" for the value itself."""
        text = ""
        for part in self.where:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.where else self.message


class BadColumn(ValueError):
    """A value that does not fit its JSON column.

    Attributes:
        column: its name.
        problems: the problems by place; never empty.
        row: which row holds it, for people; "" for a value that is not stored.
    """

    def __init__(self, column: str, problems: Iterable[Problem], row: str = "") -> None:
        self.column, self.problems, self.row = column, list(problems), row
        super().__init__(str(self))

    @property
    def fields(self) -> dict[str, str]:
        """Messages by path; paths begin with the column's name."""
        return {
            ".".join(map(str, (self.column, *each.where, *([each.key] if each.key else [])))): each.message
            for each in self.problems
        }

    @property
    def summary(self) -> str:
        """All problems in one line, without the column's name."""
        return " ".join(map(str, self.problems))

    def __str__(self) -> str:
        said = f"{self.column}: {self.summary}"
        return f"{self.row}, {said}" if self.row else said


def problems_of(error: ValidationError) -> list[Problem]:
    """The problems that pydantic found, with the site's messages."""
    return [
        Problem(row["loc"], message_of(row), str(row.get("ctx", {}).get("key", "")))
        for row in error.errors(include_url=False, include_input=False)
    ]


def message_of(row: Any) -> str:
    """The site's message for a row of pydantic's `errors`, in the current language."""
    context = row.get("ctx", {})
    if row["type"] == "value_error":
        return str(context["error"])  # raised by one of our own validators
    message = _MESSAGES.get(row["type"])
    if "expected" in context:
        context = {
            **context,
            "expected": context["expected"].replace(" or ", ", ").replace("'", "").lstrip(", "),
        }
    return _(message) % context if message else str(row["msg"])
