"""Files and samples: reading the recordings that people bring, resampling, and writing WAV."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from codec.base import WORKING_RATE, Audio, CodecError, fit_length, gettext_noop

#: What libsndfile may parse here: formats people record speech in. Its other parsers (Matlab files,
#: sampler formats) are attack surface that no listener needs.
FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "NIST")

MIN_RATE, MAX_RATE = 4_000, 384_000
MAX_CHANNELS = 64

# Samples (frames x channels) decoded at a time, which bounds memory whatever a header declares.
_BLOCK = 1 << 18
# Largest positive 16-bit sample: at or above this a recording is at full scale.
_FULL_SCALE = 32767 / 32768
# Below one step of 16-bit PCM nothing is left of a signal.
_SILENCE = 1 / 32768
# With a smaller share of samples at full scale a recording has a loud peak, but no audible clipping.
_CLIPPING_SHARE = 0.001
# libsndfile's count of frames if the header does not state it.
_UNKNOWN_FRAMES = 2**62


class AudioError(CodecError):
    """A file that is no usable recording; the message is for the person who chose it."""


@dataclass(frozen=True)
class Recording:
    """A recording as read from a file.

    Attributes:
        audio: mono float32 of shape (samples,) in [-1, 1].
        rate: of `audio`, in Hz.
        channels: of the file.
        source_rate: of the file, in Hz.
        format: of the file, as libsndfile names it, e.g. ``WAV, PCM_16``.
        seconds: length of the file.
        notes: what was done to it and what a listener should know, for readers.
    """

    audio: Audio
    rate: int
    channels: int
    source_rate: int
    format: str
    seconds: float
    notes: tuple[str, ...]


def read_audio(
    path: str | Path,
    *,
    rate: int = WORKING_RATE,
    max_seconds: float | None = None,
    min_seconds: float = 0.0,
) -> Recording:
    """Read a recording as mono at `rate` Hz.

    Channels are mixed down by their mean, which keeps a signal that is the same in all channels
    at its level and cannot clip. Files are decoded block by block, so memory is bounded by
    `max_seconds` and not by what a header declares or a compressed file expands to. Silent and
    clipped recordings are valid and get a note.

    Args:
        path: WAV, FLAC, Ogg, MP3, AIFF, AU, CAF or NIST SPHERE, whatever its name ends in.
        rate: wanted sample rate in Hz.
        max_seconds: refuse longer recordings; None takes any length.
        min_seconds: refuse shorter recordings.

    Raises:
        AudioError: with the reason, for anything that is not a complete, finite recording of
            allowed length.
    """
    path = Path(path)
    try:
        # Unbuffered, as libsndfile reads the same descriptor. It is not given the name: that would
        # make it believe in suffixes.
        with path.open("rb", buffering=0) as file:
            nist_frames = _check_head(file)
            try:
                with sf.SoundFile(file.fileno(), closefd=False) as sound:
                    mono = _Mono(sound.samplerate, rate)
                    breaks_off = _read_mono(sound, max_seconds, mono)
                    source_rate, channels = sound.samplerate, sound.channels
                    kind, subtype = sound.format, sound.subtype
            except (sf.LibsndfileError, TypeError) as error:
                raise _unreadable(error) from error
            if mono.count < nist_frames or (kind == "OGG" and not _ogg_is_complete(file)):
                breaks_off = breaks_off or mono.count / source_rate
    except OSError as error:
        raise AudioError(
            gettext_noop("The file cannot be read: %(strerror)s."), strerror=error.strerror or error
        ) from error

    if mono.count == 0 and not breaks_off:
        raise AudioError(gettext_noop("The file holds no audio."))
    if breaks_off is not None:
        raise AudioError(
            gettext_noop("The recording breaks off at %(breaks_off).2f s: the file is truncated or damaged."),
            breaks_off=breaks_off,
        )
    seconds = mono.count / source_rate
    if seconds < min_seconds:
        raise AudioError(
            gettext_noop("%(seconds).2f s is shorter than the %(min_seconds)g s that can be measured."),
            seconds=seconds,
            min_seconds=min_seconds,
        )

    notes = []
    if channels > 1:
        notes.append(f"{channels} channels mixed to mono (mean)")
    if mono.above:
        notes.append(f"{_percent(mono.above / mono.count)} of samples above full scale were cut to it")
    full = mono.full / mono.count
    if full >= _CLIPPING_SHARE:
        notes.append(f"clipping: {_percent(full)} of samples at full scale")
    if mono.peak < _SILENCE:
        notes.append("the recording is silent")
    if source_rate != rate:
        notes.append(f"resampled from {source_rate} Hz")
    audio = mono.finish()
    if audio.size == 0:
        raise AudioError(gettext_noop("The recording is shorter than one sample at %(rate)s Hz."), rate=rate)
    return Recording(audio, rate, channels, source_rate, f"{kind}, {subtype}", seconds, tuple(notes))


def resample(audio: Audio, source_rate: int, rate: int) -> Audio:
    """Resample `audio` (samples,) from `source_rate` to `rate` Hz, without delay.

    Returns:
        float32 of shape (round(samples * rate / source_rate),).
    """
    if source_rate == rate:
        return audio
    length = round(audio.size * rate / source_rate)
    converted = soxr.resample(np.asarray(audio, dtype=np.float32), source_rate, rate, quality="HQ")
    return fit_length(np.asarray(converted, dtype=np.float32), length)


def to_pcm16(audio: Audio) -> NDArray[np.int16]:
    """Round `audio` in [-1, 1] to 16-bit PCM; full scale is 32768, and +1 becomes 32767."""
    scaled = np.rint(np.asarray(audio, dtype=np.float64) * 32768)
    return np.clip(scaled, -32768, 32767).astype(np.int16)


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
    return (pcm.astype(np.float32) / np.float32(32768)).astype(np.float32)


def write_wav(path: str | Path | BinaryIO, audio: Audio, rate: int, subtype: str = "PCM_16") -> None:
    """Write mono `audio` (samples,) at `rate` Hz as WAV.

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
    with sf.SoundFile(file, "w", rate, 1, subtype, format="WAV") as sound:
        for start in range(0, audio.size, _BLOCK):
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


