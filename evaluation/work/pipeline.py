"""Puts audio through a system and measures the output. No Django.

The workers (`evaluation.tasks`) and the `benchmark` command both use this module, so that the same code
computes the numbers on pages and in tables.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from time import perf_counter

import numpy as np

from codec import registry
from codec.audio import from_pcm16, to_pcm16
from codec.base import WORKING_RATE, Audio, Codec, CodecError, Encoded
from codec.threads import use_threads
from evaluation.metrics import DEFAULT
from evaluation.metrics import METRICS as REGISTRY

#: Metrics of every rendition, in table order.
METRICS = DEFAULT

METRIC_TITLES = {slug: metric.title for slug, metric in REGISTRY.items()}

#: P.862's reference code keeps 50 utterances in fixed arrays and writes past their end when a
#: recording has more: the process dies. An utterance and its pause last 0.4 s at least, so
#: 20 s are always safe. P.862.3 asks for 8 to 30 s anyway.
PESQ_MAX_SECONDS = 20.0

#: P.862's code refuses shorter signals.
PESQ_MIN_SECONDS = 0.25

#: STOI compares segments of 30 frames; pystoi raises IndexError for much shorter signals.
STOI_MIN_SECONDS = 0.4

#: Below this peak (-100 dB re full scale, a tenth of a 16-bit step) a signal counts as silent.
SILENCE = 1e-5


class MetricUnavailable(Exception):
    """A metric's library is not installed; the message is for people."""


@dataclass(frozen=True)
class Processed:
    """A signal through a system.

    Attributes:
        audio: decoded float32 of shape (samples,), as long as the input, rounded to 16 bits as in the stored
            file. Rounding noise above 4 kHz affects the PESQ-WB of a narrow-band codec.
        encoded: the transmitted bitstream.
        load_seconds: time to import the codec and load its model; near zero after the first use.
        encode_seconds, decode_seconds: wall-clock, without loading.
    """

    audio: Audio
    encoded: Encoded
    load_seconds: float
    encode_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class Measured:
    """A metric's result: `value`, or None with a `note` that says why there is no value."""

    value: float | None
    version: str
    note: str = ""


def process(audio: Audio, slug: str) -> Processed:
    """Encode and decode `audio` (samples,) at `WORKING_RATE` with the system `slug`.

    Raises:
        CodecError: the system does not exist or cannot take this audio.
        CodecUnavailable: its library or model is not installed.
    """
    start = perf_counter()
    codec = _load(slug)
    use_threads(seconds=audio.size / WORKING_RATE)
    loaded = perf_counter()
    encoded = codec.encode(audio)
    sent = perf_counter()
    decoded = codec.decode(encoded)
    received = perf_counter()
    return Processed(from_pcm16(to_pcm16(decoded)), encoded, loaded - start, sent - loaded, received - sent)


def measure(reference: Audio, degraded: Audio, rate: int, metric: str) -> Measured:
    """Measure `degraded` against `reference`, both float (samples,) at `rate` Hz, time-aligned.

    Returns a finite value, or None with a note if a signal is silent or too short for the metric. PESQ of
    more than `PESQ_MAX_SECONDS` is the mean over equal parts.

    Raises:
        MetricUnavailable: its library is not installed.
        ValueError: unknown metric, a rate other than 16 kHz, or different lengths.
    """
    if metric not in _COMPUTE:
        raise ValueError(f"There is no metric {metric!r}; known: {', '.join(_COMPUTE)}.")
    if missing := REGISTRY[metric].missing:
        raise MetricUnavailable(missing)
    if rate != WORKING_RATE:
        raise ValueError(f"Metrics work at {WORKING_RATE} Hz, not at {rate} Hz.")
    if reference.shape != degraded.shape:
        raise ValueError(f"The signals differ in length: {reference.shape} and {degraded.shape}.")
    name = metric_version(metric)
    # float64: PESQ's wrapper divides by the peak, which wraps around in 16-bit integers.
    reference, degraded = np.asarray(reference, dtype=np.float64), np.asarray(degraded, dtype=np.float64)
    for signal, what in ((reference, "reference"), (degraded, "decoded audio")):
        if not np.isfinite(signal).all():
            return Measured(None, name, f"the {what} has samples that are not finite numbers")
        if signal.size == 0 or np.abs(signal).max() < SILENCE:
            return Measured(None, name, f"the {what} is silent")
    value, note = _COMPUTE[metric](reference, degraded, rate, metric)
    if value is not None and not np.isfinite(value):
        return Measured(None, name, "the metric gave no finite number")
    return Measured(value, name, note)


