"""Generated log-mel and the symbols' values -> a log-mel that is nearer to what was said.

The search runs the generator dozens of times for every second of audio, and so the generator is small. What
comes after it runs once, and may be larger: a ConvNeXt network at the frame rate that mends what the
generator leaves over, trained on what the search sends.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.bpgan.config import ModelConfig
from codec.bpgan.network.blocks import ConvNeXt, frame_mask


class Refiner(nn.Module):
    """Log-mel (batch, bands, frames) and values (batch, up to channels, frames / stride) -> log-mel.

    In a batch of files of different `lengths` (in latent frames) each gets what it would get alone.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size, self.channels, self.stride = config.refiner, config.latent.channels, config.latent.stride
        last = nn.Conv1d(size.width, config.mel.bands, 1)
        self.layers = nn.Sequential(
            nn.Conv1d(config.mel.bands + self.channels, size.width, 7, padding=3),
            *(ConvNeXt(size.width, size.expansion) for _ in range(size.blocks)),
            last,
        )
        # It begins by changing nothing.
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, log_mel: Tensor, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        x = torch.cat([log_mel, hold(values, self.channels, self.stride)], dim=1)
        if lengths is None:
            change: Tensor = self.layers(x)
            return log_mel + change.to(log_mel)
        mask = frame_mask(lengths * self.stride, log_mel.shape[2])
        x = x * mask
        for layer in self.layers:
            x = layer(x, mask) if isinstance(layer, ConvNeXt) else layer(x) * mask
        return log_mel + x.to(log_mel)


def hold(values: Tensor, channels: int, stride: int) -> Tensor:
    """Values (batch, channels sent, n) at the frame rate, (batch, channels, n * stride); 0 in the others."""
    whole = nn.functional.pad(values, (0, 0, 0, channels - values.shape[1]))
    return whole.repeat_interleave(stride, dim=2)
