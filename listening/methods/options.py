"""Options of methods: pydantic models with messages for the researcher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

PLAYS = {"free": "as often as the listener wants", "once": "once"}


@dataclass(frozen=True)
class Shown:
    """How the study page asks for an option; stands in the `Annotated` of its type.

    Attributes:
        label: of the field.
        help: a sentence or two below it.
        choices: words by value, of an option that is one of several values.
        limits: the lowest and the highest value of a whole number.
    """

    label: str
    help: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[int, int] | None = None


class MethodOptions(BaseModel):
    """Of a method without options, and the base of all others'. What is not said is the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def plays_once(self) -> bool:
        """Whether a recording may be heard only once."""
        return False

    def stored(self) -> dict[str, Any]:
        """As `Study.method_options` keeps it: complete, as JSON has it."""
        return self.model_dump(mode="json")

    @classmethod
    def shown(cls) -> dict[str, tuple[object, Shown]]:
        """By name, the type and the presentation of each option that the study page asks for."""
        return {
            name: (info.annotation, how)
            for name, info in cls.model_fields.items()
            for how in info.metadata
            if isinstance(how, Shown)
        }


def first_message(error: ValidationError, title: str) -> str:
    """What is wrong first, for the researcher: an option that the method `title` lacks, or a value."""
    errors = error.errors(include_url=False)
    unknown = sorted(str(each["loc"][0]) for each in errors if each["type"] == "extra_forbidden")
    if unknown:
        return f"{title} has no option {unknown[0]!r}."
    reason = errors[0].get("ctx", {}).get("error")
    where = ".".join(str(part) for part in errors[0]["loc"])
    return str(reason) if reason else f"{where}: {errors[0]['msg']}."


def _check_flag(value: object) -> object:
    if not isinstance(value, bool):
        raise ValueError("Say true or false.")
    return value


def _check_plays(value: object) -> object:
    if not isinstance(value, str) or value not in PLAYS:
        raise ValueError(f"How often a recording plays must be one of {', '.join(PLAYS)}.")
    return value


#: A yes or no; a method adds how it is `Shown`.
Flag = Annotated[bool, BeforeValidator(_check_flag)]
#: A key of `PLAYS`.
Plays = Annotated[
    Literal["free", "once"],
    BeforeValidator(_check_plays),
    Shown("A recording plays", choices=PLAYS),
]


class PlaysOptions(MethodOptions):
    """Of methods whose recordings play from start to end."""

    plays: Plays = "free"

    @property
    def plays_once(self) -> bool:
        return self.plays == "once"
