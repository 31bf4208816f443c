"""A session's trials: an item's stimuli as the method presents them, and the order of the trials.

`draw` is the only source of randomness, so a session is reproducible. What has to be balanced over sessions
(which of two comes first) depends on `turn`, which counts them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from listening.columns.sessions import Signal
from listening.methods import METHODS, REFERENCE, Material, MethodOptions
from listening.models import Stimulus, opaque_token

#: As stored in `Trial.order`: ``{"key": opaque, "stimulus": id}``, with a ``"role"`` if signals have roles.
Order = list[Signal]
#: An item, or another object that should not occur in consecutive trials.
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
    """The orders of the trials of one item.

    Args:
        method: slug in `listening.methods`.
        stimuli: the stimuli of one item that the session hears.
        draw: the source of randomness.
        options: `Study.method_options`; missing options have the method's defaults.
        turn: number of earlier sessions of the same block.
        training: whether the item is a training item, for which ABX has one trial per pair.
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
    """Arrange a session's trials, each with its item, in the order of presentation.

    Some methods stay with an item; the others mix all trials and avoid consecutive trials of an item.
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
