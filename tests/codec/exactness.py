"""Signals through systems at their own interface, and what can be measured of the outputs."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import codec
from codec import container, registry
from codec.audio import resample
from codec.base import Audio, Codec, Encoded
from codec.bpgan.system import BPGAN
from tests.codec.speech import SENTENCES, harvard_sentence

RATES = (8_000, 16_000, 44_100, 48_000)
LENGTHS = (0.3, 1.0, 5.0, 60.0)
SIGNALS = ("speech", "sweep", "noise", "silence", "near full scale")

#: What every system passes, so that levels can be compared: signals are made at this rate.
NARROW = 8_000


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    slug: str
    rate: int
    seconds: float
    signal: str

    def __str__(self) -> str:
        return f"{self.slug} {self.rate} Hz {self.seconds:g} s {self.signal}"


def grid() -> list[Case]:
    """Every system with every rate, length and signal."""
    return [Case(*row) for row in product(registry.SYSTEMS, RATES, LENGTHS, SIGNALS)]


@cache
def _source(seconds: float, signal: str) -> Audio:
    """The signal at `NARROW` Hz."""
    size = round(seconds * NARROW)
    time = np.arange(size) / NARROW
    if signal == "silence":
        return np.zeros(size, dtype=np.float32)
    if signal == "sweep":
        # 120 Hz to 3.2 kHz, each octave in the same time.
        octaves = np.log2(3200 / 120)
        phase = 2 * np.pi * 120 * seconds / (octaves * np.log(2)) * 2 ** (octaves * time / seconds)
        return (0.3 * np.sin(phase)).astype(np.float32)
    if signal == "noise":
        noise: Audio = np.random.default_rng(7).normal(0.0, 0.05, size).astype(np.float32)
        return noise
    # All voices, again and again; a short one begins in the middle of a word.
    spoken = [resample(harvard_sentence(index), 16_000, NARROW) for index in (3, 0, 2, 6, 1, 4, 5, 7)]
    assert len(spoken) == SENTENCES
    all_voices = np.concatenate(spoken)
    start = 0 if seconds >= 5 else int(np.argmax(np.convolve(all_voices[:20_000] ** 2, np.ones(size))))
    start = min(max(0, start - size), 20_000 - size) if seconds < 5 else 0
    speech = np.resize(all_voices[start:], size)
    level = 0.98 / np.abs(speech).max() if signal == "near full scale" else 0.3
    return (speech * np.float32(level)).astype(np.float32)


def make_signal(case: Case) -> Audio:
    """The input of a case, float32 (samples,)."""
    return np.clip(resample(_source(case.seconds, case.signal), NARROW, case.rate), -1.0, 1.0)


@cache
def load(slug: str, rate: int) -> Codec:
    """A system, searching as briefly as it can."""
    codec = registry.load(slug, rate)
    if isinstance(codec, BPGAN):
        codec = copy(codec)  # the registry's own is shared with other tests
        codec.search = "instant"
    return codec


@dataclass(frozen=True)
class Row:
    """What a case gave.

    Attributes:
        encoded, again: of two encodings.
        decoded: output of the system.
        lag: in samples at the case's rate; > 0: the output is late.
        correlation: of the waveforms at that lag.
        level: of the output against the input below 4 kHz, dB; None for silence.
        click: how much rougher the output is at the borders of frames and blocks than between them.
    """

    source: Audio
    encoded: Encoded
    again: Encoded
    decoded: Audio
    lag: float
    correlation: float
    level: float | None
    click: float


def run(case: Case) -> Row:
    """Put a case through its system."""
    codec = load(case.slug, case.rate)
    source = make_signal(case)
    encoded, again = codec.encode(source), codec.encode(source)
    decoded = codec.decode(encoded)
    lag, correlation = measure_lag(source, decoded)
    return Row(
        source, encoded, again, decoded, lag, correlation, level(source, decoded, case.rate),
        roughness(decoded, case.rate),
    )  # fmt: skip


def measure_lag(source: Audio, decoded: Audio, within: int = 40, up: int = 20) -> tuple[float, float]:
    """Lag of the largest correlation in samples, to a twentieth of one, and that correlation, signed."""
    size = 1 << int(np.ceil(np.log2(2 * source.size)))
    ours, theirs = (np.fft.rfft(x.astype(np.float64), size) for x in (source, decoded))
    correlation = np.fft.irfft(np.conj(ours) * theirs, size)
    energy = np.sqrt(float(np.vdot(source, source)) * float(np.vdot(decoded, decoded)))
    if not energy:
        return 0.0, 0.0
    # The correlation has the band of the signals: between its samples it is interpolated by a windowed sinc.
    reach = min(within + 64, source.size - 1)
    lags = np.arange(-reach, reach + 1)
    fine = np.arange(-within * up, within * up + 1) / up
    apart = fine[:, None] - lags
    sinc = np.sinc(apart) * np.where(np.abs(apart) < 64, np.cos(np.pi * apart / 128) ** 2, 0.0)
    values = sinc @ correlation[lags] / energy
    best = int(np.argmax(np.abs(values)))
    return float(fine[best]), float(values[best])


def level(source: Audio, decoded: Audio, rate: int) -> float | None:
    """Level of `decoded` against `source` below 4 kHz, dB; None for silence."""
    powers = [float(np.mean(resample(x, rate, NARROW).astype(np.float64) ** 2)) for x in (source, decoded)]
    return 10 * float(np.log10(max(powers[1], 1e-20) / powers[0])) if powers[0] else None


def roughness(decoded: Audio, rate: int) -> float:
    """How much the second difference at one place in frames of 20 ms stands out from all other places.

    Each second difference is taken against its neighbourhood, 10 ms. A click at the borders of frames makes
    one of the places within a frame rougher than the others, wherever the borders are. 1 if it is shorter
    than half a second. The first and the last frame do not count: a file that begins in the middle of a sound
    has a click there by itself.
    """
    width, frame = rate // 100, rate // 50
    bend = np.abs(np.diff(decoded.astype(np.float64), 2))[frame:-frame]
    if bend.size < 25 * frame:
        return 1.0
    around = np.convolve(bend, np.ones(width) / width, mode="same")
    bends = bend / np.maximum(around, 1e-4)
    places = bends[: bends.size // frame * frame].reshape(-1, frame).mean(axis=0)
    return float(places.max() / max(float(np.median(places)), 1e-3))


_ELSEWHERE = """
import hashlib, struct, sys
from codec import container, registry
from codec.audio import to_pcm16

