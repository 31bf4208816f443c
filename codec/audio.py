"""Files and samples: recordings as systems take them, resampling, and writing WAV."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from codec.base import WORKING_RATE, Audio, AudioError, Note, channels_of, fit_length, gettext_noop
from codec.recordings import Reading
from codec.recordings.measuring import INTEGER_SCALES

# Below one step of 16-bit PCM nothing is left of a signal.
_SILENCE = 1 / 32768
SILENT = gettext_noop("the recording is silent")
# With a smaller share of samples at full scale a recording has a loud peak, but no audible clipping.
_CLIPPING_SHARE = 0.001
# Beyond this a sample is limited before anything is computed with it: no integer scale is as large.
_HUGE = 2.0**33
# Samples written at a time.
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Recording:
    """A recording as read from a file.

    Attributes:
        audio: float32 in [-1, 1], without offset: (samples,) in mono, or (samples, channels).
        rate: of `audio`, in Hz.
        channels: of the file.
        source_rate: of the file, in Hz.
        format: of the file, container and encoding, e.g. ``WAV, PCM_16``.
        seconds: length of the file.
        notes: what was done to it and what a listener should know, for readers.
        clipped: share of samples at full scale in the channel that has most of them.
        faults: those of the notes that are about what is wrong with the file.
    """

    audio: Audio
    rate: int
    channels: int
    source_rate: int
    format: str
    seconds: float
    notes: tuple[Note, ...]
    clipped: float = 0.0
    faults: tuple[Note, ...] = ()


def read_audio(
    path: str | Path,
    *,
    rate: int = WORKING_RATE,
    max_seconds: float | None = None,
    min_seconds: float = 0.0,
) -> Recording:
    """Read a recording as mono at `rate` Hz.

    Channels are mixed down by their mean, which keeps a signal that is the same in all channels
    at its level and cannot clip. An offset is removed. Files are decoded block by block, so memory is bounded
    by `max_seconds` and not by what a header declares or a compressed file expands to. Silent and
    clipped recordings are valid and get a note, and so does everything in the file that is not as its headers
    claim.

    Args:
        path: a file of any of the formats in `codec.recordings.formats`, whatever its name ends in.
        rate: wanted sample rate in Hz.
        max_seconds: refuse longer recordings; None takes any length.
        min_seconds: refuse shorter recordings.

    Raises:
        AudioError: with the reason, for anything that is not a finite recording of allowed length.
    """
    return _read(path, rate, max_seconds, min_seconds)


def read_recording(
    path: str | Path, *, max_seconds: float | None = None, min_seconds: float = 0.0
) -> Recording:
    """Read a recording with its own rate and channels: `audio` of shape (samples, channels).

    Arguments and errors as in `read_audio`; each channel's offset is removed.
    """
    return _read(path, None, max_seconds, min_seconds)


def _read(path: str | Path, rate: int | None, max_seconds: float | None, min_seconds: float) -> Recording:
    reading = Reading(path, max_seconds=max_seconds, min_seconds=min_seconds)
    kept: _Kept | None = None
    for block in reading:
        if kept is None:
            kept = _Kept(reading.rate, reading.channels, rate)
        kept.add(block)
    assert kept is not None  # noqa: S101 -- else there was an error
    measured = reading.measured
    offsets = np.array(measured.offsets)
    if rate is not None:
        offsets = offsets.mean(keepdims=True)
    audio = kept.finish(measured.scale, offsets)
    if not len(audio):
        raise AudioError(gettext_noop("The recording is shorter than one sample at %(rate)s Hz."), rate=rate)
    faults = list(reading.notes)
    if worst := max(map(abs, offsets), default=0.0):
        faults.append(
            Note(
                gettext_noop("an offset of %(share)s of full scale was removed"), share=_percent(float(worst))
            )
        )
    notes = []
    if reading.channels > 1 and rate is not None:
        notes.append(mixed_note(reading.channels))
    if above := kept.above(measured.scale):
        notes.append(
            Note(
                gettext_noop("%(share)s of samples above full scale were cut to it"),
                share=_percent(above / measured.count),
            )
        )
    notes += _clipping(measured.clipped)
    if is_silent(audio):
        notes.append(Note(SILENT))
    if rate not in (None, reading.rate):
        notes.append(resampled_note(reading.rate))
    return Recording(
        audio,
        rate or reading.rate,
        reading.channels,
        reading.rate,
        reading.format,
        reading.seconds,
        (*faults, *notes),
        max(measured.clipped, default=0.0),
        tuple(faults),
    )


def is_silent(audio: Audio) -> bool:
    """Whether nothing is left of `audio` in 16 bits."""
    return float(np.abs(audio).max()) < _SILENCE


def mixed_note(channels: int) -> Note:
    """What to say of channels that became one."""
    return Note(gettext_noop("%(channels)s channels mixed to mono (mean)"), channels=channels)


def resampled_note(rate: int) -> Note:
    """What to say of a recording that had another rate, Hz."""
    return Note(gettext_noop("resampled from %(rate)s Hz"), rate=rate)


def _clipping(shares: list[float]) -> list[Note]:
    """What to say of samples at full scale, by channel."""
    clipped = [(number, share) for number, share in enumerate(shares, 1) if share >= _CLIPPING_SHARE]
    if not clipped:
        return []
    if len(clipped) == len(shares):
        share = sum(shares) / len(shares)
        return [Note(gettext_noop("clipping: %(share)s of samples at full scale"), share=_percent(share))]
    return [
        Note(
            gettext_noop("clipping: %(share)s of samples of channel %(channel)s at full scale"),
            share=_percent(share),
            channel=number,
        )
        for number, share in clipped
    ]


class _Kept:
    """What is kept of a recording as it is read: the mean of its channels at a rate, or all as they are.

    Of an hour only the resampled hour is in memory, once.
    """

    def __init__(self, source_rate: int, channels: int, rate: int | None) -> None:
        self._source_rate, self._rate = source_rate, rate or source_rate
        self._whole = rate is None
        self._channels = channels if self._whole else 1
        self._count = 0
        self._above = dict.fromkeys((1, *INTEGER_SCALES), 0)
        self._resampler = (
            None
            if source_rate == self._rate
            else soxr.ResampleStream(source_rate, self._rate, 1, dtype="float32", quality="HQ")
        )
        self._samples = bytearray()

    def add(self, block: NDArray[np.float32]) -> None:
        if self._channels < block.shape[1]:
            # The mean in float64: the sum of huge float samples would overflow float32.
            block = block.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        self._count += len(block)
        magnitude = np.abs(block).max(axis=1)
        if magnitude.max(initial=0.0) > 1.0:
            for scale in self._above:
                self._above[scale] += int(np.count_nonzero(magnitude > scale))
        self._keep(np.clip(block, -_HUGE, _HUGE), last=False)

    def above(self, scale: int) -> int:
        """How many samples, before resampling, are above full scale."""
        return self._above[scale]

    def finish(self, scale: int, offsets: NDArray[np.float64]) -> Audio:
        """The whole recording, float32 in [-1, 1], divided by `scale` and without `offsets`, by channel."""
        self._keep(np.zeros((0, self._channels), dtype=np.float32), last=True)
        audio = np.frombuffer(self._samples, dtype=np.float32).reshape(-1, self._channels)
        if scale != 1:
            audio /= np.float32(scale)
        if offsets.any():
            audio -= offsets.astype(np.float32)
        np.clip(audio, -1.0, 1.0, out=audio)
        return (
            audio
            if self._whole
            else fit_length(audio[:, 0], round(self._count * self._rate / self._source_rate))
        )

    def _keep(self, block: NDArray[np.float32], last: bool) -> None:
        if self._resampler is not None:
            block = self._resampler.resample_chunk(block[:, 0], last=last)
        # A bytearray grows in place where the system lets it; a list of blocks would be there twice.
        self._samples += np.ascontiguousarray(block).data


def resample(audio: Audio, source_rate: int, rate: int) -> Audio:
    """Resample `audio`, (samples,) or (samples, channels), from `source_rate` to `rate` Hz, without delay.

    Returns:
        float32 with round(samples * rate / source_rate) samples and the same channels.
    """
    if source_rate == rate:
        return audio
    length = resampled_length(len(audio), source_rate, rate)
    converted = soxr.resample(np.asarray(audio, dtype=np.float32), source_rate, rate, quality="HQ")
    return fit_length(np.asarray(converted, dtype=np.float32), length)


def resampled_length(samples: int, source_rate: int, rate: int) -> int:
    """How many samples at `rate` Hz `resample` makes of `samples` at `source_rate` Hz."""
    return round(samples * rate / source_rate)


def advance(audio: Audio, samples: float) -> Audio:
    """Make `audio` (samples,) earlier by a fraction of a sample, or later if `samples` is negative.

    A windowed sinc of 65 taps: linear phase, flat to 0.01 dB up to nine tenths of the band. The length stays;
    beyond the ends there is silence.
    """
    if not samples:
        return audio
    place = np.arange(-32, 33) + samples
    window = np.i0(8.0 * np.sqrt(np.maximum(0.0, 1 - (place / 33) ** 2))) / np.i0(8.0)  # Kaiser's
    taps = np.sinc(place) * window
    return np.convolve(audio.astype(np.float64), taps / taps.sum())[32 : 32 + audio.size].astype(np.float32)


def to_pcm16(audio: Audio) -> NDArray[np.int16]:
    """Round `audio` in [-1, 1] to 16-bit PCM; full scale is 32768, and +1 becomes 32767."""
    pcm = np.empty(np.shape(audio), dtype=np.int16)
    for start in range(0, len(pcm), _BLOCK):  # of ten minutes in stereo float64 would be half a gigabyte
        scaled = np.rint(np.asarray(audio[start : start + _BLOCK], dtype=np.float64) * 32768)
        pcm[start : start + _BLOCK] = np.clip(scaled, -32768, 32767)
    return pcm


def wav_of(pcm: NDArray[np.integer[Any]], rate: int) -> bytes:
    """The WAV file of 16-bit samples, (samples,) or (samples, channels), at `rate` Hz: 44 bytes of header."""
    channels = 1 if pcm.ndim == 1 else pcm.shape[1]
    samples = pcm.astype("<i2").tobytes()
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + len(samples), b"WAVE",
        b"fmt ", 16, 1, channels, rate, 2 * channels * rate, 2 * channels, 16,
        b"data", len(samples),
    )  # fmt: skip
    return header + samples


def from_pcm16(pcm: NDArray[np.int16]) -> Audio:
    """The inverse of `to_pcm16`: exact for every 16-bit value."""
    audio = pcm.astype(np.float32)
    audio /= np.float32(32768)
    return audio


def write_wav(path: str | Path | BinaryIO, audio: Audio, rate: int, subtype: str = "PCM_16") -> None:
    """Write `audio`, (samples,) or (samples, channels), at `rate` Hz as WAV.

    Samples are rounded to the nearest step and limited to the range of `subtype` (``PCM_16``,
    ``PCM_24`` or ``FLOAT``): they never wrap around.

    Raises:
        AudioError: if the subtype is another one, or the file cannot be written.
    """
    if subtype not in _CONVERSIONS:
        raise AudioError(
            gettext_noop("WAV files are written as PCM_16, PCM_24 or FLOAT, not as %(subtype)s."),
            subtype=subtype,
        )
    try:
        if isinstance(path, str | Path):
            with Path(path).open("wb") as file:
                _write(file, audio, rate, subtype)
        else:
            _write(path, audio, rate, subtype)
    except sf.LibsndfileError as error:
        raise AudioError(
            gettext_noop("The WAV file cannot be written: %(error_string)s"), error_string=error.error_string
        ) from error
    except OSError as error:
        raise AudioError(
            gettext_noop("The WAV file cannot be written: %(strerror)s."), strerror=error.strerror or error
        ) from error


def _write(file: BinaryIO, audio: Audio, rate: int, subtype: str) -> None:
    with sf.SoundFile(file, "w", rate, channels_of(audio), subtype, format="WAV") as sound:
        for start in range(0, len(audio), _BLOCK):
            sound.write(_CONVERSIONS[subtype](audio[start : start + _BLOCK]))


def _to_pcm24(audio: Audio) -> NDArray[np.int32]:
    # libsndfile takes the upper 24 bits of 32.
    scaled = np.rint(np.asarray(audio, dtype=np.float64) * 2**23)
    return np.clip(scaled, -(2**23), 2**23 - 1).astype(np.int32) << 8


_CONVERSIONS: dict[str, Callable[[Audio], NDArray[np.generic]]] = {
    "PCM_16": to_pcm16,
    "PCM_24": _to_pcm24,
    "FLOAT": lambda audio: np.asarray(audio, dtype=np.float32),
}


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


__all__ = [
    "AudioError", "Recording", "from_pcm16", "mixed_note", "read_audio", "read_recording", "resample",
    "resampled_note", "to_pcm16", "wav_of", "write_wav",
]  # fmt: skip
