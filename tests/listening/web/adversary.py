"""A listener who wants to know which recording is which, and does everything but listen.

It looks at all that reaches a browser, turns each recording of a trial into features, and guesses by each
feature in several ways: the largest, the smallest, and what it has learned from sessions whose truth it
knows. A guess that is right more often than chance allows is a leak. Chance: with `k` recordings a guess
is right with probability 1/k, so hits are binomial; p-values are corrected for the number of attacks.

In ``manage.py shell``, ``adversary.table("FOLDER")`` of this module makes the
table of docs/threat-model.md: which statistics of a single file name which system, with triangular dither and
with the noise floor, for the recordings in a folder.
"""

from __future__ import annotations

import hashlib
import io
import math
import random
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from codec import registry
from codec.audio import read_audio
from codec.base import WORKING_RATE, Audio
from evaluation.metrics.loudness import loudness
from listening.study.floor import wav_with_floor
from listening.study.stimuli import render_stimulus

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
    "difference from the reference": lambda slot, seen: float(
        np.std(_samples(slot) - np.frombuffer(seen.reference[44:], "<i2").astype(float))
    ),
    "second bits": lambda slot, seen: float(np.mean(_samples(slot) >> 1 & 1)),
    "samples equal to the reference": lambda slot, seen: int(
        np.sum(_samples(slot) == np.frombuffer(seen.reference[44:], "<i2"))
    ),
}


#: A statistic of one file: of its 16-bit samples in mono and their rate.
Statistic = Callable[[np.ndarray, int], float]


