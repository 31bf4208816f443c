"""Layers that encoder and generator share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """1 for the real frames of each file in a batch, 0 for its padding: float (batch, 1, frames)."""
    return (torch.arange(frames, device=lengths.device) < lengths[:, None])[:, None].float()


def run_one_by_one(
    network: Callable[[Tensor], Tensor], x: Tensor, lengths: Tensor, before: int, after: int
) -> Tensor:
    """Run files of different `lengths` one by one through a network without masks: (batch, c, frames).

    A file has ``lengths * before`` frames of input and ``lengths * after`` of output, padded with zeros.
    """
    longest = x.shape[2] // before * after
    rows = [network(row[None, :, : n * before]) for row, n in zip(x, lengths.tolist(), strict=True)]
    return torch.cat([nn.functional.pad(row, (0, longest - row.shape[2])) for row in rows])


class ConvNeXt(nn.Module):
    """ConvNeXt block over time: depthwise convolution, then a two-layer perceptron per frame.

    Liu et al., "A ConvNet for the 2020s", in the 1-D form of Vocos. (batch, width, frames) in and out.
    It uses LayerNorm, not BatchNorm, because the search runs single utterances through a network that was
    trained on batches.
    """

    def __init__(self, width: int, expansion: int, kernel: int = 7) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, expansion * width)
        self.down = nn.Linear(expansion * width, width)
        self.activation = nn.GELU()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """`mask` (batch, 1, frames) zeroes everything after the end of a file, as padding would."""
        normed = self.norm(self.depthwise(x).transpose(1, 2))
        y: Tensor = self.down(self.activation(self.up(normed))).transpose(1, 2)
        return x + (y if mask is None else y * mask)


class ResidualBlock2d(nn.Module):
    """Two 3 x 3 convolutions with reflection padding, as in pix2pixHD. (batch, channels, mel, frames)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y
