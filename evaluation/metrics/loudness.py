"""Loudness by ITU-R BS.1770, of one channel or two."""

from __future__ import annotations

import numpy as np

from codec.base import Audio

#: BS.1770's gating block, seconds. A shorter signal is measured as a single block.
BLOCK_SECONDS = 0.4


def loudness(audio: Audio, rate: int) -> float:
    """Integrated loudness of `audio`, (samples,) or (samples, 2) at `rate` Hz, in LUFS; -inf for silence.

    The powers of left and right add up, so what is alike in both is 3 dB louder than in one.
    """
    # Imported here: it imports scipy.signal, which the web process does not need to serve files.
    import pyloudnorm

    meter = pyloudnorm.Meter(rate, block_size=min(BLOCK_SECONDS, len(audio) / rate))
    return float(meter.integrated_loudness(audio.astype(np.float64)))
