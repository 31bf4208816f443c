"""Layers that encoder and generator share."""

from __future__ import annotations

from torch import Tensor, nn


class ConvNeXt(nn.Module):
    """ConvNeXt block over time: depthwise convolution, then a two-layer perceptron per frame.

    Liu et al., "A ConvNet for the 2020s", in the 1-D form of Vocos. (batch, width, frames) in and out.
    LayerNorm, not BatchNorm: the search runs single utterances through a network trained on batches.
    """

    def __init__(self, width: int, expansion: int, kernel: int = 7) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, expansion * width)
        self.down = nn.Linear(expansion * width, width)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).transpose(1, 2))
        y = self.down(self.activation(self.up(y)))
        return x + y.transpose(1, 2)


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
        return x + self.layers(x)
