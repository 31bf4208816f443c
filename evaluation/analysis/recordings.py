"""What a recording was, in words for people."""

from __future__ import annotations

#: libsndfile's names of encodings that are words of its own.
_ENCODINGS = {
    "PCM_S8": "8-bit",
    "PCM_U8": "8-bit",
    "PCM_16": "16-bit",
    "PCM_24": "24-bit",
    "PCM_32": "32-bit",
    "FLOAT": "32-bit float",
    "DOUBLE": "64-bit float",
    "ULAW": "µ-law",
    "ALAW": "A-law",
}


def encoding_words(source: str) -> str:
    """The container and encoding of an upload (`Clip.source_format`), such as ``WAV, PCM_16``, in words."""
    return ", ".join(_ENCODINGS.get(part, part) for part in source.split(", "))


def kilohertz(rate: int) -> str:
    """A sampling rate in Hz as people say it: 44.1 kHz."""
    return f"{rate / 1000:g} kHz"


def describe_source(encoding: str, rate: int, channels: int) -> str:
    """What was uploaded: “WAV, 16-bit, 16 kHz, mono”; `encoding` as in `encoding_words`."""
    heard = "mono" if channels == 1 else f"{channels} channels"
    return f"{encoding_words(encoding)}, {kilohertz(rate)}, {heard}"