while size := sys.stdin.buffer.read(4):
    encoded = container.loads(sys.stdin.buffer.read(*struct.unpack("<I", size)))
    decoded = registry.load(encoded.system, encoded.sample_rate).decode(encoded)
    print(hashlib.sha256(to_pcm16(decoded).tobytes()).hexdigest(), flush=True)
"""


class Elsewhere:
    """Another process, which gets packed files and says what it makes of them."""

    def __init__(self) -> None:
        self._process: Any = subprocess.Popen(
            [sys.executable, "-c", _ELSEWHERE],
            cwd=Path(codec.__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def decode(self, encoded: Encoded) -> str:
        """SHA-256 of the samples, as 16 bits, to which the packed file decodes there."""
        packed = container.dumps(encoded)
        self._process.stdin.write(len(packed).to_bytes(4, "little") + packed)
        self._process.stdin.flush()
        said = self._process.stdout.readline().decode().strip()
        if not said:
            raise RuntimeError(f"The other process ended with {self._process.wait()}; its words are above.")
        return str(said)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=300)
        self._process.stdout.close()


def write_down(path: Path, case: Case, row: Row) -> None:
    """Add a row to a CSV: the case, its lag, correlation, level, roughness and rate."""
    level = "" if row.level is None else f"{row.level:.3f}"
    measured = (f"{row.lag:.2f}", f"{row.correlation:.4f}", level, f"{row.click:.3f}")
    with path.open("a", newline="") as file:
        values = (case.slug, case.rate, f"{case.seconds:g}", case.signal, *measured)
        csv.writer(file).writerow([*values, f"{row.encoded.kbps:.3f}"])


def summarise(rows: Iterable[list[str]]) -> str:
    """The table of docs/codecs.md: a line for each system, of the rows of `write_down`.

    Lags are of speech of a second or more, levels of speech of 5 s or more; roughness is the largest of all
    signals but sweeps and silence.
    """
    found: defaultdict[str, list[list[str]]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    lines = ["| system | rows | lag, ms | level, dB | largest roughness |", "|---|---|---|---|---|"]
    for slug in (slug for slug in registry.SYSTEMS if slug in found):
        own = found[slug]
        spoken = [row for row in own if row[3] in ("speech", "near full scale") and float(row[2]) >= 1]
        lags = [1000 * float(row[4]) / int(row[1]) for row in spoken if float(row[5]) > 0.5]
        levels = [float(row[6]) for row in spoken if float(row[2]) >= 5 and row[3] == "speech"]
        rough = max((float(row[7]) for row in own if row[3] not in ("sweep", "silence")), default=1.0)
        cells = [_range(lags, 3), _range(levels, 2), f"{rough:.2f}"]
        lines.append(f"| `{slug}` | {len(own)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _range(values: list[float], decimals: int) -> str:
    if not values:
        return "–"
    low, high = (f"{value:+.{decimals}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


if __name__ == "__main__":
    with Path(sys.argv[1]).open(newline="") as file:
        sys.stdout.write(summarise(csv.reader(file)) + "\n")
