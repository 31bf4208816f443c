"""A listener who wants to know which recording is which, and does everything but listen.

It looks at all that reaches a browser, turns each recording of a trial into features, and guesses by each
feature in several ways: the largest, the smallest, and what it has learned from sessions whose truth it
knows. A guess that is right more often than chance allows is a leak. Chance: with `k` recordings a guess
is right with probability 1/k, so hits are binomial; p-values are corrected for the number of attacks.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

#: A leak is what is less probable by chance than this, over all attacks together.
LEVEL = 0.001


@dataclass(frozen=True)
class Slot:
    """All that a browser gets of one recording of a trial.

    Attributes:
        place: from the left, from 0.
        key, url, entry, markup: in the page: its JSON entry and its part of the HTML, without key and label.
        headers: of its file, in order.
        body: its file.
        work: what the server did for it, as far as a clock could see: queries, bytes read.
        saving: answers to a grade and to a wrong one, headers and bodies, without the key.
    """

    place: int
    key: str
    url: str
    entry: str
    markup: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    work: tuple[int, ...] = ()
    saving: str = ""


@dataclass(frozen=True)
class Seen:
    """A trial as one session saw it; `truth` is what the adversary wants: systems by place."""

    session: int
    number: int
    slots: tuple[Slot, ...]
    reference: bytes
    truth: tuple[str, ...]


Feature = Callable[[Slot, Seen], float]


def _hash(value: object) -> float:
    return float(int.from_bytes(hashlib.sha256(repr(value).encode()).digest()[:6], "big"))


def _samples(slot: Slot) -> np.ndarray:
    return np.frombuffer(slot.body[44:], "<i2")


#: What it looks at. None of these is what a recording sounds like.
FEATURES: dict[str, Feature] = {
    "place": lambda slot, seen: slot.place,
    "key, in order": lambda slot, seen: sorted(each.key for each in seen.slots).index(slot.key),
    "key, first letter": lambda slot, seen: ord(slot.key[0]),
    "key, last letter": lambda slot, seen: ord(slot.key[-1]),
    "key, length": lambda slot, seen: len(slot.key),
    "key, letters": lambda slot, seen: sum(map(ord, slot.key)),
    "address, length": lambda slot, seen: len(slot.url),
    "entry": lambda slot, seen: _hash(slot.entry),
    "markup": lambda slot, seen: _hash(slot.markup),
    "headers": lambda slot, seen: _hash(slot.headers),
    "headers, length": lambda slot, seen: sum(len(name) + len(value) for name, value in slot.headers),
    "file, length": lambda slot, seen: len(slot.body),
    "file, head": lambda slot, seen: _hash(slot.body[:44]),
    "file, hash": lambda slot, seen: _hash(slot.body),
    "file, first sample": lambda slot, seen: int(_samples(slot)[0]),
    "file, last sample": lambda slot, seen: int(_samples(slot)[-1]),
    "file, parity": lambda slot, seen: float(np.mean(_samples(slot) & 1)),
    "work of the server": lambda slot, seen: _hash(slot.work),
    "answers to grades": lambda slot, seen: _hash(slot.saving),
}

#: And what it would look at if listening by program were allowed: the difference from the open reference, and
#: noise in pauses.
LISTENING: dict[str, Feature] = {
    "second bits": lambda slot, seen: float(np.mean(_samples(slot) >> 1 & 1)),
    "samples equal to the reference": lambda slot, seen: int(
        np.sum(_samples(slot) == np.frombuffer(seen.reference[44:], "<i2"))
    ),
}


@dataclass
class Attack:
    """How often guesses of one kind were right."""

    name: str
    hits: int = 0
    tries: int = 0
    expected: float = 0.0
    chances: list[float] = field(default_factory=list)

    def guess(self, right: bool, chance: float) -> None:
        self.hits += right
        self.tries += 1
        self.expected += chance
        self.chances.append(chance)

    @property
    def p(self) -> float:
        """Probability of so many hits or more by chance (binomial, of the mean chance)."""
        if not self.tries:
            return 1.0
        chance = self.expected / self.tries
        return min(1.0, sum(_binomial(self.tries, k, chance) for k in range(self.hits, self.tries + 1)))


def _binomial(n: int, k: int, p: float) -> float:
    logs = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(logs + k * math.log(p) + (n - k) * math.log1p(-p))


def attacks_on(trials: Sequence[Seen], target: str, features: dict[str, Feature] = FEATURES) -> list[Attack]:
    """Guess the place of `target` in every trial, in each way that there is."""
    chance = random.Random(f"ties/{target}")
    found = []
    sessions = sorted({seen.session for seen in trials})
    known = set(sessions[::2])  # the adversary took these, listened, and knows their truth
    for name, feature in features.items():
        values = {id(seen): [feature(slot, seen) for slot in seen.slots] for seen in trials}
        for way, sign in (("most", 1), ("least", -1)):
            attack = Attack(f"{target}: {name}, {way}")
            for seen in trials:
                guess = _best([sign * value for value in values[id(seen)]], chance)
                attack.guess(seen.truth[guess] == target, 1 / len(seen.slots))
            found.append(attack)
        right, wrong = Counter[float](), Counter[float]()
        for seen in trials:
            if seen.session in known:
                for value, system in zip(values[id(seen)], seen.truth, strict=True):
                    (right if system == target else wrong)[value] += 1
        attack = Attack(f"{target}: {name}, learned")
        for seen in trials:
            if seen.session not in known:
                odds = [
                    (right[value] + 0.1) / (right[value] + wrong[value] + 0.5) for value in values[id(seen)]
                ]
                guess = _best(odds, chance)
                attack.guess(seen.truth[guess] == target, 1 / len(seen.slots))
        found.append(attack)
    return found


def attacks_on_orders(orders: Sequence[Sequence[Sequence[str]]], target: str) -> list[Attack]:
    """Guess places from places, of `orders` by session, trial and place.

    The adversary knows, by listening, all trials of a session that are behind it, and half of the sessions.
    It learns where `target` is after its own and the others' places in the trial before, and by the number
    of the trial.
    """
    chance = random.Random(f"orders/{target}")
    views: dict[str, Callable[[Sequence[Sequence[str]], int], object]] = {
        "number of the trial": lambda session, at: at,
        "its place before": lambda session, at: session[at - 1].index(target) if at else None,
        "order before": lambda session, at: tuple(session[at - 1]) if at else None,
        "first place before": lambda session, at: session[at - 1][0] if at else None,
        "places in all before": lambda session, at: tuple(order.index(target) for order in session[:at]),
    }
    found = []
    for name, view in views.items():
        learned: dict[object, Counter[int]] = defaultdict(Counter)
        for session in orders[::2]:
            for at, order in enumerate(session):
                learned[at, view(session, at)][order.index(target)] += 1
                learned["any", view(session, at)][order.index(target)] += 1
        for scope in ("of this number", "of any number"):
            attack = Attack(f"{target}: {name}, trial {scope}")
            for session in orders[1::2]:
                for at, order in enumerate(session):
                    seen = learned[at if scope == "of this number" else "any", view(session, at)]
                    guess = _best([seen[place] for place in range(len(order))], chance)
                    attack.guess(order[guess] == target, 1 / len(order))
            found.append(attack)
    return found


def _best(values: Sequence[float], chance: random.Random) -> int:
    top = max(values)
    return chance.choice([place for place, value in enumerate(values) if value == top])


def leaks(attacks: Iterable[Attack]) -> list[str]:
    """The attacks that chance does not explain, each with its figures; empty if nothing leaks."""
    made = list(attacks)
    return [
        f"{attack.name}: {attack.hits} of {attack.tries} right, {attack.expected:.1f} by chance, "
        f"p = {attack.p:.1e}"
        for attack in made
        if attack.p < LEVEL / len(made)
    ]
