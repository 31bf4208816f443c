"""Options of methods: what `Study.method_options` holds, beyond the method itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from evaluation.columns import Column

PLAYS = {"free": "as often as the listener wants", "once": "once"}


@dataclass(frozen=True)
class Control:
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


class MethodOptions(Column):
    """Of a method without options, and the base of all others'."""

    @property
    def plays_once(self) -> bool:
        """Whether a recording may be heard only once."""
        return False

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """By name."""
        return {name: info.default for name, info in cls.model_fields.items()}

    @classmethod
    def controls(cls) -> dict[str, tuple[object, Control]]:
        """By name, the type and the control of each option that the study page asks for."""
        return {
            name: (info.annotation, control)
            for name, info in cls.model_fields.items()
            for control in info.metadata
            if isinstance(control, Control)
        }


def stored_options(options: Mapping[str, Any] | MethodOptions | None) -> dict[str, Any]:
    """What `options` say, without defaults."""
    return options.to_json() if isinstance(options, MethodOptions) else dict(options or {})


Plays = Annotated[Literal["free", "once"], Control("A recording plays", choices=PLAYS)]


class PlaysOptions(MethodOptions):
    """Of methods whose recordings play from start to end."""

    plays: Plays = Field(default="free", description="how often a recording plays")

    @property
    def plays_once(self) -> bool:
        return self.plays == "once"
