"""Settings of webMUSHRA that a reader need not understand: what becomes of each value, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Fate(NamedTuple):
    """What becomes of a setting: ``taken``, ``changed`` or ``left_out``, and why."""

    kind: str
    text: str


#: Fates by value as it is in the file, in lower case; "" is any other value.
Fates = Mapping[str, Fate]


def _take(text: str) -> Fate:
    return Fate("taken", text)


def _change(text: str) -> Fate:
    return Fate("changed", text)


def _leave(text: str) -> Fate:
    return Fate("left_out", text)


_HERE = _take("the same here.")
_EMPTY = _take("empty, as if it was not there.")

#: Of the whole test.
OF_TEST: Mapping[str, Fates] = {
    "bufferSize": {"": _leave("the player here has its own buffer.")},
    "stopOnErrors": {
        "": _leave("recordings are checked before anybody listens; errors never stop a listener's page.")
    },
    "showButtonPreviousPage": {
        "false": _HERE,
        "": _leave("listeners cannot go back to an earlier trial here."),
    },
    "remoteService": {"": _leave("grades are stored here, each as soon as it is given.")},
}

#: Of every page with recordings.
_GRADED_TOO = _change("whether the reference is graded too depends on the method here; MUSHRA needs it (M1).")

_OF_TRIALS: Mapping[str, Fates] = {
    "randomize": {
        "true": _HERE,
        "": _change("the order of recordings is random and balanced in every session here."),
    },
    "showConditionNames": {"false": _HERE, "": _change("names of systems are never shown to listeners.")},
    "mustRate": {"true": _HERE, "": _change("every recording has to be graded here.")},
    "mustPlayback": {"": _change("a recording has to be heard before it can be graded here.")},
    "switchBack": {
        "false": _HERE,
        "": _change("switching goes on at the same place of the recording here, not from its beginning."),
    },
    "maxStimuli": {"": _leave("every listener hears all recordings of a page, no random selection.")},
    "strict": {
        "true": _HERE,
        "": _change("the method's rules apply here, whatever this says: hidden reference and anchors stay."),
    },
    "storeResults": {
        "true": _HERE,
        "": _change("grades of training items are stored and not used; those of others are used."),
    },
    "includeReference": {"": _GRADED_TOO},
    "createAnchor1k": {"false": _HERE, "": _leave("there is no 1 kHz anchor here.")},
    "createConditionAnchor1k": {"": _leave("there is no 1 kHz anchor here.")},
}

#: Of pages on which listeners switch between recordings.
OF_SWITCHING: Mapping[str, Fates] = {
    **_OF_TRIALS,
    "includeReference": {"true": _HERE, "": _GRADED_TOO},
    "showWaveform": {"true": _HERE, "": _change("a waveform is always shown here.")},
    "enableLooping": {"true": _HERE, "": _change("listeners can always repeat a part of a recording here.")},
    "loopByDefault": {"true": _HERE, "": _change("recordings are repeated until the listener stops them.")},
}

#: Of pages on which recordings are graded one by one.
OF_OPINION: Mapping[str, Fates] = {
    **_OF_TRIALS,
    "showWaveform": {"false": _HERE, "": _leave("no waveform is shown in this method.")},
    "enableLooping": {"false": _HERE, "": _leave("recordings play from their beginning to their end.")},
    "loopByDefault": {"false": _HERE, "": _leave("recordings play from their beginning to their end.")},
}

#: Of pages without recordings to grade, by type.
OF_TEXTS: Mapping[str, Mapping[str, Fates]] = {
    "generic": {},
    "questionnaire": {},
    "consent": {
        "mustConsent": {"true": _HERE, "": _change("nobody takes part without consent here.")},
    },
    "volume": {
        "stimulus": {"": _leave("the volume is set with speech of Earshot's own.")},
        "defaultVolume": {"": _leave("listeners begin at −6 dB and set the volume themselves.")},
    },
    "finish": {
        "showResults": {"false": _HERE, "": _leave("listeners do not see their grades.")},
        "writeResults": {
            "true": _HERE,
            "": _change("grades are always stored here, each as soon as it is given."),
        },
        "showErrors": {"": _leave("grades are stored before this page, so nothing can fail on it.")},
    },
}


def fate_of(fates: Mapping[str, Fates], key: str, value: str) -> Fate | None:
    """What becomes of a setting with this value; None if it is not known.

    Args:
        value: as it is in the file, but ``True`` or ``False`` for any word that means it; may be empty.
    """
    known = fates.get(key)
    if known is None:
        return None
    return known.get(value.lower(), known[""]) if value else _EMPTY
