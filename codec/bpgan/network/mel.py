"""Waveform -> STFT -> log-mel-spectrogram, and the measurement of the level to normalise first."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codec.base import Audio
from codec.bpgan.config import MelConfig

#: Affine map of the natural logarithm of power to about zero mean and unit variance.
_SHIFT, _SCALE = 5.0, 4.0
# Bounds the memory of a level measurement for audio of any length.
_BLOCKS_AT_ONCE = 1024
# Blocks this much weaker than the loudest are pauses: 30 dB.
_PAUSE = 1e-3


def band_edges(sample_rate: int, bands: int) -> NDArray[np.float64]:
    """Corner frequencies of the bands on Slaney's mel scale, 0 to half the sample rate, in Hz: (bands + 2,).

    Linear to 1 kHz (200/3 Hz a mel), logarithmic above (27 mels to 6.4 kHz): M. Slaney, "Auditory
    Toolbox", 1998. Band i rises from corner i to i + 1 and falls to i + 2.
    """
    linear, knee, step = 200.0 / 3, 1000.0, np.log(6.4) / 27

    def to_mel(hz: float) -> float:
        return hz / linear if hz < knee else knee / linear + np.log(hz / knee) / step

    mels = np.linspace(0.0, to_mel(sample_rate / 2), bands + 2)
    above = knee * np.exp(step * (mels - knee / linear))
    edges: NDArray[np.float64] = np.where(mels < knee / linear, mels * linear, above)
    return edges


def mel_filters(sample_rate: int, n_fft: int, bands: int) -> NDArray[np.float32]:
    """Triangles of equal area on the mel scale, for power spectra: float32 (bands, n_fft // 2 + 1)."""
    edges = band_edges(sample_rate, bands)
    bins = np.linspace(0.0, sample_rate / 2, n_fft // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return filters.astype(np.float32)


class Mel(nn.Module):
    """Normalised waveform (batch, samples) -> log-mel-spectrogram (batch, bands, frames), about N(0, 1).

    `samples` must be a multiple of the hop; frame t is centred on sample ``t * hop``.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)
        filters = torch.from_numpy(mel_filters(config.sample_rate, config.n_fft, config.bands))
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        return self.compress(self.filters @ self.power(audio))

    def power(self, audio: Tensor) -> Tensor:
        """STFT power (batch, n_fft // 2 + 1, frames) of a normalised waveform (batch, samples)."""
        n_fft, hop = self.config.n_fft, self.config.hop
        # Zeros, not a reflection, beyond the ends: a reflected onset would cost bits for nothing.
        padded = nn.functional.pad(audio, (n_fft // 2, n_fft // 2 - hop))
        spectrum = torch.stft(padded, n_fft, hop, window=self.window, center=False, return_complex=True)
        return spectrum.abs().square()

    def compress(self, power: Tensor) -> Tensor:
        """Mel power -> normalised natural logarithm."""
        return (torch.log(power + self.config.floor) + _SHIFT) / _SCALE

    def expand(self, log_mel: Tensor) -> Tensor:
        """The inverse of `compress`; power below the floor becomes zero."""
        return (torch.exp(log_mel * _SCALE - _SHIFT) - self.config.floor).clamp_min(0.0)


def without_offset(audio: Audio) -> Audio:
    """`audio` (samples,) without an offset that would count: it is not heard, but raises the level.

    Audio whose offset is 20 dB or more below what `active_level` takes for a pause is returned as it is.
    """
    offset = float(audio.mean(dtype=np.float64)) if audio.size else 0.0
    if offset**2 <= 0.01 * _PAUSE * float(_powers(audio).max(initial=0.0)):
        return audio
    return (audio - np.float32(offset)).astype(np.float32)


def active_level(audio: Audio) -> float:
    """RMS of the blocks within 30 dB of the loudest, linear; 0 for silence.

    So the level does not depend on how much silence surrounds the speech, nor on an offset.
    """
    power = _powers(without_offset(audio))
    active = power[power > _PAUSE * power.max(initial=0.0)]
    return float(np.sqrt(active.mean())) if active.size else 0.0


def _powers(audio: Audio, block: int = 512) -> NDArray[np.float64]:
    """Mean square of each block."""
    power = np.empty(-(-audio.size // block))
    for first in range(0, power.size, _BLOCKS_AT_ONCE):
        part = audio[first * block : (first + _BLOCKS_AT_ONCE) * block]
        padded = np.pad(part, (0, -part.size % block)).reshape(-1, block)
        power[first : first + len(padded)] = np.square(padded, dtype=np.float64).mean(axis=1)
    return power
