"""The interface of every system: float32 in, bits, float32 out, mono or stereo.

The output has the length of the input and is aligned with it in time, by the codec's known, constant delay.
Delay is never estimated per clip by correlation: low-passed speech and vocoders without phase would mislead
it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]

#: Callback for progress: (samples done, samples in all).
Progress = Callable[[int, int], None]

#: A message as `gettext_noop` marks it.
Text: TypeAlias = str

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
#: Settings and library versions by name, as people read them in reports.
Parameters = Mapping[str, Json]

#: The rate of wide-band speech, in Hz: what speech systems process, as in the paper.
WORKING_RATE = 16_000
#: The channels that a clip, a study and a system can have: mono or stereo.
MAX_CHANNELS = 2


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


class AudioError(CodecError):
    """A file that is no usable recording; the message is for the person who chose it."""


class Note(str):
    """A remark for people, in English, which remembers what it was made of.

    Whoever shows it in another language translates `text` first and puts the values in then, as with
    `CodecError`.
    """

    __slots__ = ("text", "values")
    text: str
    values: Mapping[str, object]

    def __new__(cls, text: str, **values: object) -> Note:
        note = super().__new__(cls, text % values if values else text)
        note.text, note.values = text, values
        return note


class CodecUnavailable(CodecError):
    """A system whose library is missing here; the message says which and what to install."""


@dataclass(frozen=True)
class Takes:
    """The audio that a system can process; anything else is converted before it gets there.

    Attributes:
        rates: sample rates in Hz, the best one last; empty if it takes every rate.
        channels: the most channels.
    """

    rates: tuple[int, ...] = (WORKING_RATE,)
    channels: int = 1

    def fit(self, rate: int, channels: int) -> tuple[int, int]:
        """Rate and channels at which the system processes a recording of `rate` Hz and `channels`."""
        if not self.rates or rate in self.rates:
            return rate, min(channels, self.channels)
        return self.rates[-1], min(channels, self.channels)


#: Wide-band speech: mono at 16 kHz. Narrow-band codecs resample inside and say so.
SPEECH = Takes()
#: The full band, in mono or stereo, as codecs for every kind of sound take it; Opus only at 48 kHz.
FULL_BAND = Takes(rates=(44_100, 48_000), channels=MAX_CHANNELS)
OPUS_BAND = Takes(rates=(48_000,), channels=MAX_CHANNELS)
#: Every recording as it is.
ANYTHING = Takes(rates=(), channels=MAX_CHANNELS)


@dataclass(frozen=True)
class Encoded:
    """What a sender hands to a receiver.

    Attributes:
        system: slug of the system that wrote it.
        payload: every byte the decoder needs, with whatever framing the decoder wants.
        payload_bits: the bits a receiver needs, counted without container or framing; the bit rate is
            computed from these, not from ``len(payload)``.
        sample_rate: of the input and of the decoded output, in Hz.
        num_samples: length of the input and of the decoded output, in samples of a channel.
        parameters: the exact settings and library versions used.
        channels: of the input and of the decoded output.
    """

    system: str
    payload: bytes
    payload_bits: int
    sample_rate: int
    num_samples: int
    parameters: Parameters = field(default_factory=dict)
    channels: int = 1

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

    Class attributes:
        takes: what it processes: mono speech at 16 kHz unless it says otherwise.
    """

    takes: ClassVar[Takes] = SPEECH

    def __init__(self, slug: str, sample_rate: int = WORKING_RATE) -> None:
        self.slug = slug
        #: Rate of the audio that `encode` takes and `decode` returns, in Hz. A narrow-band codec
        #: resamples inside.
        self.sample_rate = sample_rate

    @abstractmethod
    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        """Return payload, payload bits and parameters for `audio`, (samples,) or (samples, channels)."""

    @abstractmethod
    def _decode(self, encoded: Encoded) -> Audio:
        """Return delay-compensated audio at `encoded.sample_rate`; `decode` fits the length."""

    def _encode_with(self, audio: Audio, progress: Progress) -> tuple[bytes, int, Parameters]:
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
        raise CodecError(
            gettext_noop("%(system)s has no way to keep each file below a bit rate."), system=self.slug
        )

    def hasten(self) -> Codec:
        """The same system with the least effort of its encoder, for people who wait; most have but one."""
        return self

    def encode(self, audio: Audio, progress: Progress | None = None) -> Encoded:
        """Encode `audio`, float32 in [-1, 1] at `self.sample_rate`.

        Args:
            audio: of shape (samples,), or (samples, channels) if the system takes as many.

        Raises:
            CodecError: if it is empty, has more channels than the system takes, or has NaN or infinite
                samples.
        """
        audio = self.check_audio(audio)
        payload, bits, parameters = self._encode_with(audio, progress or no_progress)
        channels = channels_of(audio)
        return Encoded(self.slug, payload, bits, self.sample_rate, len(audio), parameters, channels)

    @classmethod
    def check_audio(cls, audio: Audio) -> Audio:
        """`audio` as `_encode` gets it: float32, limited to [-1, 1]. Raises `CodecError` as `encode` does."""
        audio = np.asarray(audio, dtype=np.float32)
        if cls.takes.channels == 1 and audio.ndim != 1:
            raise CodecError(
                gettext_noop("Expected mono audio of shape (samples,), got %(shape)s."), shape=audio.shape
            )
        if audio.ndim != 1 and (audio.ndim != 2 or not 2 <= audio.shape[1] <= cls.takes.channels):
            raise CodecError(
                gettext_noop("Expected audio of shape (samples,) or (samples, 2), got %(shape)s."),
                shape=audio.shape,
            )
        if audio.size == 0:
            raise CodecError(gettext_noop("The audio is empty."))
        lowest, highest = _extremes(
            audio, gettext_noop("The audio has samples that are not finite numbers (NaN or infinity).")
        )
        return np.clip(audio, -1.0, 1.0) if lowest < -1.0 or highest > 1.0 else audio

    def decode(self, encoded: Encoded, progress: Progress | None = None) -> Audio:
        """Decode to float32 in [-1, 1] at `encoded.sample_rate`.

        Returns:
            audio of shape (`encoded.num_samples`,), or (`encoded.num_samples`, channels) of several.

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
        if encoded.channels > self.takes.channels:
            raise CodecError(
                gettext_noop("The bitstream states %(channels)s channels; %(slug)s has %(most)s."),
                channels=encoded.channels,
                slug=self.slug,
                most=self.takes.channels,
            )
        audio = np.asarray(self._decode_with(encoded, progress or no_progress), dtype=np.float32)
        lowest, highest = _extremes(
            audio,
            gettext_noop("The bitstream decodes to samples that are not finite numbers: it is damaged."),
        )
        if lowest < -1.0 or highest > 1.0:
            audio = np.clip(audio, -1.0, 1.0)
        return fit_length(audio, encoded.num_samples)


def no_progress(done: int, total: int) -> None:
    """A `Progress` that does nothing."""


def _extremes(audio: Audio, not_finite: Text) -> tuple[float, float]:
    """Lowest and highest sample, without a copy as long as the audio; `CodecError` if any is not finite."""
    lowest, highest = float(audio.min(initial=0.0)), float(audio.max(initial=0.0))
    if not (np.isfinite(lowest) and np.isfinite(highest)):  # NaN wins every comparison
        raise CodecError(not_finite)
    return lowest, highest


def in_words(rate: int, channels: int) -> str:
    """What a recording has, for readers: ``stereo at 44.1 kHz``."""
    return f"{'mono' if channels == 1 else 'stereo'} at {rate / 1000:g} kHz"


def channels_of(audio: Audio) -> int:
    """The channels of `audio`, (samples,) or (samples, channels)."""
    return 1 if audio.ndim == 1 else int(audio.shape[1])


def fit_length(audio: Audio, num_samples: int) -> Audio:
    """Cut `audio`, (samples,) or (samples, channels), to `num_samples`, or pad it there with zeros."""
    if len(audio) >= num_samples:
        return audio[:num_samples]
    return np.pad(audio, [(0, num_samples - len(audio)), *[(0, 0)] * (audio.ndim - 1)])
