"""Generated log-mel -> STFT power, with detail that mel bands and a cautious generator smooth away.

This is a ConvNeXt network at the frame rate, as in Vocos, but for magnitudes only. The phase is left to
Griffin-Lim, which loses next to nothing on an exact mel-spectrogram; the weakness is that generated
spectrograms are smooth where speech is not. The network is trained against discriminators of the
linear-frequency spectrogram. It gets noise as an additional input, as a source for texture that was not
transmitted.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from codec.bpgan.config import ModelConfig
from codec.bpgan.network.blocks import ConvNeXt
from codec.bpgan.network.mel import Mel
from codec.bpgan.network.refiner import hold
from codec.bpgan.network.vocoder import invert_mel, random_phases

#: Added to the power of a bin before the logarithm: 5 dB below the floor of the mel bands.
FLOOR = 1e-4
#: Iterations of the plain inversion before the network, which makes up for the small number.
_MEL_ITERATIONS = 10
#: The largest change to a bin that the network can make, in natural logarithm of power.
_MOST = 4.0
_LOWEST = math.log(FLOOR)


class SpectrumNetwork(nn.Module):
    """Log-mel (batch, bands, frames) -> STFT power (batch, n_fft // 2 + 1, frames), not negative."""

    def __init__(self, config: ModelConfig, mel: Mel) -> None:
        super().__init__()
        size = config.spectrum
        self.noise, self.stride = size.noise, config.latent.stride
        self.channels = config.latent.channels if size.latent else 0
        # Not a submodule: its buffers are the model's.
        self._mel = (mel,)
        last = nn.Conv1d(size.width, config.mel.n_fft // 2 + 1, 1)
        self.layers = nn.Sequential(
            nn.Conv1d(config.mel.bands + size.noise + self.channels, size.width, 7, padding=3),
            *(ConvNeXt(size.width, size.expansion) for _ in range(size.blocks)),
            last,
        )
        # At first the network changes nothing.
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        log_mel: Tensor,
        values: Tensor,
        start: int = 0,
        strength: float = 1.0,
        inverted: Tensor | None = None,
    ) -> Tensor:
        """The plain inversion of `inverted` (None: of `log_mel`), and the network's change of it.

        `values` (batch, channels sent, frames / stride) are those of the symbols, an input of networks with
        `SpectrumConfig.latent`. `start` is the index of the first frame within its file, so that a frame
        always gets the same noise. `strength` scales the change, in decibels.
        """
        # Rounding errors must not make the power negative.
        log_power = self.log_power(log_mel, values, start=start, strength=strength, inverted=inverted)
        return (torch.exp(log_power) - FLOOR).clamp_min(0.0)

    def log_power(
        self,
        log_mel: Tensor,
        values: Tensor,
        *,
        start: int = 0,
        strength: float = 1.0,
        inverted: Tensor | None = None,
    ) -> Tensor:
        """Natural logarithm of power plus `FLOOR`."""
        (mel,) = self._mel
        # Training must use full precision here, as the receiver does.
        with torch.autocast(log_mel.device.type, enabled=False):
            shape = log_mel if inverted is None else inverted
            base = torch.log(invert_mel(mel, shape, _MEL_ITERATIONS) + FLOOR)
        noise = torch.cos(random_phases(self.noise, start, log_mel.shape[2])).to(log_mel)
        inputs = [log_mel, noise.expand(len(log_mel), -1, -1)]
        if self.channels:
            inputs.append(hold(values, self.channels, self.stride))
        change: Tensor = self.layers(torch.cat(inputs, dim=1))
        return (base + strength * _MOST * torch.tanh(change.to(base) / _MOST)).clamp_min(_LOWEST)
