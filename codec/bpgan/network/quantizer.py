"""Sixteen non-uniform levels for every latent value, fitted by k-means and refined in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.bpgan.config import LatentConfig


class Quantizer(nn.Module):
    """Scalar quantiser with `levels` centres per channel (or one set for all channels).

    Centres are a buffer of shape (channels or 1, levels), ascending, so that neighbouring symbols
    are neighbouring values.
    """

    centres: Tensor

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        rows = config.channels if config.codebook == "channel" else 1
        start = torch.linspace(-2.0, 2.0, config.levels).repeat(rows, 1)
        self.register_buffer("centres", start)
        self.channels = config.channels

    def per_channel(self) -> Tensor:
        """Centres as (channels, levels), whichever codebook the model has."""
        return self.centres.expand(self.channels, -1)

    def spread(self) -> Tensor:
        """Standard deviation of each channel's centres, (channels, 1): the natural unit of its values."""
        return self.per_channel().std(dim=1, keepdim=True)

    def encode(self, z: Tensor) -> Tensor:
        """z (batch, channels, frames) -> symbols, int64 of the same shape: the nearest centre.

        Here and in `decode`, the input may have only the first of the model's channels.
        """
        centres = self.per_channel()[: z.shape[1]]
        # A search among sorted midpoints needs no (..., levels) tensor of distances.
        thresholds = ((centres[:, 1:] + centres[:, :-1]) / 2).contiguous()
        flat = z.detach().float().transpose(0, 1).flatten(1).contiguous()
        symbols = torch.searchsorted(thresholds, flat)
        return symbols.reshape(len(symbols), z.shape[0], z.shape[2]).transpose(0, 1)

    def decode(self, symbols: Tensor) -> Tensor:
        """Symbols (batch, channels, frames) -> values of the same shape."""
        centres = self.per_channel()[: symbols.shape[1]]
        flat = symbols.transpose(0, 1).flatten(1)
        values = torch.gather(centres, 1, flat)
        return values.reshape(len(values), symbols.shape[0], symbols.shape[2]).transpose(0, 1)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Quantised values with the gradient of z (straight-through), and the symbols."""
        symbols = self.encode(z)
        values = self.decode(symbols)
        return z + (values - z).detach(), symbols

    @torch.no_grad()
    def fit(self, samples: Tensor, rounds: int = 30) -> None:
        """Fit the centres by k-means (Lloyd), from quantiles of `samples` (channels, n).

        Raises:
            ValueError: a sample is not finite.
        """
        if not torch.isfinite(samples).all():
            raise ValueError("Latent samples are not finite: training has diverged.")
        rows, levels = self.centres.shape
        data = samples.float().reshape(rows, -1)
        at = (torch.arange(levels) + 0.5) / levels
        data, _ = data.sort(dim=1)
        index = (at * data.shape[1]).long()
        self.centres.copy_(data[:, index])
        for _ in range(rounds):
            self._lloyd(data, 1.0)

    @torch.no_grad()
    def adapt(self, z: Tensor, rate: float) -> None:
        """Move centres by `rate` to the means of the z (batch, channels, frames) that chose them."""
        self._lloyd(z.detach().float().transpose(0, 1).reshape(self.centres.shape[0], -1), rate)

    def _lloyd(self, data: Tensor, rate: float) -> None:
        thresholds = ((self.centres[:, 1:] + self.centres[:, :-1]) / 2).contiguous()
        nearest = torch.searchsorted(thresholds, data.contiguous())
        total = torch.zeros_like(self.centres).scatter_add_(1, nearest, data)
        count = torch.zeros_like(self.centres).scatter_add_(1, nearest, torch.ones_like(data))
        means = torch.where(count > 0, total / count.clamp_min(1), self.centres)
        self.centres.lerp_(means, rate)
        # Means of adjacent cells are ordered, and a partial step from ordered centres keeps the order.
