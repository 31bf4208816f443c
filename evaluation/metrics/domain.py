"""Where a metric means something: data beside every metric, and the reasons why a score is not computed.

A metric was made and checked for some recordings: speech or any sound, so many channels, such rates, lengths
and bandwidths. Outside it still gives numbers, and good ones: PESQ-WB of a recording at 8 kHz, for example,
finds nothing above 4 kHz that an anchor could lose. So a score outside is not computed, and the reason is
shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codec.base import Note, gettext_noop

#: Below this peak (-100 dB re full scale, a tenth of a 16-bit step) a signal counts as silent.
SILENCE = 1e-5

#: Above the highest frequency of a recording there is no more than this share of its power: -60 dB.
_REST = 1e-6
_WINDOW = 1024


@dataclass(frozen=True)
class Heard:
    """What a metric is asked to judge.

    Attributes:
        rate: sample rate of the recording, Hz.
        channels: of the recording.
        seconds: length of the recording.
        speech: whether it is speech.
        bandwidth: highest frequency in the recording, Hz, see `measure_bandwidth`; None: not measured.
    """

    rate: int
    channels: int = 1
    seconds: float = math.inf
    speech: bool = True
    bandwidth: float | None = None


@dataclass(frozen=True)
class Domain:
    """The recordings for which a metric is made.

    Attributes:
        rate: sample rate at which it compares, Hz; recordings at higher rates are resampled. 0: at any rate.
        least_rate: lowest sample rate of a recording, Hz.
        channels: most channels of a recording.
        least_seconds, most_seconds: length of a recording.
        speech: whether it is made for speech only.
        bandwidth: frequencies that a recording must reach, Hz; 0: any will do.
        usual: the lengths, levels and uses for which its makers checked it, for readers.
    """

    rate: int = 16_000
    least_rate: int = 8_000
    channels: int = 1
    least_seconds: float = 0.0
    most_seconds: float = math.inf
    speech: bool = True
    bandwidth: float = 0.0
    usual: str = ""

    def describe(self) -> list[Note]:
        """What it asks of a recording, for readers; without `usual`."""
        said = [Note(gettext_noop("speech") if self.speech else gettext_noop("any sound"))]
        said.append(
            Note(gettext_noop("mono")) if self.channels == 1 else Note(gettext_noop("mono or stereo"))
        )
        if self.least_rate:
            said.append(Note(gettext_noop("from %(rate)g kHz"), rate=self.least_rate / 1000))
        if self.rate:
            said.append(Note(gettext_noop("compared at %(rate)g kHz"), rate=self.rate / 1000))
        if self.bandwidth:
            said.append(Note(gettext_noop("with sound above %(rate)g kHz"), rate=self.bandwidth / 1000))
        if self.least_seconds:
            said.append(Note(gettext_noop("%(seconds)g s or more"), seconds=self.least_seconds))
        return said

    def exclude(self, title: str, heard: Heard) -> Note | None:
        """Why a metric called `title` does not judge `heard`; None if it does."""
        if self.speech and not heard.speech:
            return Note(gettext_noop("%(metric)s judges speech only"), metric=title)
        if heard.channels > self.channels:
            return Note(
                gettext_noop("%(metric)s compares %(most)s channel; the recording has %(channels)s"),
                metric=title, most=self.channels, channels=heard.channels,
            )  # fmt: skip
        if heard.seconds < self.least_seconds:
            return Note(
                gettext_noop("too short: %(metric)s needs %(seconds)g s"),
                metric=title, seconds=self.least_seconds,
            )  # fmt: skip
        if heard.rate < self.least_rate:
            return Note(
                gettext_noop("%(metric)s needs %(least)s Hz; the recording has %(rate)s Hz"),
                metric=title, least=self.least_rate, rate=heard.rate,
            )  # fmt: skip
        if heard.seconds > self.most_seconds:
            return Note(
                gettext_noop("too long: %(metric)s takes at most %(seconds)g s"),
                metric=title, seconds=self.most_seconds,
            )  # fmt: skip
        if heard.bandwidth is not None and heard.bandwidth < self.bandwidth:
            return Note(
                gettext_noop(
                    "the recording ends at %(bandwidth).1f kHz; %(metric)s needs one that goes beyond "
                    "%(needed)g kHz"
                ),
                metric=title, bandwidth=heard.bandwidth / 1000, needed=self.bandwidth / 1000,
            )  # fmt: skip
        return None


#: Speech at 16 kHz, mono.
SPEECH = Domain()


def count_channels(audio: NDArray[np.floating]) -> int:
    """Channels of `audio`, (samples,) or (samples, channels); stereo with equal sides counts as mono."""
    if audio.ndim == 1 or audio.shape[1] == 1:
        return 1
    signal = audio.astype(np.float64)
    power = float(np.sum(signal**2))
    differing = float(np.sum((signal - signal.mean(axis=1, keepdims=True)) ** 2))
    return audio.shape[1] if differing > _REST * power else 1


def measure_bandwidth(audio: NDArray[np.floating], rate: int) -> float:
    """The frequency in Hz above which less than a millionth of the power of `audio` lies, (samples,) or
    (samples, channels); 0 for silence.

    A telephone band in a file at 16 kHz shows by it, as does a recording at 8 kHz that was resampled: of
    wide-band speech thousands of times more lies above 4 kHz. Rounding to 16 bits (-98 dB) does not count.
    """
    signal = np.asarray(audio, dtype=np.float64)
    mono = signal.mean(axis=1) if signal.ndim == 2 else signal
    power = np.zeros(_WINDOW // 2 + 1)
    window = np.hanning(_WINDOW)
    padded = np.pad(mono, (0, max(0, _WINDOW - mono.size)))
    framed = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[:: _WINDOW // 2]
    for start in range(0, len(framed), 512):  # bounds memory
        power += np.sum(np.abs(np.fft.rfft(framed[start : start + 512] * window)) ** 2, axis=0)
    # What rounding to 16 bits leaves in every bin.
    noise = len(framed) * float(np.sum(window**2)) / (12 * 32768**2)
    above = np.cumsum(np.maximum(power - 4 * noise, 0.0)[::-1])[::-1]
    if not above[0] > 0:
        return 0.0
    return float(np.flatnonzero(above >= _REST * above[0])[-1] * rate / _WINDOW)
