"""Systems that do not compress: the original, and the low-pass anchors of BS.1534-3."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, pi

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.signal import firwin, oaconvolve

from codec.audio import from_pcm16, to_pcm16
from codec.base import ANYTHING, WORKING_RATE, Audio, Codec, CodecError, Encoded, Parameters, gettext_noop

# The mask of BS.1534-3 (3.5 kHz) asks for ripple <= 0.1 dB up to the cut-off, >= 25 dB half a
# kilohertz above it and >= 50 dB one kilohertz above it; the 7 kHz anchor keeps the shape. A Kaiser
# window for 55 dB with its transition in that first half kilohertz meets all three, also at 8 kHz,
# where the 4 kHz point is the Nyquist frequency and the response meets its own mirror image.
_TRANSITION = 500.0
_ATTENUATION = 55.0


# Samples filtered at a time: of ten minutes in stereo at once it would take gigabytes.
_BLOCK = 1 << 20


class Original(Codec):
    """16-bit PCM: rounds the samples and changes nothing else; 256 kbit/s in mono at 16 kHz."""

    takes = ANYTHING

    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        payload = to_pcm16(audio).astype("<i2").tobytes()
        return payload, 8 * len(payload), {"coding": "16-bit PCM, little-endian"}

    def _decode(self, encoded: Encoded) -> Audio:
        samples = encoded.num_samples * encoded.channels
        if len(encoded.payload) != 2 * samples:
            raise CodecError(
                gettext_noop(
                    "The bitstream has %(size)s bytes; %(samples)s samples of 16-bit PCM need %(needed)s."
                ),
                size=len(encoded.payload),
                samples=samples,
                needed=2 * samples,
            )
        pcm = np.frombuffer(encoded.payload, dtype="<i2")
        return from_pcm16(pcm if encoded.channels == 1 else pcm.reshape(-1, encoded.channels))


class Anchor(Original):
    """Low-pass anchor: a linear-phase FIR filter without delay, then 16-bit PCM."""

    def __init__(self, slug: str, sample_rate: int = WORKING_RATE, *, cutoff: float) -> None:
        """Make an anchor that passes everything up to `cutoff` Hz."""
        super().__init__(slug, sample_rate)
        self.cutoff = cutoff

    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        taps = lowpass_taps(self.cutoff, self.sample_rate)
        payload, bits, parameters = super()._encode(lowpass(audio, self.cutoff, self.sample_rate))
        if taps is None:
            filtering = f"none: at {self.sample_rate} Hz there is nothing above the pass band to remove"
        else:
            filtering = (
                f"linear-phase FIR, {taps.size} taps, Kaiser window, "
                f"−6 dB at {self.cutoff + _TRANSITION / 2:g} Hz, delay of {taps.size // 2} samples removed"
            )
        return payload, bits, {**parameters, "filter": filtering, "scipy": scipy.__version__}


def lowpass(audio: Audio, cutoff: float, rate: int) -> Audio:
    """Low-pass `audio`, (samples,) or (samples, channels), at `rate` Hz: same length, no delay.

    The signal is extended at both ends by its point reflection, as in `scipy.signal.filtfilt`: with silence
    there the filter would ring where speech is cut off, and take energy from the first and last milliseconds.
    """
    taps = lowpass_taps(cutoff, rate)
    if taps is None:
        return audio
    half = taps.size // 2
    passed = np.empty(audio.shape, dtype=np.float32)
    channels = [(audio, passed)] if audio.ndim == 1 else zip(audio.T, passed.T, strict=True)
    for channel, out in channels:
        continued = np.pad(channel.astype(np.float64), half, mode="reflect", reflect_type="odd")
        for start in range(0, len(out), _BLOCK):
            stop = min(start + _BLOCK, len(out))
            out[start:stop] = oaconvolve(continued[start : stop + 2 * half], taps, mode="valid")
    return passed


@lru_cache(maxsize=16)
def lowpass_taps(cutoff: float, rate: int) -> NDArray[np.float64] | None:
    """Taps of the anchor's filter: an odd number, symmetric, of unit gain at 0 Hz.

    Returns:
        None where the middle of the transition band lies at or above the Nyquist frequency
        (the 7 kHz anchor at 8 kHz): the signal holds nothing that the filter would remove.
    """
    middle = cutoff + _TRANSITION / 2
    if middle >= rate / 2:
        return None
    # Kaiser's formula for the number of taps.
    order = (_ATTENUATION - 7.95) / (2.285 * 2 * pi * _TRANSITION / rate)
    taps: NDArray[np.float64] = firwin(
        2 * ceil(order / 2) + 1, middle, window=("kaiser", 0.1102 * (_ATTENUATION - 8.7)), fs=rate
    )
    taps.setflags(write=False)  # shared by all callers through the cache
    return taps
