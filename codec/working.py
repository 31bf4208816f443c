"""The working copy of a recording, and what a system or a metric gets of it: the one place that converts.

A working copy keeps the recording's rate, 8 to 48 kHz, and its channels, one or two. A system that processes
less gets a version of the working copy with a lower rate or the channels mixed to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codec.audio import (
    SILENT,
    Recording,
    from_pcm16,
    is_silent,
    mixed_note,
    read_recording,
    resample,
    resampled_note,
    to_pcm16,
)
from codec.base import MAX_CHANNELS, Audio, Note, channels_of, fit_length, gettext_noop

#: The rates that a working copy can have, Hz: from narrow-band speech to the full band that people hear.
LOWEST_RATE, HIGHEST_RATE = 8_000, 48_000

# Samples looked at in one go.
_BLOCK = 1 << 18

CANCELS = gettext_noop(
    "the two channels cancel each other: systems and metrics that take mono get next to nothing of it"
)

_HALF = 2**-0.5  # -3 dB: a channel between or beside the two loudspeakers
_LEFT, _RIGHT, _BOTH = (1.0, 0.0), (0.0, 1.0), (_HALF, _HALF)
_LEFT_BEHIND, _RIGHT_BEHIND, _NONE = (_HALF, 0.0), (0.0, _HALF), (0.0, 0.0)
#: Left and right shares of each channel, by how many there are: ITU-R BS.775-4, annex 4, table 2, and the
#: same shares for the second pair of 7.1; the channel of low-frequency effects is left out. Channels are in
#: the order of WAV: L, R, C, LFE, those behind, those at the sides.
_BS775: Mapping[int, tuple[tuple[float, float], ...]] = {
    3: (_LEFT, _RIGHT, _BOTH),
    4: (_LEFT, _RIGHT, _LEFT_BEHIND, _RIGHT_BEHIND),
    5: (_LEFT, _RIGHT, _BOTH, _LEFT_BEHIND, _RIGHT_BEHIND),
    6: (_LEFT, _RIGHT, _BOTH, _NONE, _LEFT_BEHIND, _RIGHT_BEHIND),
    7: (_LEFT, _RIGHT, _BOTH, _NONE, (0.5, 0.5), _LEFT_BEHIND, _RIGHT_BEHIND),
    8: (_LEFT, _RIGHT, _BOTH, _NONE, _LEFT_BEHIND, _RIGHT_BEHIND, _LEFT_BEHIND, _RIGHT_BEHIND),
}


def read_working_copy(
    path: str | Path, *, max_seconds: float | None = None, min_seconds: float = 0.0
) -> Recording:
    """Read a recording as its working copy: `audio` of shape (samples,) or (samples, 2), of 16 bits.

    Raises:
        AudioError: as `codec.audio.read_recording`.
    """
    return working_copy(read_recording(path, max_seconds=max_seconds, min_seconds=min_seconds))


def working_copy(recording: Recording) -> Recording:
    """Make the working copy of `recording`, whose `audio` is (samples, channels) at the file's rate.

    The notes say what was changed: more than two channels are mixed down by ITU-R BS.775, or, if it knows no
    place for them, by their mean; a rate outside 8 to 48 kHz is resampled.
    """
    audio, mixing = mix_down(recording.audio)
    notes = [*mixing, *recording.notes]
    if mixing and is_silent(audio) and not is_silent(recording.audio):
        notes.append(Note(SILENT))
    if _cancels(audio):
        notes.append(Note(CANCELS))
    rate = min(max(recording.rate, LOWEST_RATE), HIGHEST_RATE)
    if rate != recording.rate:
        notes.append(
            Note(gettext_noop("resampled from %(rate)s Hz to %(to)s Hz"), rate=recording.rate, to=rate)
        )
        audio = resample(audio, recording.rate, rate)
    return replace(recording, audio=from_pcm16(to_pcm16(audio)), rate=rate, notes=tuple(notes))


def _cancels(audio: Audio) -> bool:
    """Whether the two channels are opposites: their mean has less than a thousandth of their power."""
    middle, side = middle_and_side(audio)
    return middle < 1e-3 * (middle + side)


def middle_and_side(audio: Audio) -> tuple[float, float]:
    """The energy of what both channels of `audio` have alike, and of what they have not; of mono 0."""
    if audio.ndim == 1:
        return float(np.vdot(audio, audio)), 0.0
    middle = side = 0.0
    for start in range(0, len(audio), _BLOCK):
        left, right = audio[start : start + _BLOCK].T.astype(np.float64) / 2
        middle += float(np.sum((left + right) ** 2))
        side += float(np.sum((left - right) ** 2))
    return middle, side


def mix_down(audio: Audio) -> tuple[Audio, list[Note]]:
    """Mix more than two channels of `audio` (samples, channels) down to stereo or mono.

    Returns:
        (samples,) of one channel, else (samples, 2), and notes about what was done.
    """
    channels = channels_of(audio)
    if channels <= MAX_CHANNELS:
        return (audio[:, 0] if audio.ndim == 2 and channels == 1 else audio), []
    shares = _BS775.get(channels)
    if shares is None:
        mean = audio.mean(axis=1, dtype=np.float64).astype(np.float32)
        text = gettext_noop(
            "%(channels)s channels mixed to mono (mean): ITU-R BS.775 has no places for so many"
        )
        return mean, [Note(text, channels=channels)]
    mixed: NDArray[np.float64] = np.zeros((len(audio), MAX_CHANNELS))
    for channel, (left, right) in enumerate(shares):
        mixed[:, 0] += left * audio[:, channel]
        mixed[:, 1] += right * audio[:, channel]
    text = gettext_noop("%(channels)s channels mixed to stereo by ITU-R BS.775")
    if _NONE in shares and audio[:, shares.index(_NONE)].any():
        text = gettext_noop(
            "%(channels)s channels mixed to stereo by ITU-R BS.775, without the channel of low frequencies"
        )
    notes = [Note(text, channels=channels)]
    if (peak := float(np.abs(mixed).max(initial=0.0))) > 1.0:
        mixed /= peak
        text = gettext_noop("the mix is %(level).1f dB quieter, to stay below full scale")
        notes.append(Note(text, level=20 * np.log10(peak)))
    return mixed.astype(np.float32), notes


def conform(audio: Audio, rate: int, to_rate: int, channels: int) -> Audio:
    """`audio`, (samples,) or (samples, 2) at `rate` Hz, with `channels` at `to_rate` Hz, without delay.

    Two channels are mixed to one by their mean, which cannot clip and keeps what is the same in both at its
    level; one is put alike into both.

    Returns:
        float32 of shape (round(samples * to_rate / rate),) or (..., 2); `audio` itself if it is that already.
    """
    if channels == 1 and audio.ndim == 2:
        audio = audio.mean(axis=1, dtype=np.float64).astype(np.float32)
    audio = resample(audio, rate, to_rate)
    return np.stack([audio] * channels, axis=1) if channels > 1 and audio.ndim == 1 else audio


def align(audio: Audio, delay_seconds: float, rate: int, size: int) -> Audio:
    """Move `audio` at `rate` Hz `delay_seconds` earlier, and cut or pad it to `size` samples."""
    shift = round(delay_seconds * rate)
    if shift < 0:
        return fit_length(np.concatenate([np.zeros((-shift, *audio.shape[1:]), np.float32), audio]), size)
    return fit_length(audio[shift:], size)


def version_for(audio: Audio, rate: int, to_rate: int, channels: int) -> Audio:
    """What a system gets of a working copy: `conform`, and 16 bits like every working copy."""
    conformed = conform(audio, rate, to_rate, channels)
    return audio if conformed is audio else from_pcm16(to_pcm16(conformed))


def conversions(audio: Audio, rate: int, to_rate: int, channels: int) -> list[Note]:
    """What `conform` would do to `audio`, in words; empty if nothing."""
    notes = []
    if channels_of(audio) > channels:
        notes.append(mixed_note(channels_of(audio)))
    if rate != to_rate:
        notes.append(resampled_note(rate))
    return notes
