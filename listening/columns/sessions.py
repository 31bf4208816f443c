"""What the JSON columns of sessions and trials hold: rows of which there are many, as plain dictionaries."""

from __future__ import annotations

from typing import Any, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from evaluation.columns import JsonObject, Number

_STRICT = ConfigDict(extra="forbid", strict=True)


@with_config(_STRICT)
class Signal(TypedDict):
    """One signal of a trial as presented.

    Attributes:
        key: opaque, of its file; means nothing elsewhere.
        stimulus: id.
        role: A, B, C, X, first or second, where the method gives its signals parts to play.
    """

    key: str
    stimulus: int
    role: NotRequired[str]


@with_config(_STRICT)
class RoundAnswer(TypedDict):
    """A round of a headphone test: intervals from 1, and when, ISO 8601."""

    answer: int
    right: int
    at: str


@with_config(ConfigDict(extra="allow", strict=True))
class StageData(TypedDict, total=False):
    """What came of a stage; which keys there are follows from its name.

    Others are kept: what an Earshot of another version noted of a listener is no reason to refuse a session.

    Attributes:
        transducer, channels, device, volume_db: of "volume": what the listener said, and the level set, dB.
        answers, correct, passed: of an attempt at a headphone test; the last two once it is over.
        seconds: of a break: how long it was.
    """

    transducer: str
    channels: str
    device: str
    volume_db: Number | None
    answers: list[RoundAnswer]
    correct: int
    passed: bool
    seconds: Number


#: What happened in the page, as its scripts tell it: small, and different from kind to kind of event.
EventDetail = JsonObject
#: A crowd-working platform's ids by the names of its parameters.
References = dict[str, str]
#: By name of the test: `listening.results.heavy.compute` makes them of the results' dataclasses.
Findings = dict[str, Any]
