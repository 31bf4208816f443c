"""How a method presents an item's stimuli: which signals a trial has, and in which order.

All chance comes from the `draw` that is handed in, so a session can be drawn again. What has to be balanced
over sessions (which of two comes first) follows from `turn`, which counts them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from listening.columns.sessions import Signal
from listening.methods import METHODS, REFERENCE, pairs_of
from listening.models import Stimulus, opaque_token

#: As `Trial.order` keeps it: ``{"key": opaque, "stimulus": id}``, with a ``"role"`` where signals have parts.
Order = list[Signal]
#: An item, or whatever else trials must not repeat.
T = TypeVar("T")


@dataclass(frozen=True)
class _Call:
    """What a presentation is made of: an item's stimuli by system, chance, and the study's say."""

    stimuli: dict[str, Stimulus]
    draw: random.Random
    options: Mapping[str, Any]
    turn: int
    training: bool
    position: int

    @property
    def tested(self) -> list[str]:
        return [slug for slug in self.stimuli if slug != REFERENCE]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of the study whose systems are both here, in a stable order."""
        pairs = pairs_of(self.options["pairs"], self.tested)
        return [pair for pair in pairs if pair[0] in self.stimuli and pair[1] in self.stimuli]

    def signal(self, slug: str, role: str = "") -> Signal:
        entry: Signal = {"key": opaque_token(), "stimulus": self.stimuli[slug].pk}
        if role:
            entry["role"] = role
        return entry

    def turned(self, index: int) -> bool:
        """Whether the `index`-th pair of this item stands the other way round in this session.

        Half of a session's pairs do, and each pair does in every other session.
        """
        return bool((self.position + index + self.turn) % 2)


def _together(call: _Call) -> list[Order]:
    """One trial with all signals side by side in random order: MUSHRA."""
    systems = list(call.stimuli)
    call.draw.shuffle(systems)
    return [[call.signal(slug) for slug in systems]]


def _triples(call: _Call) -> list[Order]:
    """A trial for each system: it and the hidden reference as B and C (BS.1116-3)."""
    trials = []
    for slug in call.tested:
        pair = [REFERENCE, slug]
        call.draw.shuffle(pair)
        trials.append([call.signal(pair[0], "B"), call.signal(pair[1], "C")])
    return trials


def _alone(call: _Call) -> list[Order]:
    """A trial for each stimulus: ACR; the original only as the hidden reference."""
    return [
        [call.signal(slug)]
        for slug in call.stimuli
        if slug != REFERENCE or call.options.get("hidden_reference")
    ]


def _after_reference(call: _Call) -> list[Order]:
    """A trial for each stimulus, the original among them: DCR; the open reference is heard first."""
    return [[call.signal(slug)] for slug in call.stimuli]


def _both_orders(call: _Call) -> list[Order]:
    """A trial for each stimulus, paired with the original, before or after it: CCR."""
    trials = []
    for index, slug in enumerate(call.stimuli):
        pair = [slug, REFERENCE] if call.turned(index) else [REFERENCE, slug]
        trials.append([call.signal(pair[0], "first"), call.signal(pair[1], "second")])
    return trials


def _abx(call: _Call) -> list[Order]:
    """For each pair so many trials, one after the other.

    Over a pair's trials X is each of the two equally often. Which side they stand on is drawn by itself in
    each trial: only so is a guess right with a chance of 1/2 whatever the guesses before, as the exact
    binomial test supposes.
    """
    trials = []
    pairs = call.pairs
    call.draw.shuffle(pairs)
    count = 1 if call.training else call.options["trials"]
    for pair in pairs:
        unknown = [*pair] * (count // 2) + ([call.draw.choice(pair)] if count % 2 else [])
        call.draw.shuffle(unknown)
        for x in unknown:
            first, second = pair if call.draw.random() < 0.5 else pair[::-1]
            trials.append([call.signal(first, "A"), call.signal(second, "B"), call.signal(x, "X")])
    return trials


def _pairs(call: _Call) -> list[Order]:
    """Each pair once: paired preference."""
    trials = []
    for index, pair in enumerate(call.pairs):
        first, second = pair[::-1] if call.turned(index) else pair
        trials.append([call.signal(first, "A"), call.signal(second, "B")])
    return trials


PRESENTATIONS: dict[str, Callable[[_Call], list[Order]]] = {
    "mushra": _together,
    "bs1116": _triples,
    "acr": _alone,
    "dcr": _after_reference,
    "ccr": _both_orders,
    "abx": _abx,
    "ab": _pairs,
}


def present(
    method: str,
    stimuli: Sequence[Stimulus],
    draw: random.Random,
    *,
    options: Mapping[str, Any] | None = None,
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
    call = _Call(
        {stimulus.system: stimulus for stimulus in ordered},
        draw,
        {**METHODS[method].defaults, **(options or {})},
        turn,
        training,
        ordered[0].item.position if ordered else 0,
    )
    return PRESENTATIONS[method](call)


def arrange(method: str, trials: Sequence[tuple[T, Order]], draw: random.Random) -> list[tuple[T, Order]]:
    """A session's trials, each with its item, in the order in which they are heard.

    MUSHRA and ABX stay with an item; the others mix all trials, no two of an item in a row if that can be.
    """
    if method in ("mushra", "abx"):
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
