"""Puts audio through a system and measures the output. No Django.

The workers (`evaluation.tasks`) and the `benchmark` command both use this module, so that the same code
computes the numbers on pages and in tables.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from time import perf_counter

import numpy as np

from codec import registry
from codec.audio import from_pcm16, to_pcm16
from codec.base import (
    WORKING_RATE,
    Audio,
    Codec,
    CodecError,
    Encoded,
    Note,
    Progress,
    channels_of,
    fit_length,
    gettext_noop,
)
from codec.threads import use_threads
from codec.working import conform, version_for
from evaluation.metrics import DEFAULT
from evaluation.metrics import METRICS as REGISTRY
from evaluation.metrics.domain import SILENCE, Heard, count_channels, measure_bandwidth

#: Metrics of every rendition, in table order.
METRICS = DEFAULT

METRIC_TITLES = {slug: metric.title for slug, metric in REGISTRY.items()}


class MetricUnavailable(Exception):
    """A metric's library is not installed; the message is for people."""


@dataclass(frozen=True)
class Processed:
    """A signal through a system.

    Attributes:
        audio: decoded float32, as long as the input, with the rate and channels of `encoded`, rounded to 16
            bits as in the stored file. Rounding noise above 4 kHz affects the PESQ-WB of a narrow-band codec.
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
    """A metric's result: `value`, or None with a `note` that says why there is no value.

    Remarks of ours are a `Note`, which can be shown in another language.
    """

    value: float | None
    version: str
    note: str = ""


def process(
    audio: Audio,
    slug: str,
    rate: int = WORKING_RATE,
    progress: Progress | None = None,
    *,
    hasty: bool = False,
    model: Path | None = None,
) -> Processed:
    """Encode and decode a working copy, (samples,) or (samples, channels) at `rate` Hz, with a system.

    A system that takes less gets its own version of it (`codec.working`). One that takes its time reports the
    `progress` of its encoder, or, if `hasty`, takes as little time as it can (`Codec.hasten`). `model` is the
    file of another model than the one installed, for systems that have one.

    Raises:
        CodecError: the system does not exist or cannot take this audio.
        CodecUnavailable: its library or model is not installed.
    """
    start = perf_counter()
    to_rate, channels = registry.get_system(slug).takes.fit(rate, channels_of(audio))
    codec = _load(slug, to_rate, model)
    if hasty:
        codec = codec.hasten()
    given = version_for(audio, rate, to_rate, channels)
    use_threads(searching=True)
    loaded = perf_counter()
    encoded = codec.encode(given, progress)
    sent = perf_counter()
    use_threads(seconds=encoded.seconds)
    arrived = perf_counter()
    decoded = codec.decode(encoded)
    received = perf_counter()
    heard = from_pcm16(to_pcm16(decoded))
    return Processed(heard, encoded, loaded - start, sent - loaded, received - arrived)


def recording_of(reference: Audio, rate: int, speech: bool = True) -> Heard:
    """What the domains of metrics ask of a clip, (samples,) or (samples, channels) at `rate` Hz."""
    return Heard(rate, count_channels(reference), speech=speech)


def heard_by(
    metric: str, reference: Audio, rate: int, degraded: Audio, degraded_rate: int
) -> tuple[Audio, Audio, int]:
    """A clip and a rendition of it, each at its own rate, with the rate and channels that a metric compares.

    Returns:
        Both signals, of one length, and their rate in Hz, as `measure` takes them.
    """
    domain = REGISTRY[metric].domain
    to_rate, channels = domain.rate or rate, min(channels_of(reference), domain.channels)
    ours = conform(reference, rate, to_rate, channels)
    theirs = conform(degraded, degraded_rate, to_rate, channels)
    return ours, fit_length(theirs, len(ours)), to_rate


def measure(
    reference: Audio, degraded: Audio, rate: int, metric: str, heard: Heard | None = None
) -> Measured:
    """Measure `degraded` against `reference`, time-aligned, as a metric's domain asks for them.

    Args:
        reference, degraded: float (samples,) or, for a metric of several channels, (samples, channels).
        rate: of both, Hz: that of the metric's domain, where it has one.
        heard: the recording that `reference` was made of; None: `reference` itself. Bandwidth and length are
            always those of `reference`.

    Returns:
        a finite value; or None with a note if the recording is outside the metric's domain, a signal is
        silent, or the metric finds nothing to compare.

    Raises:
        MetricUnavailable: its library is not installed.
        ValueError: unknown metric, a rate that should have been converted to the metric's, or different
            lengths.
    """
    described = REGISTRY.get(metric)
    if described is None or not described.computed:
        known = ", ".join(slug for slug, each in REGISTRY.items() if each.computed)
        raise ValueError(f"There is no metric {metric!r}; known: {known}.")
    if described.missing:
        raise MetricUnavailable(described.missing)
    domain = described.domain
    if domain.rate and rate != domain.rate and rate >= domain.least_rate:
        raise ValueError(f"{described.title} works at {domain.rate} Hz, not at {rate} Hz.")
    if reference.shape != degraded.shape:
        raise ValueError(f"The signals differ in length: {reference.shape} and {degraded.shape}.")
    name = metric_version(metric)
    # float64: PESQ's wrapper divides by the peak, which wraps around in 16-bit integers.
    reference, degraded = np.asarray(reference, dtype=np.float64), np.asarray(degraded, dtype=np.float64)
    for signal, what in ((reference, "reference"), (degraded, "decoded audio")):
        if not np.isfinite(signal).all():
            return Measured(None, name, Note(_NOT_FINITE[what]))
        if signal.size == 0 or np.abs(signal).max() < SILENCE:
            return Measured(None, name, Note(_SILENT[what]))
    heard = replace(
        heard or Heard(rate, 1 if reference.ndim == 1 else reference.shape[1]),
        seconds=len(reference) / rate,
        bandwidth=measure_bandwidth(reference, rate) if domain.bandwidth else None,
    )
    if outside := domain.exclude(described.title, heard):
        return Measured(None, name, outside)
    value, note = described.load()(reference, degraded, rate, metric)
    if value is not None and not np.isfinite(value):
        return Measured(None, name, Note(gettext_noop("the metric gave no finite number")))
    return Measured(value, name, note)


_NOT_FINITE = {
    "reference": gettext_noop("the reference has samples that are not finite numbers"),
    "decoded audio": gettext_noop("the decoded audio has samples that are not finite numbers"),
}
_SILENT = {
    "reference": gettext_noop("the reference is silent"),
    "decoded audio": gettext_noop("the decoded audio is silent"),
}


@cache
def metric_version(metric: str) -> str:
    """Package and version that compute `metric`, as stored with every score."""
    return REGISTRY[metric].version


@cache
def _load(slug: str, rate: int, model: Path | None) -> Codec:
    """Load a codec and run it once, because first runs import, allocate and compile things."""
    codec = registry.load(slug, rate, model)
    use_threads(seconds=0.0)
    noise = np.random.default_rng(0).normal(0.0, 0.01, rate // 4).astype(np.float32)
    with suppress(CodecError):  # the real run reports the error
        codec.decode(codec.encode(noise))
    return codec