def _spectrum(x: np.ndarray, rate: int) -> np.ndarray:
    """Power in bands of 8 Hz, the mean over stretches of an eighth of a second."""
    frame = rate // 8
    frames = x[: x.size // frame * frame].reshape(-1, frame) * np.hanning(frame)
    return np.mean(np.abs(np.fft.rfft(frames)) ** 2, axis=0)


def _band(x: np.ndarray, rate: int, low: float, high: float) -> float:
    return float(10 * np.log10(_spectrum(x, rate)[round(low / 8) : round(high / 8)].sum() + 1))


def _rolloff(x: np.ndarray, rate: int, share: float) -> float:
    power = np.cumsum(_spectrum(x, rate))
    return float(np.interp(share * power[-1], power, np.arange(power.size)))


def _moment(x: np.ndarray, order: int) -> float:
    centred = x - x.mean()
    return float(np.mean(centred**order) / np.mean(centred**2) ** (order / 2))


def _levels(x: np.ndarray, rate: int) -> np.ndarray:
    """Levels in stretches of 20 ms, dB."""
    frame = rate // 50
    frames = x[: x.size // frame * frame].reshape(-1, frame).astype(float)
    return 10 * np.log10(np.mean(frames**2, axis=1) + 1e-3)


def _flac(x: np.ndarray, rate: int) -> float:
    file = io.BytesIO()
    soundfile.write(file, x, rate, format="FLAC", subtype="PCM_16")
    return len(file.getvalue())


#: These are about what nobody hears: the noise floor covers them.
INAUDIBLE: dict[str, Statistic] = {
    "zeros": lambda x, rate: np.sum(x == 0),
    "distinct values": lambda x, rate: np.unique(x).size,
    "neighbours that are equal": lambda x, rate: np.sum(x[1:] == x[:-1]),
    "lowest bit": lambda x, rate: np.mean(x & 1),
    "lowest bit, runs": lambda x, rate: np.mean((x[1:] ^ x[:-1]) & 1),
    "two lowest bits": lambda x, rate: np.ptp(np.bincount(x & 3, minlength=4)),
    "offset": lambda x, rate: abs(np.mean(x, dtype=float)),
    "first and last samples": lambda x, rate: np.abs(np.r_[x[:16], x[-16:]].astype(int)).sum(),
    "quietest 20 ms": lambda x, rate: _levels(x, rate).min(),
    "below 40 Hz": lambda x, rate: _band(x, rate, 0, 40),
}
#: And these are about the sound itself, or contain it.
AUDIBLE: dict[str, Statistic] = {
    "compressed size (zip)": lambda x, rate: len(zlib.compress(x.astype("<i2").tobytes())),
    "compressed size (FLAC)": _flac,
    "pauses": lambda x, rate: np.percentile(_levels(x, rate), 10),
    "peak": lambda x, rate: np.abs(x.astype(int)).max(),
    "level": lambda x, rate: np.std(x.astype(float)),
    "skewness": lambda x, rate: _moment(x, 3),
    "kurtosis": lambda x, rate: _moment(x, 4),
    "sign changes": lambda x, rate: np.mean((x[1:] < 0) != (x[:-1] < 0)),
    "rolloff, 85 %": lambda x, rate: _rolloff(x, rate, 0.85),
    "rolloff, 99 %": lambda x, rate: _rolloff(x, rate, 0.99),
    "band to 300 Hz": lambda x, rate: _band(x, rate, 60, 300),
    "band of telephony": lambda x, rate: _band(x, rate, 300, 3400),
    "band above": lambda x, rate: _band(x, rate, 3700, 7000),
    "top of the band": lambda x, rate: _band(x, rate, 0.46 * rate, 0.5 * rate),
}


#: Of every trial, by statistic and system.
Measured = Sequence[dict[str, dict[str, float]]]


def measure(trials: Sequence[dict[str, np.ndarray]], rate: int, statistics: dict[str, Statistic]) -> Measured:
    """`statistics` of each sound of each trial; sounds by system, 16 bits, mono."""
    return [
        {
            name: {system: float(statistic(x, rate)) for system, x in trial.items()}
            for name, statistic in statistics.items()
        }
        for trial in trials
    ]


def attacks_by_statistics(trials: Measured, target: str) -> list[Attack]:
    """Guess which sound of each trial is `target`, by one statistic of each file at a time.

    As the one with the most and with the least of it, and as the one that is most like `target` in all other
    trials: the adversary has listened to these, so knows them, and looks for the same place among the sounds.
    """
    chance = random.Random(f"statistics/{target}")
    found = []
    for name in trials[0]:
        rows = [trial[name] for trial in trials]
        attacks = {way: Attack(f"{target}: {name}, {way}") for way in ("most", "least", "learned")}
        standard = [_standardised(row) for row in rows]
        for number, row in enumerate(rows):
            others = standard[:number] + standard[number + 1 :]
            odds = _odds([each[target] for each in others])
            rest = _odds([value for each in others for system, value in each.items() if system != target])
            values = {
                "most": row,
                "least": {system: -value for system, value in row.items()},
                "learned": {system: odds(value) - rest(value) for system, value in standard[number].items()},
            }
            for way, value in values.items():
                systems = list(value)
                guess = systems[_best([value[system] for system in systems], chance)]
                attacks[way].guess(guess == target, 1 / len(systems))
        found += attacks.values()
    return found


def _standardised(row: dict[str, float]) -> dict[str, float]:
    values = np.array(list(row.values()))
    scale = float(values.std()) or 1.0
    return {system: (value - float(values.mean())) / scale for system, value in row.items()}


def _odds(known: Sequence[float]) -> Callable[[float], float]:
    mean, spread = float(np.mean(known)), float(np.std(known)) + 0.05
    return lambda value: -0.5 * ((value - mean) / spread) ** 2 - math.log(spread)


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


# -- Statistics of real codecs


#: Systems of which each makes statistics of its own; a second is coded in well under one.
CODED = ("original", "anchor35", "anchor70", "opus-9k", "celp-8k", "amrwb-6.6k", "amrnb-4.75k", "codec2-2.4k")


def deliver(
    recordings: Iterable[Audio], rate: int, systems: Sequence[str] = CODED
) -> tuple[list[dict[str, np.ndarray]], list[dict[str, np.ndarray]]]:
    """A trial of each recording, mono at `rate` Hz, in 16 bits: with triangular dither, and with a floor."""
    dithered, floored = [], []
    for number, audio in enumerate(recordings):
        seconds = len(audio) / rate
        level = loudness(audio, rate)
        trial: dict[str, np.ndarray] = {}
        plain: dict[str, np.ndarray] = {}
        for system in systems:
            codec = registry.load(system, rate)
            sound, _gain = render_stimulus(audio, codec.decode(codec.encode(audio)), 0.0, seconds, rate)
            key = f"{number}/{system}".encode()
            dither = np.random.default_rng(list(key)).triangular(-1, 0, 1, sound.size)
            plain[system] = np.clip(np.rint(sound * 32767.0 + dither), -32768, 32767).astype(np.int16)
            trial[system] = np.frombuffer(wav_with_floor(sound, rate, key, level)[44:], "<i2")
        dithered.append(plain)
        floored.append(trial)
    return dithered, floored


def _levelled(audio: Audio) -> Audio:
    """At -26 LUFS, a usual level of speech."""
    return (audio * 10 ** ((-26 - loudness(audio, WORKING_RATE)) / 20)).clip(-1, 1).astype(np.float32)


def table(folder: str) -> str:
    """How often each system was named by each statistic, in the best of three ways, before and after."""
    recordings = [_levelled(read_audio(path).audio) for path in sorted(Path(folder).iterdir())]
    lines = ["| statistic | " + " | ".join(CODED) + " |", "|---|" + "---|" * len(CODED)]
    delivered = deliver(recordings, WORKING_RATE)
    for statistics in (INAUDIBLE, AUDIBLE):
        measured = [measure(trials, WORKING_RATE, statistics) for trials in delivered]
        attacks = {system: [attacks_by_statistics(each, system) for each in measured] for system in CODED}
        for row, name in enumerate(statistics):
            ways = slice(3 * row, 3 * row + 3)
            cells = [
                " → ".join(str(max(attack.hits for attack in found[ways])) for found in attacks[system])
                for system in CODED
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append(f"{len(recordings)} trials; {len(recordings) / len(CODED):.0f} by chance")
    return "\n".join(lines)
