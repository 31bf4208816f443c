"""Discriminators of spectrograms, used only in training: pix2pixHD's multi-scale PatchGAN."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, l1_loss, leaky_relu


class PatchDiscriminator(nn.Module):
    """(batch, 1, bands, frames) -> feature maps of every layer, the last being a verdict per patch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [1, width, 2 * width, 4 * width, 4 * width]
        strides = [2, 2, 2, 1]
        self.layers = nn.ModuleList(
            nn.Conv2d(i, o, 4, stride, padding=1)
            for (i, o), stride in zip(pairwise(widths), strides, strict=True)
        )
        self.verdict = nn.Conv2d(widths[-1], 1, 4, padding=1)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for layer in self.layers:
            x = leaky_relu(layer(x), 0.2)
            features.append(x)
        return [*features, self.verdict(x)]


class Discriminators(nn.Module):
    """The same discriminator at several scales: the finest sees harmonics, the coarsest formants."""

    def __init__(self, scales: int, width: int) -> None:
        super().__init__()
        self.critics = nn.ModuleList(PatchDiscriminator(width) for _ in range(scales))

    def forward(self, mel: Tensor) -> list[list[Tensor]]:
        """Log-mel (batch, bands, frames) -> feature maps per scale."""
        x = mel.unsqueeze(1)
        out = []
        for critic in self.critics:
            out.append(critic(x))
            x = avg_pool2d(x, 2)
        return out


def discriminator_loss(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Least-squares GAN loss of the discriminators (Mao et al. 2017), mean over scales."""
    losses = [
        (r[-1].float() - 1).square().mean() + f[-1].float().square().mean()
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(losses).mean()


def adversarial_loss(fake: list[list[Tensor]]) -> Tensor:
    """Least-squares GAN loss of the generator, mean over scales."""
    return torch.stack([(f[-1].float() - 1).square().mean() for f in fake]).mean()


def feature_loss(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """L1 between feature maps of real and generated, mean over layers and scales (Wang et al. 2018)."""
    losses = [
        l1_loss(f.float(), r.detach().float())
        for rs, fs in zip(real, fake, strict=True)
        for r, f in zip(rs[:-1], fs[:-1], strict=True)
    ]
    return torch.stack(losses).mean()
