"""All systems by slug. A codec is imported on first use, so listing the systems costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from codec.base import WORKING_RATE, Codec, CodecError, CodecUnavailable


@dataclass(frozen=True)
class System:
    """What can be said about a system without importing it.

    Attributes:
        slug: its name in the registry, the database, files and URLs.
        title: its name for readers.
        family: of codecs, for readers of the API and of lists. Colours and markers are chosen elsewhere, in
            `evaluation.systems`.
        nominal_kbps: the rate that its name promises, in kbit/s; results use the measured rate.
        target: ``module:Class`` of its `Codec`.
        options: keyword arguments of that class.
        note: what readers of a table need to know, for example that a codec is narrow-band.
    """

    slug: str
    title: str
    family: str
    nominal_kbps: float
    target: str
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


def _systems(*rows: System) -> dict[str, System]:
    return {row.slug: row for row in rows}


_NARROW = "narrow-band codec, 8 kHz inside"
_VARIABLE = "variable bit rate"

SYSTEMS: dict[str, System] = _systems(
    System("original", "Original", "reference", 256.0, "codec.reference:Original", note="16-bit PCM"),
    System("anchor35", "Anchor 3.5 kHz", "anchor", 256.0, "codec.reference:Anchor", {"cutoff": 3500}),
    System("anchor70", "Anchor 7 kHz", "anchor", 256.0, "codec.reference:Anchor", {"cutoff": 7000}),
    System("opus-6k", "Opus 6k", "opus", 6.0, "codec.ffmpeg:Opus", {"bit_rate": 6000}, _VARIABLE),
    System("opus-9k", "Opus 9k", "opus", 9.0, "codec.ffmpeg:Opus", {"bit_rate": 9000}, _VARIABLE),
    System("opus-12k", "Opus 12k", "opus", 12.0, "codec.ffmpeg:Opus", {"bit_rate": 12_000}, _VARIABLE),
    System("celp-8k", "CELP 8k (Speex)", "celp", 8.0, "codec.ffmpeg:Speex", {"bit_rate": 8000}, _NARROW),
    System("celp-4k", "CELP 4k (Speex)", "celp", 3.95, "codec.ffmpeg:Speex", {"bit_rate": 3950}, _NARROW),
    System("amrwb-6.6k", "AMR-WB 6.6k", "amr", 6.6, "codec.ffmpeg:AMRWB", {"bit_rate": 6600}),
    System("amrwb-8.85k", "AMR-WB 8.85k", "amr", 8.85, "codec.ffmpeg:AMRWB", {"bit_rate": 8850}),
    System("amrnb-4.75k", "AMR-NB 4.75k", "amr", 4.75, "codec.ffmpeg:AMRNB", {"bit_rate": 4750}, _NARROW),
    System("codec2-2.4k", "Codec 2 2.4k", "codec2", 2.4, "codec.codec2:Codec2", {"mode": 2400}, _NARROW),
    System("codec2-3.2k", "Codec 2 3.2k", "codec2", 3.2, "codec.codec2:Codec2", {"mode": 3200}, _NARROW),
    System(
        "unified-gan-2k", "Unified GAN 2k", "bpgan", 2.0, "codec.bpgan.system:BPGAN",
        {"entropy": "huffman", "channels": (16,)}, "the 2020 codec: same search, Huffman coding",
    ),
    System("bpgan-1k", "BPGAN 1k", "bpgan", 1.0, "codec.bpgan.system:BPGAN", {"channels": (10,)}),
    System("bpgan-2k", "BPGAN 2k", "bpgan", 2.0, "codec.bpgan.system:BPGAN", {"channels": (20, 16)}),
    System(
        "bpgan-2k-plain", "BPGAN 2k, plain", "receiver", 2.0, "codec.bpgan.system:BPGAN",
        {"channels": (20, 16), "like": "bpgan-2k", "postfilter": False, "network": 0.0, "refiner": False},
        "BPGAN 2k bitstream decoded without the GAN (Griffin-Lim only)",
    ),
    System("bpgan-4k", "BPGAN 4k", "bpgan", 4.0, "codec.bpgan.system:BPGAN", {"channels": (40,)}),
)  # fmt: skip


def get_system(slug: str) -> System:
    """Look a system up. Raises `CodecError` naming the known ones if there is no such slug."""
    try:
        return SYSTEMS[slug]
    except KeyError:
        raise CodecError(f"There is no system {slug!r}. Known: {', '.join(SYSTEMS)}.") from None


@cache
def load(slug: str, sample_rate: int = WORKING_RATE) -> Codec:
    """Import and build the codec of a system, one instance per process and sample rate.

    Raises:
        CodecError: no such system.
        CodecUnavailable: its library is missing, or does not work here.
    """
    system = get_system(slug)
    module, _, name = system.target.partition(":")
    try:
        codec: Codec = getattr(import_module(module), name)(slug, sample_rate=sample_rate, **system.options)
    except CodecUnavailable:
        raise
    except (ImportError, OSError) as error:
        raise CodecUnavailable(f"{system.title} is not available here: {error}") from error
    return codec
