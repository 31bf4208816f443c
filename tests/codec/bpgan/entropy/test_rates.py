"""Costs for the search: what the coder charges, and what changing one symbol does to the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codec.bpgan.entropy import huffman, range_coder, rates
from codec.bpgan.entropy.base import ContextModel, RateModel, read_contexts
from codec.bpgan.entropy.rates import HuffmanRates, build_rates
from codec.bpgan.entropy.tables import to_frequencies
from tests.codec.bpgan.models import draw_symbols, random_nade, random_tables
from tests.rows import some

RNG = np.random.default_rng(11)
TABLES, NADE = random_tables(5), random_nade(5)
MARGINALS = to_frequencies(RNG.dirichlet(np.full(16, 0.4), 5))
RATES = [build_rates(TABLES), build_rates(NADE), HuffmanRates(MARGINALS)]


def symbols(channels: int = 5, frames: int = 30) -> torch.Tensor:
    return torch.from_numpy(RNG.integers(0, 16, (2, channels, frames)))


@pytest.mark.parametrize("contexts", [TABLES, NADE])
@pytest.mark.parametrize("channels", [5, 3])
def test_bits_are_those_of_the_bytes(contexts: ContextModel, channels: int) -> None:
    for codes in (draw_symbols(contexts, channels, 200), symbols(channels, 200)[0].numpy().astype(np.uint8)):
        bits = float(build_rates(contexts).bits(torch.from_numpy(codes.astype(np.int64))[None]).sum())
        used = 8 * len(range_coder.encode_symbols(codes, contexts))
        rounding = 1e-3 * bits
        # Trailing zero bytes are left off: by chance a byte, or with one code in 65536 two.
        assert bits - 9 - rounding <= used <= bits + 16 + rounding


def test_bits_of_huffman_are_those_of_its_bits() -> None:
    codes = symbols(3, 200)
    for row, bits in zip(codes, HuffmanRates(MARGINALS).bits(codes).sum(dim=(1, 2)), strict=True):
        payload = huffman.encode_symbols(row.numpy().astype(np.uint8), MARGINALS)
        assert len(payload) == -(-int(bits) // 8)


@pytest.mark.parametrize("model", [RATES[0], RATES[2]])
@pytest.mark.parametrize("channels", some([5, 2], (5).__eq__))
def test_an_alternative_changes_the_whole_by_what_is_said(model: RateModel, channels: int) -> None:
    codes = symbols(channels)
    change = model.alternatives(codes)
    before = model.bits(codes).sum(dim=(1, 2))
    for _ in range(40):
        c, t, v = (int(RNG.integers(0, n)) for n in (channels, 30, 16))
        other = codes.clone()
        other[:, c, t] = v
        torch.testing.assert_close(
            model.bits(other).sum(dim=(1, 2)) - before, change[:, c, t, v], rtol=0, atol=1e-3
        )


@pytest.mark.parametrize("delays", [1, 2])
def test_alternatives_of_the_network_are_right_to_first_order(delays: int) -> None:
    # With weights so small that the network is all but linear, the first order is all there is.
    arrays = dict(random_nade(5, delays=delays).arrays())
    for name, by in (("current", 6), ("past", 6), ("memory", 6), ("output", 2), ("direct", 10)):
        arrays[name] = np.trunc(arrays[name] / by).astype(arrays[name].dtype)
    arrays["bias"] = abs(arrays["bias"]) + 150
    contexts = read_contexts(arrays)
    model = build_rates(contexts)
    codes = symbols()
    change, before = model.alternatives(codes), model.bits(codes).sum(dim=(1, 2))
    own = model.bits(codes)
    said, whole = [], []
    for t in (0, 12, 28, 29):
        for c in range(5):
            other = codes.clone()
            other[:, c, t] = (codes[:, c, t] + 3) % 16
            alone = (model.bits(other) - own)[:, c, t]
            said.append(change[:, c, t].gather(1, other[:, c, t, None])[:, 0] - alone)
            whole.append(model.bits(other).sum(dim=(1, 2)) - before - alone)
    error, size = (torch.stack(said) - torch.stack(whole)).norm(), torch.stack(whole).norm()
    assert size > 0.5
    assert error < 0.25 * size


@pytest.mark.parametrize("model", RATES)
def test_what_is_there_changes_nothing(model: RateModel) -> None:
    codes = symbols(4)
    assert not model.alternatives(codes).gather(-1, codes[..., None]).any()


@pytest.mark.parametrize("model", RATES)
@pytest.mark.parametrize("length", [17, 1])
def test_padding_costs_nothing_and_changes_nothing(model: RateModel, length: int) -> None:
    codes = symbols()
    lengths = torch.tensor([30, length])
    bits, change = model.bits(codes, lengths), model.alternatives(codes, lengths)
    torch.testing.assert_close(bits[1, :, :length], model.bits(codes[1:, :, :length])[0])
    torch.testing.assert_close(change[1, :, :length], model.alternatives(codes[1:, :, :length])[0])
    assert not bits[1, :, length:].any()
    assert not change[1, :, length:].any()


def test_large_batches_are_worked_off_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = torch.from_numpy(RNG.integers(0, 16, (5, 4, 20)))
    lengths = torch.tensor([20, 3, 17, 20, 9])
    model = build_rates(NADE)
    whole = [model.bits(codes, lengths), model.alternatives(codes, lengths)]
    monkeypatch.setattr(rates, "_MOST", (2 * 4 * 20 * NADE.hidden,) * 2)
    torch.testing.assert_close(model.bits(codes, lengths), whole[0])
    torch.testing.assert_close(model.alternatives(codes, lengths), whole[1])
