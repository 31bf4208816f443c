"""Costs for the search: what the coder charges, and what changing one symbol does to the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codec.bpgan import entropy, huffman
from codec.bpgan.contexts import ContextModel, RateModel, to_frequencies
from codec.bpgan.rates import ContextRates, HuffmanRates

RNG = np.random.default_rng(11)
CONTEXTS = ContextModel(to_frequencies(RNG.dirichlet(np.full(16, 0.4), (5, 17))))
MARGINALS = to_frequencies(RNG.dirichlet(np.full(16, 0.4), 5))
MODELS = [ContextRates(CONTEXTS), HuffmanRates(MARGINALS)]


def symbols(channels: int = 5, frames: int = 30) -> torch.Tensor:
    return torch.from_numpy(RNG.integers(0, 16, (2, channels, frames)))


@pytest.mark.parametrize("channels", [5, 3])
def test_bits_are_those_of_the_bytes(channels: int) -> None:
    codes = symbols(channels, 200)
    for row, bits in zip(codes, ContextRates(CONTEXTS).bits(codes).sum(dim=(1, 2)), strict=True):
        payload = entropy.encode_symbols(row.numpy().astype(np.uint8), CONTEXTS)
        assert bits - 1 <= 8 * len(payload) <= bits + 16
    for row, bits in zip(codes, HuffmanRates(MARGINALS).bits(codes).sum(dim=(1, 2)), strict=True):
        assert huffman.encode_symbols(row.numpy().astype(np.uint8), MARGINALS[:channels])[1] == bits


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("channels", [5, 2])
def test_an_alternative_changes_the_whole_by_what_is_said(model: RateModel, channels: int) -> None:
    codes = symbols(channels)
    change = model.alternatives(codes)
    assert not change.gather(-1, codes[..., None]).any()
    before = model.bits(codes).sum(dim=(1, 2))
    for _ in range(40):
        c, t, v = (int(RNG.integers(0, n)) for n in (channels, 30, 16))
        other = codes.clone()
        other[:, c, t] = v
        torch.testing.assert_close(
            model.bits(other).sum(dim=(1, 2)) - before, change[:, c, t, v], rtol=0, atol=1e-3
        )


@pytest.mark.parametrize("model", MODELS)
def test_padding_costs_nothing_and_changes_nothing(model: RateModel) -> None:
    codes = symbols()
    lengths = torch.tensor([30, 17])
    bits, change = model.bits(codes, lengths), model.alternatives(codes, lengths)
    torch.testing.assert_close(bits[1, :, :17], model.bits(codes[1:, :, :17])[0])
    torch.testing.assert_close(change[1, :, :17], model.alternatives(codes[1:, :, :17])[0])
    assert not bits[1, :, 17:].any()
    assert not change[1, :, 17:].any()
