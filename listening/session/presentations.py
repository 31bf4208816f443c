"""A session's trials: an item's stimuli as the method presents them, and the order in which trials are heard.

All chance comes from the `draw` that is handed in, so a session can be drawn again. What has to be balanced
over sessions (which of two comes first) follows from `turn`, which counts them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from listening.columns.sessions import Signal
from listening.methods import METHODS, REFERENCE, Material, MethodOptions
from listening.models import Stimulus, opaque_token

#: As `Trial.order` keeps it: ``{"key": opaque, "stimulus": id}``, with a ``"role"`` where signals have parts.
Order = list[Signal]
#: An item, or whatever else trials must not repeat.
T = TypeVar("T")


def present(
    method: str,
    stimuli: Sequence[Stimulus],
    draw: random.Random,
    *,
    options: MethodOptions | Mapping[str, Any] | None = None,
    turn: int = 0,
    training: bool = False,
) -> list[Order]:
    """The trials of one item: the order of each.

    Args:
        method: slug in `listening.methods`.
        stimuli: those of one item that the session hears.
        draw: where all chance comes from.
        options: `Study.method_options`; what is not there is the method's default.
        turn: how many sessions of the same block were drawn before.
        training: whether the item is the training's, where ABX asks once about each pair.
    """
    ordered = sorted(stimuli, key=lambda stimulus: (stimulus.system != REFERENCE, stimulus.system))
    ids = {stimulus.system: stimulus.pk for stimulus in ordered}
    position = ordered[0].item.position if ordered else 0
    of = METHODS[method]
    trials = of.present(Material(list(ids), draw, turn, training, position), of.read_options(options))
    return [[_entry(ids[signal.system], signal.role) for signal in signals] for signals in trials]


def _entry(stimulus: int, role: str) -> Signal:
    entry: Signal = {"key": opaque_token(), "stimulus": stimulus}
    if role:
        entry["role"] = role
    return entry


def arrange(method: str, trials: Sequence[tuple[T, Order]], draw: random.Random) -> list[tuple[T, Order]]:
    """A session's trials, each with its item, in the order in which they are heard.

    Some methods stay with an item; the others mix all trials, no two of an item in a row if that can be.
    """
    if METHODS[method].stays_with_item:
        return list(trials)
    waiting: dict[int, list[tuple[T, Order]]] = {}
    for item, order in trials:
        waiting.setdefault(id(item), []).append((item, order))
    for of_item in waiting.values():
        draw.shuffle(of_item)
    left = Counter({key: len(of_item) for key, of_item in waiting.items()})
    arranged: list[tuple[T, Order]] = []
    last = None
    while left:
        keys = [key for key in left if key != last] or list(left)
        # An item with more than half of what is left has to come now, or it will follow itself.
        crowded = [key for key in keys if 2 * left[key] > left.total()]
        key = crowded[0] if crowded else draw.choices(keys, [left[key] for key in keys])[0]
        arranged.append(waiting[key].pop())
        left[key] -= 1
        left += Counter()  # drops what is at zero
        last = key
    return arranged
