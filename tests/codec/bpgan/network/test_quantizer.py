"""Levels: k-means, nearest-centre coding, straight-through gradients."""

from __future__ import annotations

import pytest
import torch

from codec.bpgan.config import LatentConfig
from codec.bpgan.network.quantizer import Quantizer


def fitted(codebook: str = "channel") -> Quantizer:
    quantizer = Quantizer(LatentConfig(channels=3, levels=16, codebook=codebook))
    generator = torch.Generator().manual_seed(1)
    scale = torch.tensor([[0.5], [1.0], [4.0]])
    quantizer.fit(torch.randn(3, 20_000, generator=generator) * scale)
    return quantizer


@pytest.mark.parametrize("codebook", ["channel", "global"])
def test_symbols_name_the_nearest_centre(codebook: str) -> None:
    quantizer = fitted(codebook)
    z = torch.randn(2, 3, 50) * 2
    distances = (z[..., None] - quantizer.per_channel()[None, :, None, :]).abs()
    assert torch.equal(quantizer.encode(z), distances.argmin(-1))
    values = quantizer.decode(quantizer.encode(z))
    torch.testing.assert_close((z - values).abs(), distances.amin(-1))


def test_kmeans_is_close_to_the_best_16_levels_for_a_normal_distribution() -> None:
    # Max (1960), table I: the least mean squared error of 16 levels for N(0, 1) is 0.009497.
    quantizer = fitted()
    z = torch.randn(1, 3, 50_000, generator=torch.Generator().manual_seed(2)) * torch.tensor(
        [[0.5], [1.0], [4.0]]
    )
    error = (z - quantizer.decode(quantizer.encode(z))).square().mean(dim=(0, 2)) / torch.tensor(
        [0.25, 1.0, 16.0]
    )
    assert (error < 0.0125).all()
    assert (quantizer.centres.diff(dim=1) > 0).all()


def test_the_gradient_passes_straight_through() -> None:
    quantizer = fitted()
    z = torch.randn(1, 3, 10, requires_grad=True)
    values, _ = quantizer(z)
    values.square().sum().backward()
    torch.testing.assert_close(z.grad, 2 * values.detach())


def test_adapting_moves_centres_towards_their_values_and_keeps_their_order() -> None:
    quantizer = fitted()
    before = quantizer.centres.clone()
    z = torch.full((1, 3, 100), 1.0)
    index = quantizer.encode(z)[0, :, 0]
    quantizer.adapt(z, 0.5)
    rows = torch.arange(3)
    torch.testing.assert_close(quantizer.centres[rows, index], (before[rows, index] + 1.0) / 2)
    assert (quantizer.centres.diff(dim=1) > 0).all()


def test_a_diverged_encoder_is_refused() -> None:
    with pytest.raises(ValueError, match="diverged"):
        Quantizer(LatentConfig()).fit(torch.full((16, 10), float("nan")))