def _check_head(file: BinaryIO) -> int:
    """Refuse what libsndfile would refuse with a mere error code; leaves `file` at its start.

    Returns:
        the number of samples per channel that a NIST header states, which libsndfile ignores; else 0.
    """
    head = file.read(1024)
    file.seek(0)
    if not head:
        raise AudioError(gettext_noop("The file is empty."))
    if head.startswith(b"NIST_1A"):
        if b"shorten" in head:
            raise AudioError(
                gettext_noop(
                    "This NIST SPHERE file is compressed with shorten, which cannot be read here. Expand "
                    "it first: `w_decode -o pcm in.wav out.wav` or `sph2pipe -f wav in.wav out.wav`."
                )
            )
        match = re.search(rb"^sample_count -i (\d{1,18})\s", head, flags=re.MULTILINE)
        return int(match[1]) if match else 0
    if b"\0" not in head:
        try:
            head.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start < len(head) - 4:  # else only a character that the end of the block cuts
                return 0
        raise AudioError(gettext_noop("This is a text file, not a recording."))
    return 0


class _Mono:
    """A recording as it is read: measured, limited to full scale and resampled, block by block.

    Of an hour only the resampled hour is in memory, once.
    """

    def __init__(self, source_rate: int, rate: int) -> None:
        self.count = self.above = self.full = 0
        self.peak = 0.0
        self._source_rate, self._rate = source_rate, rate
        self._resampler = (
            None
            if source_rate == rate
            else soxr.ResampleStream(source_rate, rate, 1, dtype="float32", quality="HQ")
        )
        self._samples = bytearray()

    def add(self, block: NDArray[np.float32]) -> None:
        magnitude = np.abs(block)
        self.count += block.size
        self.above += int(np.count_nonzero(magnitude > 1.0))
        self.full += int(np.count_nonzero(magnitude >= _FULL_SCALE))
        self.peak = max(self.peak, float(magnitude.max(initial=0.0)))
        self._keep(np.clip(block, -1.0, 1.0), last=False)

    def finish(self) -> Audio:
        """The whole recording, float32 (samples,) in [-1, 1]."""
        self._keep(np.zeros(0, dtype=np.float32), last=True)
        audio = np.frombuffer(self._samples, dtype=np.float32)
        return fit_length(audio, round(self.count * self._rate / self._source_rate))

    def _keep(self, block: NDArray[np.float32], last: bool) -> None:
        if self._resampler is not None:
            block = np.clip(self._resampler.resample_chunk(block, last=last), -1.0, 1.0)
        # A bytearray grows in place where the system lets it; a list of blocks would be there twice.
        self._samples += np.ascontiguousarray(block).data