@cache
def metric_version(metric: str) -> str:
    """Package and version that compute `metric`, as stored with every score."""
    return REGISTRY[metric].version


@cache
def _load(slug: str) -> Codec:
    """Load a codec and run it once, because first runs import, allocate and compile things."""
    codec = registry.load(slug)
    use_threads(seconds=0.0)
    noise = np.random.default_rng(0).normal(0.0, 0.01, WORKING_RATE // 4).astype(np.float32)
    with suppress(CodecError):  # the real run reports the error
        codec.decode(codec.encode(noise))
    return codec


def _pesq(reference: Audio, degraded: Audio, rate: int, metric: str) -> tuple[float | None, str]:
    from pesq import BufferTooShortError, NoUtterancesError, pesq

    if reference.size < PESQ_MIN_SECONDS * rate:
        return None, "too short: PESQ needs 0.25 s"
    parts = int(np.ceil(reference.size / (PESQ_MAX_SECONDS * rate)))
    band: str = metric.removeprefix("pesq_")
    values: list[float] = []
    for ours, theirs in zip(np.array_split(reference, parts), np.array_split(degraded, parts), strict=True):
        if not (np.abs(ours).max() >= SILENCE and np.abs(theirs).max() >= SILENCE):
            continue  # a silent part has no utterance; P.862's code divides by its level
        try:
            value = float(pesq(rate, ours, theirs, band))
        except (NoUtterancesError, BufferTooShortError):
            continue
        if np.isfinite(value):
            values.append(value)
    if not values:
        return None, "PESQ detects no speech in it"
    if parts == 1:
        return values[0], ""
    return float(np.mean(values)), (
        f"mean over {len(values)} of {parts} parts of {reference.size / parts / rate:.1f} s: "
        f"P.862 is made for at most 30 s"
    )


def _stoi(reference: Audio, degraded: Audio, rate: int, metric: str) -> tuple[float | None, str]:
    from pystoi import stoi

    if reference.size < STOI_MIN_SECONDS * rate:
        return None, "too short: STOI needs 0.4 s of speech"
    with warnings.catch_warnings():
        # pystoi warns and returns 1e-5 if fewer than 30 frames remain without the pauses.
        warnings.filterwarnings("error", message="Not enough STFT frames")
        try:
            return float(stoi(reference, degraded, rate)), ""
        except RuntimeWarning:
            return None, "too short: STOI needs 0.4 s of speech"


def _visqol(reference: Audio, degraded: Audio, rate: int, metric: str) -> tuple[float | None, str]:
    from evaluation.metrics.similarity import visqol

    return visqol(reference, degraded, rate)


def _no_reference(reference: Audio, degraded: Audio, rate: int, metric: str) -> tuple[float | None, str]:
    from evaluation.metrics.no_reference import distillmos, dnsmos, plcmos

    if metric == "plcmos":
        return plcmos(degraded, rate)
    if metric == "distillmos":
        use_threads(seconds=degraded.size / rate)
        return distillmos(degraded, rate)
    return dnsmos({"dnsmos_p808": "p808_mos", "dnsmos_ovrl": "ovrl_mos"}[metric], degraded, rate)


def _phones(reference: Audio, degraded: Audio, rate: int, metric: str) -> tuple[float | None, str]:
    from evaluation.metrics.phones import disagreement

    return disagreement(reference, degraded, rate)


_COMPUTE: dict[str, Callable[[Audio, Audio, int, str], tuple[float | None, str]]] = {
    "pesq_nb": _pesq,
    "pesq_wb": _pesq,
    "stoi": _stoi,
    "visqol": _visqol,
    "dnsmos_p808": _no_reference,
    "dnsmos_ovrl": _no_reference,
    "plcmos": _no_reference,
    "distillmos": _no_reference,
    "phones": _phones,
}
