"""Models of the methods' options, which `Study.method_options` stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from evaluation.columns import Column, JsonObject

PLAYS = {"free": "as often as the listener wants", "once": "once"}


@dataclass(frozen=True)
class Control:
    """The form control of an option, given in the `Annotated` of its type.

    Attributes:
        label: label of the field.
        help: a sentence or two below it.
        choices: labels by value, for an option with several values.
        limits: the lowest and the highest value, for a whole number.
    """

    label: str
    help: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[int, int] | None = None


class MethodOptions(Column):
    """The options of a method without any, and the base class of all others."""

    @property
    def plays_once(self) -> bool:
        """Whether a recording may be heard only once."""
        return False

    @classmethod
    def defaults(cls) -> JsonObject:
        """Default values by option name."""
        return {name: info.default for name, info in cls.model_fields.items()}

    @classmethod
    def controls(cls) -> dict[str, tuple[object, Control]]:
        """The type and the control, by name, of each option that the study form shows."""
        return {
            name: (info.annotation, control)
            for name, info in cls.model_fields.items()
            for control in info.metadata
            if isinstance(control, Control)
        }


def stored_options(options: Mapping[str, Any] | MethodOptions | None) -> JsonObject:
    """The options that were given, without defaults."""
    return options.to_json() if isinstance(options, MethodOptions) else dict(options or {})


Plays = Annotated[Literal["free", "once"], Control("Playback", choices=PLAYS)]


class PlaysOptions(MethodOptions):
    """Options of methods whose recordings play from start to end."""

    plays: Plays = Field(default="free", description="how often a recording plays")

    @property
    def plays_once(self) -> bool:
        return self.plays == "once"