def _read_mono(sound: sf.SoundFile, max_seconds: float | None, mono: _Mono) -> float | None:
    """Decode into `mono`; say after how many seconds the file breaks off, None if it is complete."""
    rate, channels, declared = sound.samplerate, sound.channels, sound.frames
    if sound.format not in FORMATS:
        raise AudioError(
            gettext_noop("%(format)s files are not taken. Use WAV, FLAC, Ogg, MP3 or AIFF."),
            format=sound.format,
        )
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(
            gettext_noop("The sample rate is %(rate)s Hz; %(min_rate)s to %(max_rate)s Hz can be read."),
            rate=rate,
            min_rate=MIN_RATE,
            max_rate=MAX_RATE,
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(
            gettext_noop("The file has %(channels)s channels; up to %(max_channels)s can be read."),
            channels=channels,
            max_channels=MAX_CHANNELS,
        )
    known = declared < _UNKNOWN_FRAMES
    max_frames = None if max_seconds is None else int(max_seconds * rate)
    if known and max_frames is not None and declared > max_frames:
        raise _too_long(max_seconds, declared / rate)

    total = 0
    damaged = False
    while True:
        try:
            block = sound.read(max(1, _BLOCK // channels), dtype="float32", always_2d=True)
        except sf.LibsndfileError:
            damaged = True
            break
        if not len(block):
            break
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            second = (total + int(np.argmin(finite))) / rate
            raise AudioError(
                gettext_noop("The sample at %(second).3f s is not a finite number (NaN or infinity)."),
                second=second,
            )
        total += len(block)
        if max_frames is not None and total > max_frames:
            raise _too_long(max_seconds)
        # The mean in float64: the sum of huge float samples would overflow float32.
        mean = block[:, 0] if channels == 1 else block.mean(axis=1, dtype=np.float64)
        mono.add(mean.astype(np.float32))
    # The end of an MP3 is known to a frame or two only.
    tolerance = 2304 if sound.format == "MP3" else 0
    short = known and declared - total > tolerance
    if damaged:
        # Of the block that failed libsndfile keeps the samples before the damage to itself.
        return float(max(total, sound.tell()) / rate)
    if short or _chunk_is_cut(sound.extra_info):
        return float(total / rate)
    return None


def _too_long(max_seconds: float | None, seconds: float | None = None) -> AudioError:
    if seconds is None:
        return AudioError(
            gettext_noop("The recording is longer than the %(limit)g s this site takes."), limit=max_seconds
        )
    return AudioError(
        gettext_noop("%(seconds).1f s is longer than the %(limit)g s this site takes."),
        seconds=seconds,
        limit=max_seconds,
    )


def _chunk_is_cut(log: str) -> bool:
    """Whether libsndfile found less audio than the header of a WAV, AIFF or AU file declares.

    It mends the length silently and tells only in its log. Programs that write to a pipe
    declare the largest length there is; such a file is complete. So is one with a sample
    cut in half, or a missing byte of padding.
    """
    match = re.search(r"\b(?:data|SSND|Data Size|[Rr]iff(?: size)?)\s*:\s*(\d+) \(should be (\d+)\)", log)
    if match is None:
        return False
    declared, found = int(match[1]), int(match[2])
    return found + 8 < declared < 0x7FFF_0000


def _ogg_is_complete(file: BinaryIO) -> bool:
    """Whether an Ogg file ends with a whole page that is marked as the last one."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(max(0, size - 2 * 65_307))  # the largest page there can be
    tail = file.read()
    start = tail.rfind(b"OggS")
    if start < 0 or len(tail) - start < 27:
        return False
    page = tail[start:]
    lacing = page[27 : 27 + page[26]]
    return len(page) >= 27 + page[26] + sum(lacing) and bool(page[5] & 4)


def _unreadable(error: Exception) -> AudioError:
    reason = getattr(error, "error_string", "") or str(error)
    return AudioError(
        gettext_noop(
            "This is not a recording that can be read here, or it is damaged. WAV, FLAC, Ogg, MP3, AIFF and "
            "NIST SPHERE can be read. The reader says: %(reason)s."
        ),
        reason=reason.strip().rstrip("."),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
