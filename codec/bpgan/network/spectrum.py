"""Generated log-mel -> STFT power: what the mel bands and the generator's caution have smoothed away.

A ConvNeXt network at the frame rate, as in Vocos, but of magnitudes only. The phase stays with Griffin-Lim:
from an exact mel-spectrogram it costs next to nothing, while what the generator makes is smooth where speech
is not. The network is trained against discriminators of the linear-frequency spectrogram and hears noise, as
texture that nobody sent must come from somewhere.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from codec.bpgan.config import ModelConfig
from codec.bpgan.network.blocks import ConvNeXt
from codec.bpgan.network.mel import Mel
from codec.bpgan.network.vocoder import invert_mel, random_phases

#: Added to the power of a bin before the logarithm: 5 dB below the floor of the mel bands.
FLOOR = 1e-4
#: Of the plain inversion before the network, which makes up for what more of them would do.
_MEL_ITERATIONS = 10
#: The most that the network changes a bin, natural logarithm of power.
_MOST = 4.0
_LOWEST = math.log(FLOOR)


class SpectrumNetwork(nn.Module):
    """Log-mel (batch, bands, frames) -> STFT power (batch, n_fft // 2 + 1, frames), not negative."""

    def __init__(self, config: ModelConfig, mel: Mel) -> None:
        super().__init__()
        size = config.spectrum
        self.noise = size.noise
        # Not a submodule: its buffers are the model's.
        self._mel = (mel,)
        last = nn.Conv1d(size.width, config.mel.n_fft // 2 + 1, 1)
        self.layers = nn.Sequential(
            nn.Conv1d(config.mel.bands + size.noise, size.width, 7, padding=3),
            *(ConvNeXt(size.width, size.expansion) for _ in range(size.blocks)),
            last,
        )
        # It begins as the plain inversion.
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, log_mel: Tensor, start: int = 0, strength: float = 1.0, inverted: Tensor | None = None
    ) -> Tensor:
        """The plain inversion of `inverted` (None: of `log_mel`), and the network's change of it.

        `start` is the index of the first frame within its file: a frame has always the same noise. `strength`
        scales the change, in decibels.
        """
        # Rounding may end below zero, of which there is no root.
        return (torch.exp(self.log_power(log_mel, start, strength, inverted)) - FLOOR).clamp_min(0.0)

    def log_power(
        self, log_mel: Tensor, start: int = 0, strength: float = 1.0, inverted: Tensor | None = None
    ) -> Tensor:
        """Natural logarithm of power plus `FLOOR`."""
        (mel,) = self._mel
        # The receiver's inversion is in full precision; training has to hear the same.
        with torch.autocast(log_mel.device.type, enabled=False):
            shape = log_mel if inverted is None else inverted
            base = torch.log(invert_mel(mel, shape, _MEL_ITERATIONS) + FLOOR)
        noise = torch.cos(random_phases(self.noise, start, log_mel.shape[2])).to(log_mel)
        inputs = torch.cat([log_mel, noise.expand(len(log_mel), -1, -1)], dim=1)
        change: Tensor = self.layers(inputs)
        return (base + strength * _MOST * torch.tanh(change.to(base) / _MOST)).clamp_min(_LOWEST)
