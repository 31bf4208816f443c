"""All systems by slug. A codec is imported on first use, so listing the systems costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from codec.base import (
    ANYTHING,
    FULL_BAND,
    OPUS_BAND,
    SPEECH,
    WORKING_RATE,
    Codec,
    CodecError,
    CodecUnavailable,
    Takes,
    gettext_noop,
)


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
        level_db: by how much its speech comes out louder than it went in, below 4 kHz: the codec's own doing,
            which is kept. Studies match loudness.
        takes: what it processes, as its class declares, for those who do not import it.
    """

    slug: str
    title: str
    family: str
    nominal_kbps: float
    target: str
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    level_db: float = 0.0
    takes: Takes = SPEECH

    @property
    def general(self) -> bool:
        """Whether it codes every kind of sound in its full band."""
        return self.takes not in (SPEECH, ANYTHING)

    @property
    def trained(self) -> bool:
        """Whether it is BPGAN, which can run with any model that was trained for it."""
        return self.target == _BPGAN

    @property
    def slow(self) -> bool:
        """Whether it takes its time for a clip: it searches for its bits or runs a vocoder."""
        return self.trained


def _systems(*rows: System) -> dict[str, System]:
    return {row.slug: row for row in rows}


_BPGAN = "codec.bpgan.system:BPGAN"
_NARROW = "narrow-band codec, 8 kHz inside"
_VARIABLE = "variable bit rate"
_LAME = "LAME, constant bit rate"
_FFMPEG_AAC = "ffmpeg's encoder, constant bit rate"

SYSTEMS: dict[str, System] = _systems(
    System(
        "original", "Original", "reference", 256.0, "codec.reference:Original", note="16-bit PCM",
        takes=ANYTHING,
    ),
    System(
        "anchor35", "Anchor 3.5 kHz", "anchor", 256.0, "codec.reference:Anchor", {"cutoff": 3500},
        takes=ANYTHING,
    ),
    System(
        "anchor70", "Anchor 7 kHz", "anchor", 256.0, "codec.reference:Anchor", {"cutoff": 7000},
        takes=ANYTHING,
    ),
    System(
        "opus-6k", "Opus 6k", "opus", 6.0, "codec.ffmpeg:Opus", {"bit_rate": 6000}, _VARIABLE, level_db=-1.2,
    ),
    System(
        "opus-9k", "Opus 9k", "opus", 9.0, "codec.ffmpeg:Opus", {"bit_rate": 9000}, _VARIABLE, level_db=-0.6,
    ),
    System(
        "opus-12k", "Opus 12k", "opus", 12.0,
        "codec.ffmpeg:Opus", {"bit_rate": 12_000}, _VARIABLE, level_db=-0.4,
    ),
    System(
        "celp-8k", "CELP 8k (Speex)", "celp", 8.0,
        "codec.ffmpeg:Speex", {"bit_rate": 8000}, _NARROW, level_db=-0.2,
    ),
    System(
        "celp-4k", "CELP 4k (Speex)", "celp", 3.95,
        "codec.ffmpeg:Speex", {"bit_rate": 3950}, _NARROW, level_db=-1.7,
    ),
    System("amrwb-6.6k", "AMR-WB 6.6k", "amr", 6.6, "codec.ffmpeg:AMRWB", {"bit_rate": 6600}, level_db=-0.7),
    System(
        "amrwb-8.85k", "AMR-WB 8.85k", "amr", 8.85, "codec.ffmpeg:AMRWB", {"bit_rate": 8850}, level_db=-0.8,
    ),
    System(
        "amrnb-4.75k", "AMR-NB 4.75k", "amr", 4.75,
        "codec.ffmpeg:AMRNB", {"bit_rate": 4750}, _NARROW, level_db=-1.0,
    ),
    System(
        "codec2-2.4k", "Codec 2 2.4k", "codec2", 2.4,
        "codec.codec2:Codec2", {"mode": 2400}, _NARROW, level_db=0.3,
    ),
    System(
        "codec2-3.2k", "Codec 2 3.2k", "codec2", 3.2,
        "codec.codec2:Codec2", {"mode": 3200}, _NARROW, level_db=0.7,
    ),
    System(
        "unified-gan-2k", "Unified GAN 2k", "bpgan", 2.0, _BPGAN,
        {"entropy": "huffman", "channels": (16,)}, "the 2020 codec: same search, Huffman coding",
    ),
    System("bpgan-1k", "BPGAN 1k", "bpgan", 1.0, _BPGAN, {"channels": (10,)}),
    System("bpgan-2k", "BPGAN 2k", "bpgan", 2.0, _BPGAN, {"channels": (20, 16)}),
    System(
        "bpgan-2k-plain", "BPGAN 2k, plain", "receiver", 2.0, _BPGAN,
        {"channels": (20, 16), "like": "bpgan-2k", "postfilter": False, "network": 0.0, "refiner": False},
        "BPGAN 2k bitstream decoded without the GAN (Griffin-Lim only)",
    ),
    System("bpgan-4k", "BPGAN 4k", "bpgan", 4.0, _BPGAN, {"channels": (40,)}),
    System(
        "opus-16k", "Opus 16k", "opus-full", 16.0, "codec.general:FullBandOpus", {"bit_rate": 16_000},
        _VARIABLE, takes=OPUS_BAND,
    ),
    System(
        "opus-32k", "Opus 32k", "opus-full", 32.0, "codec.general:FullBandOpus", {"bit_rate": 32_000},
        _VARIABLE, takes=OPUS_BAND,
    ),
    System(
        "opus-64k", "Opus 64k", "opus-full", 64.0, "codec.general:FullBandOpus", {"bit_rate": 64_000},
        _VARIABLE, takes=OPUS_BAND,
    ),
    System(
        "opus-128k", "Opus 128k", "opus-full", 128.0, "codec.general:FullBandOpus", {"bit_rate": 128_000},
        _VARIABLE, takes=OPUS_BAND,
    ),
    System(
        "aac-64k", "AAC-LC 64k", "aac", 64.0, "codec.general:AAC", {"bit_rate": 64_000}, _FFMPEG_AAC,
        takes=FULL_BAND,
    ),
    System(
        "aac-96k", "AAC-LC 96k", "aac", 96.0, "codec.general:AAC", {"bit_rate": 96_000}, _FFMPEG_AAC,
        takes=FULL_BAND,
    ),
    System(
        "aac-128k", "AAC-LC 128k", "aac", 128.0, "codec.general:AAC", {"bit_rate": 128_000}, _FFMPEG_AAC,
        takes=FULL_BAND,
    ),
    System(
        "mp3-64k", "MP3 64k", "mp3", 64.0, "codec.general:MP3", {"bit_rate": 64_000},
        _LAME, level_db=-0.45, takes=FULL_BAND,
    ),
    System(
        "mp3-128k", "MP3 128k", "mp3", 128.0, "codec.general:MP3", {"bit_rate": 128_000},
        _LAME, level_db=-0.45, takes=FULL_BAND,
    ),
    System(
        "vorbis-64k", "Vorbis 64k", "vorbis", 64.0, "codec.general:Vorbis", {"bit_rate": 64_000},
        _VARIABLE, takes=FULL_BAND,
    ),
    System(
        "vorbis-128k", "Vorbis 128k", "vorbis", 128.0, "codec.general:Vorbis", {"bit_rate": 128_000},
        _VARIABLE, takes=FULL_BAND,
    ),
)  # fmt: skip


