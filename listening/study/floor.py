"""Stimulus -> file for a listener: one noise floor under all sounds of a trial, and 16 bits.

A file of 16 bits shows more than can be heard: how many samples are zero, whether steps of another file of 16
bits are left, an offset of half a step, a decoder's silence in pauses, the emptiness above its band. Every
file that a listener gets has noise of the same level and spectrum under the sound, to cover these. It cannot
be heard: in every auditory filter it is 10 dB below the threshold in quiet, if the programme plays at the
level of the standard. So most of it lies below 50 Hz and towards the upper end of the band, where hearing is
dull.

It is made of stretches of one long noise, which each process makes once from the server's secret, and a key
says of which; so it is new for every file, the same again for the same key, and costs little. The bytes for
its white part, which takes the place of dither, come from the key alone: no two files have a stretch in
common.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

import numpy as np
from django.utils.crypto import salted_hmac
from numpy.typing import NDArray

from codec.audio import wav_of
from codec.base import Audio, channels_of
from codec.hearing import filter_bandwidth, threshold_in_quiet
from listening.study.stimuli import edges_of

#: What the programme is played at, dB SPL: the reference level of BS.1534, 78 dBA.
LISTENING_LEVEL = 78.0
#: Distance between the noise in an auditory filter and the threshold in quiet, dB: people differ by 5 dB
#: (standard deviation), and may listen louder.
MARGIN = 10.0
#: Spectral density that the noise does not exceed, in dB of the programme's level per Hz, below 1 kHz and
#: above: 30 dB below the programme in all, and far below the stop band of the anchors.
MOST = (-50.0, -95.0)
#: The loudness of programmes, LUFS, that the noise follows. Below it is as for the quietest, as 16 bits hold
#: nothing below their own step.
_LEVELS = (-50.0, -10.0)
#: For items whose loudness is not known, as they were rendered before it was kept: that of a quiet programme.
_UNKNOWN = -40.0
#: Samples of the long noise, which has no beginning and no end: 22 s at 48 kHz.
_PERIOD = 1 << 20
#: Its stretches in each channel of a file: their sum is Gaussian, and none of them is found in it.
_STRETCHES = 4


def density(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """The noise's spectral density at `frequencies`, Hz, in dB per Hz of the programme's level.

    The white part is not in it: that does not depend on the programme.
    """
    width = filter_bandwidth(frequencies)
    # A filter hears what is within half of its width. The threshold falls and rises steeply at both ends.
    around = [threshold_in_quiet(frequencies + shift * width) for shift in (-0.5, 0, 0.5)]
    highest = np.min(around, axis=0) - 10 * np.log10(width) - LISTENING_LEVEL - MARGIN
    return np.asarray(np.minimum(highest, np.where(frequencies < 1000, *MOST)), np.float64)


def wav_with_floor(audio: Audio, rate: int, key: bytes, loudness: float | None) -> bytes:
    """`audio`, float in [-1, 1] at `rate` Hz, with the noise floor as a WAV file of 16 bits.

    The size depends on length and channels only. The same `key` gives the same bytes; the caller derives it
    from a secret, the session and the file's key, and without it nobody can tell the noise from other noise
    and take it away.

    Args:
        audio: of shape (samples,) or (samples, channels).
        loudness: of the item's reference, LUFS, the same for all sounds of a trial; None if not known.
    """
    levels = floor_noise(len(audio), channels_of(audio), rate, key, loudness).reshape(audio.shape)
    levels += audio * np.float32(32767)
    np.rint(levels, out=levels)
    np.clip(levels, -32768, 32767, out=levels)
    return wav_of(levels.astype(np.int16), rate)


def floor_noise(frames: int, channels: int, rate: int, key: bytes, loudness: float | None) -> Audio:
    """The noise, float32 (frames, channels), in steps of 16 bits, independent in each channel.

    Its white part is uniform over one step. With the rest, neighbouring samples differ by more than a step:
    the error of rounding is white and does not depend on the sound, as with triangular dither, at less power.
    """
    known = loudness is not None and math.isfinite(loudness)
    level = min(max(loudness if known and loudness is not None else _UNKNOWN, _LEVELS[0]), _LEVELS[1])
    # What sounds in two channels is 3 dB louder than each of them.
    gain = 32768 * 10 ** (level / 20) / math.sqrt(_STRETCHES * channels)
    long = _long_noise(rate, salted_hmac("listening.floor", str(rate), algorithm="sha256").digest())
    chance = hashlib.shake_128(key).digest(frames * channels + 8 * _STRETCHES * channels)
    noise = np.frombuffer(chance, dtype=np.uint8, count=frames * channels).astype(np.float32)
    noise = noise.reshape(frames, channels)
    noise -= np.float32(127.5)
    noise *= np.float32(1 / 256)
    places = np.frombuffer(chance, dtype="<i8", offset=frames * channels).reshape(channels, _STRETCHES)
    edges = edges_of(frames, rate)
    for channel in range(channels):
        stretches = np.zeros(frames, dtype=np.float32)
        for place in places[channel]:
            sign = np.float32(gain if place >= 0 else -gain)
            done, first = 0, int(place % _PERIOD)
            while done < frames:
                part = long[first : first + frames - done]
                stretches[done : done + part.size] += sign * part
                done, first = done + part.size, 0
        noise[:, channel] += stretches * edges  # or what is slow in it would begin with a click
    return noise


@lru_cache(maxsize=4)
def _long_noise(rate: int, seed: bytes) -> Audio:
    """Noise of `_PERIOD` samples with `density`, for a programme of level 1, from `seed`."""
    frequencies = np.fft.rfftfreq(_PERIOD, 1 / rate).astype(np.float64)
    # Each stands for itself and its negative: half of the power in its band is its own.
    powers = 10 ** (density(frequencies) / 10) * rate / _PERIOD / 2
    generator = np.random.default_rng(int.from_bytes(seed, "big"))
    parts = generator.standard_normal((2, frequencies.size)) * np.sqrt(powers / 2)
    return np.fft.irfft(parts[0] + 1j * parts[1], _PERIOD, norm="forward").astype(np.float32)
