"""The interface of every system: float32 mono in, bits, float32 mono out.

The output has the length of the input and is aligned with it in time, by the codec's known, constant delay.
Delay is never estimated per clip by correlation: low-passed speech and vocoders without phase would mislead
it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]

#: Callback for progress: (samples done, samples in all).
Progress = Callable[[int, int], None]

#: The rate at which Earshot compares systems, in Hz: wide-band speech, as in the paper.
WORKING_RATE = 16_000


def gettext_noop(text: str) -> str:
    """Mark a message for translation. Nothing is translated here: whoever shows it does that."""
    return text


class CodecError(Exception):
    """Audio or a bitstream that a system cannot take; the message is for its user.

    Args:
        text: in English, with a place such as ``%(name)s`` for every value. Whoever shows it in another
            language translates it first and puts the values in then.
        values: for the places, by name.
    """

    def __init__(self, text: str = "", **values: object) -> None:
        super().__init__(text % values if values else text)
        self.text = text
        self.values = values


class CodecUnavailable(CodecError):
    """A system whose library is missing here; the message says which and what to install."""


@dataclass(frozen=True)
class Encoded:
    """What a sender hands to a receiver.

    Attributes:
        system: slug of the system that wrote it.
        payload: every byte the decoder needs, with whatever framing the decoder wants.
        payload_bits: the bits a receiver needs, counted without container or framing; the bit rate is
            computed from these, not from ``len(payload)``.
        sample_rate: of the input and of the decoded output, in Hz.
        num_samples: length of the input and of the decoded output.
        parameters: the exact settings and library versions used, JSON-serialisable.
    """

    system: str
    payload: bytes
    payload_bits: int
    sample_rate: int
    num_samples: int
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.num_samples / self.sample_rate

    @property
    def kbps(self) -> float:
        """Measured bit rate in kbit/s (1 kbit = 1000 bit)."""
        return self.payload_bits * self.sample_rate / self.num_samples / 1000


class Codec(ABC):
    """A system: a way to turn audio into bits and back.

    A subclass implements `_encode` and `_decode`; input checks and lengths are taken care of here.
    """

    def __init__(self, slug: str, sample_rate: int = WORKING_RATE) -> None:
        self.slug = slug
        #: Rate of the audio that `encode` takes and `decode` returns, in Hz. A narrow-band codec
        #: resamples inside.
        self.sample_rate = sample_rate

    @abstractmethod
    def _encode(self, audio: Audio) -> tuple[bytes, int, dict[str, Any]]:
        """Return payload, payload bits and parameters for `audio` (samples,)."""

    @abstractmethod
    def _decode(self, encoded: Encoded) -> Audio:
        """Return delay-compensated audio at `encoded.sample_rate`; `decode` fits the length."""

    def _encode_with(self, audio: Audio, progress: Progress) -> tuple[bytes, int, dict[str, Any]]:
        """`_encode` for codecs that take long enough to report progress."""
        return self._encode(audio)

    def _decode_with(self, encoded: Encoded, progress: Progress) -> Audio:
        """`_decode` likewise."""
        return self._decode(encoded)

    def limit_rate(self, max_kbps: float) -> Codec:
        """The same system, no file of which has more than `max_kbps` kbit/s, headers included.

        Raises:
            CodecError: it has no way to keep such a limit.
        """
        raise CodecError(f"{self.slug} has no way to keep each file below a bit rate.")

    def encode(self, audio: Audio, progress: Progress | None = None) -> Encoded:
        """Encode `audio`, float32 of shape (samples,) in [-1, 1] at `self.sample_rate`.

        Raises:
            CodecError: if it is empty, not mono, or has NaN or infinite samples.
        """
        audio = self.check_audio(audio)
        payload, bits, parameters = self._encode_with(audio, progress or no_progress)
        return Encoded(self.slug, payload, bits, self.sample_rate, audio.size, parameters)

    @staticmethod
    def check_audio(audio: Audio) -> Audio:
        """`audio` as `_encode` gets it: float32, limited to [-1, 1]. Raises `CodecError` as `encode` does."""
        audio = np.asarray(audio, dtype=np.float32)
        if audio.ndim != 1:
            raise CodecError(
                gettext_noop("Expected mono audio of shape (samples,), got %(shape)s."), shape=audio.shape
            )
        if audio.size == 0:
            raise CodecError(gettext_noop("The audio is empty."))
        lowest, highest = _extremes(
            audio, "The audio has samples that are not finite numbers (NaN or infinity)."
        )
        return np.clip(audio, -1.0, 1.0) if lowest < -1.0 or highest > 1.0 else audio

    def decode(self, encoded: Encoded, progress: Progress | None = None) -> Audio:
        """Decode to float32 of shape (`encoded.num_samples`,) in [-1, 1] at `encoded.sample_rate`.

        Raises:
            CodecError: if the payload was not written by this system, is damaged, or asks
                for more than its size can justify.
        """
        if encoded.system != self.slug:
            raise CodecError(
                gettext_noop("This bitstream was written by %(system)r, not by %(slug)r."),
                system=encoded.system,
                slug=self.slug,
            )
        audio = np.asarray(self._decode_with(encoded, progress or no_progress), dtype=np.float32)
        lowest, highest = _extremes(
            audio, "The bitstream decodes to samples that are not finite numbers: it is damaged."
        )
        if lowest < -1.0 or highest > 1.0:
            audio = np.clip(audio, -1.0, 1.0)
        return fit_length(audio, encoded.num_samples)


def no_progress(done: int, total: int) -> None:
    """A `Progress` that does nothing."""


def _extremes(audio: Audio, not_finite: str) -> tuple[float, float]:
    """Lowest and highest sample, without a copy as long as the audio; `CodecError` if any is not finite."""
    lowest, highest = float(audio.min(initial=0.0)), float(audio.max(initial=0.0))
    if not (np.isfinite(lowest) and np.isfinite(highest)):  # NaN wins every comparison
        raise CodecError(not_finite)
    return lowest, highest


def fit_length(audio: Audio, num_samples: int) -> Audio:
    """Cut `audio` (samples,) to `num_samples`, or pad it there with zeros."""
    if audio.size >= num_samples:
        return audio[:num_samples]
    return np.pad(audio, (0, num_samples - audio.size))