def get_system(slug: str) -> System:
    """Look a system up. Raises `CodecError` naming the known ones if there is no such slug."""
    try:
        return SYSTEMS[slug]
    except KeyError:
        raise CodecError(
            gettext_noop("There is no system %(slug)r. Known: %(known)s."),
            slug=slug,
            known=", ".join(SYSTEMS),
        ) from None


def systems_for(rate: int, channels: int, *, speech: bool) -> list[str]:
    """The systems that a clip is put through: those for every kind of sound only where they can matter.

    Args:
        rate: of the clip, Hz.
        channels: of the clip.
        speech: whether it is speech. In mono at 16 kHz, speech systems are what there is to compare.
    """
    all_kinds = rate > WORKING_RATE or channels > 1 or not speech
    return [slug for slug, system in SYSTEMS.items() if all_kinds or not system.general]


@cache
def load(slug: str, sample_rate: int = WORKING_RATE, model: Path | None = None) -> Codec:
    """Import and build the codec of a system, one instance per process, sample rate and model.

    `model` is the file of another BPGAN model (.safetensors) than the one installed.

    Raises:
        CodecError: no such system, it has no model, or the file is not a model.
        CodecUnavailable: its library is missing, or does not work here.
    """
    system = get_system(slug)
    options = dict(system.options)
    if model is not None:
        if not system.trained:
            raise CodecError(
                gettext_noop("%(system)s has no model that could be another."), system=system.title
            )
        options["model"] = model
    module, _, name = system.target.partition(":")
    try:
        codec: Codec = getattr(import_module(module), name)(slug, sample_rate=sample_rate, **options)
    except CodecUnavailable:
        raise
    except (ImportError, OSError) as error:
        raise CodecUnavailable(
            gettext_noop("%(system)s is not available here: %(error)s"), system=system.title, error=error
        ) from error
    return codec
