"""What an ear can hear: the threshold in quiet, and the width of auditory filters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Threshold of hearing in quiet, Hz and dB SPL, of tones in a free field (ISO 226:2003, ISO 389-7:2019).
_THRESHOLD = np.array(
    [
        (20, 78.5), (25, 68.7), (31.5, 59.5), (40, 51.1), (50, 44.0), (63, 37.5), (80, 31.5), (100, 26.5),
        (125, 22.1), (160, 17.9), (200, 14.4), (250, 11.4), (315, 8.6), (400, 6.2), (500, 4.4), (630, 3.0),
        (800, 2.2), (1000, 2.4), (1250, 3.5), (1600, 1.7), (2000, -1.3), (2500, -4.2), (3150, -6.0),
        (4000, -5.4), (5000, -1.5), (6300, 6.0), (8000, 12.6), (10_000, 13.9), (12_500, 12.3),
        (14_000, 18.4), (16_000, 40.2), (18_000, 70.4),
    ]
)  # fmt: skip


def threshold_in_quiet(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """The threshold of hearing for tones, dB SPL, at `frequencies`, Hz; constant outside 20 Hz to 18 kHz."""
    logarithms = np.log(np.maximum(frequencies, 1.0))
    return np.asarray(np.interp(logarithms, np.log(_THRESHOLD[:, 0]), _THRESHOLD[:, 1]), np.float64)


def filter_bandwidth(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equivalent rectangular bandwidths, Hz, of auditory filters at `frequencies`, Hz.

    Glasberg and Moore 1990, equation 3.
    """
    return 24.7 * (4.37 * frequencies / 1000 + 1)
