"""Schemas of the JSON columns of sessions and trials: plain dictionaries, because there are many rows."""

from __future__ import annotations

from typing import NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from evaluation.columns import JsonObject, Number

_STRICT = ConfigDict(extra="forbid", strict=True)


@with_config(_STRICT)
class Signal(TypedDict):
    """One signal of a trial as presented.

    Attributes:
        key: opaque name of its file, valid in this trial only.
        stimulus: id of the stimulus.
        role: A, B, C, X, first or second, where the method assigns roles to its signals.
    """

    key: str
    stimulus: int
    role: NotRequired[str]


@with_config(_STRICT)
class RoundAnswer(TypedDict):
    """A round of a headphone test: the chosen and the right interval, from 1, and the time, ISO 8601."""

    answer: int
    right: int
    at: str


@with_config(ConfigDict(extra="allow", strict=True))
class StageData(TypedDict, total=False):
    """The outcome of a stage; its keys depend on the stage's name.

    Unknown keys are kept, so that sessions from another version of Earshot can be imported.

    Attributes:
        transducer, channels, device, volume_db: of "volume": the listener's answers, and the level set, dB.
        answers, correct, passed: of an attempt at a headphone test; the last two are set at its end.
        seconds: of a break: its duration.
    """

    transducer: str
    channels: str
    device: str
    volume_db: Number | None
    answers: list[RoundAnswer]
    correct: int
    passed: bool
    seconds: Number


#: Details of a page event, as sent by the page's scripts: small, with keys that depend on its kind.
EventDetail = JsonObject
#: A crowd-working platform's ids by parameter name.
References = dict[str, str]
#: Results by name of the test, which `listening.results.heavy.compute` converts from dataclasses.
Findings = dict[str, object]
