"""How a method presents an item's stimuli: which signals a trial has, and in which order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from listening.models import Stimulus, opaque_token

#: As `Trial.order` keeps it: ``{"key": opaque, "stimulus": id}``, with a ``"role"`` where signals have parts.
Order = list[dict[str, Any]]


def _together(stimuli: Sequence[Stimulus], draw: random.Random) -> list[Order]:
    """One trial with all signals side by side in random order: MUSHRA."""
    shuffled = sorted(stimuli, key=lambda stimulus: stimulus.system)
    draw.shuffle(shuffled)
    return [[{"key": opaque_token(), "stimulus": stimulus.pk} for stimulus in shuffled]]


PRESENTATIONS: dict[str, Callable[[Sequence[Stimulus], random.Random], list[Order]]] = {"mushra": _together}


def present(method: str, stimuli: Sequence[Stimulus], draw: random.Random) -> list[Order]:
    """The trials of one item: the order of each. All chance comes from `draw`."""
    return PRESENTATIONS[method](stimuli, draw)
