"""Tables from symbols: they learn what there is to learn, the same each time, and no more than there is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codec.bpgan.entropy import fitting, range_coder
from codec.bpgan.entropy.base import TOTAL
from codec.bpgan.entropy.nade import NadeContexts
from codec.bpgan.entropy.rates import build_rates
from tests.codec.bpgan.models import draw_symbols, random_nade
from tests.rows import some

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def follow_the_leader(files: int, channels: int = 3, frames: int = 60) -> list[torch.Tensor]:
    """Symbols of which each channel is that of the channel before, one up: only the network can know."""
    codes = []
    for _ in range(files):
        first = RNG.integers(0, 16, frames)
        noise = RNG.random((channels, frames)) < 0.1
        rows = (first + np.arange(channels)[:, None]) % 16
        codes.append(torch.from_numpy(np.where(noise, RNG.integers(0, 16, noise.shape), rows)))
    return codes


def test_a_network_learns_what_other_channels_tell() -> None:
    codes, unseen = follow_the_leader(40), follow_the_leader(4)
    network = fitting.fit(codes, 16, hidden=48, steps=200)
    bits = fitting.compare_coders(unseen, 16, network, codes)
    assert bits["uniform"] == 4
    assert bits["order 1"] > 3.9
    assert bits["contexts"] < 3.0


def test_the_same_symbols_give_the_same_tables() -> None:
    codes = follow_the_leader(6)
    one, other = (fitting.fit(codes, 16, hidden=8, steps=20).arrays() for _ in range(2))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("seed", some(range(4), (0).__eq__))
def test_where_there_is_nothing_to_learn_it_is_no_worse_than_order_1(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = [torch.from_numpy(rng.integers(0, 16, (3, 20))) for _ in range(10)]
    fitted = fitting.fit(codes, 16, hidden=32, steps=100, rate=0.05)
    tables = fitting.fit_tables(codes[:9], 16)
    bits = [float(build_rates(model).bits(codes[9][None]).sum()) for model in (fitted, tables)]
    assert bits[0] <= bits[1] + 0.1


def test_fitting_goes_on_from_a_model_and_keeps_what_it_is_not_told_of() -> None:
    codes = follow_the_leader(30)
    start = fitting.fit(codes, 16, channels=5, hidden=24, steps=150)
    assert isinstance(start, NadeContexts)
    assert start.channels == 5
    on = fitting.fit([code[:2] for code in codes], 16, start=start, steps=30, rate=1e-3)
    assert on.channels == 5
    for name in ("current", "output", "direct"):
        np.testing.assert_array_equal(on.arrays()[name][2:], start.arrays()[name][2:])
    unseen = follow_the_leader(4)
    before, after = (fitting.compare_coders(unseen, 16, m, codes)["contexts"] for m in (start, on))
    assert abs(after - before) < 0.2


def test_layers_may_be_mixed() -> None:
    codes = [code[: 2 + i % 2] for i, code in enumerate(follow_the_leader(30))]
    fitted = fitting.fit(codes, 16, hidden=24, steps=150)
    assert fitted.channels == 3
    for unseen in (code[:c] for code in follow_the_leader(2) for c in (2, 3)):
        bits = fitting.compare_coders([unseen], 16, fitted, codes)
        assert bits["contexts"] < bits["order 1"]


def test_layers_are_learnt_from_files_that_send_all() -> None:
    # Every second symbol is the same: only the network looks so far back.
    codes = [torch.from_numpy(np.tile(RNG.integers(0, 16, (3, 2)), 30)) for _ in range(40)]
    first, both = (fitting.fit(codes, 16, layers=n, hidden=32, steps=150) for n in ((1,), (1, 3)))
    assert first.arrays()["output"][0].any()
    assert not first.arrays()["output"][1:].any()
    assert both.arrays()["output"].any(axis=(1, 2)).all()
    for sent in (1, 3):
        bits = fitting.compare_coders([code[:sent] for code in codes[:5]], 16, both, codes)
        assert bits["contexts"] < bits["order 1"] - 0.3


def test_the_network_of_the_fit_is_the_coders() -> None:
    # Symbols drawn from a network cost what that network says, and fitting from it finds nothing better.
    truth = random_nade(3)
    codes = [torch.from_numpy(draw_symbols(truth, 3, 40).astype(np.int64)) for _ in range(12)]
    kept = fitting.fit(codes, 16, start=truth, steps=5, rate=1e-5)
    assert all(np.array_equal(kept.arrays()[name], array) for name, array in truth.arrays().items())


def test_tables_sum_exactly_and_leave_no_symbol_out() -> None:
    codes = [torch.randint(0, 3, (4, 500))]
    tables = fitting.fit_tables(codes, 16).frequencies
    assert tables.shape == (4, 17, 16)
    assert (tables >= 1).all()
    assert (tables.sum(-1) == TOTAL).all()


def test_context_is_worth_its_bits() -> None:
    symbols = np.repeat(RNG.integers(0, 16, (4, 200)), 4, axis=1).astype(np.uint8)
    codes = [torch.from_numpy(symbols.astype(np.int64))]
    with_context = len(range_coder.encode_symbols(symbols, fitting.fit_tables(codes, 16)))
    assert 8 * with_context / symbols.size < 0.6 * fitting.measure_entropy(codes, 16)


def test_coders_are_ordered_and_their_bytes_add_up() -> None:
    codes = follow_the_leader(8)
    bits = fitting.compare_coders(codes, 16, fitting.fit_tables(codes, 16), codes)
    # Symbols that are uniform, but for the tables' noise and the ends of files.
    for name in ("Huffman", "order 0"):
        assert 3.8 < bits[name] < 4.2
    lengths = sum(
        len(range_coder.encode_symbols(c.numpy().astype(np.uint8), fitting.fit_tables(codes, 16)))
        for c in codes
    )
    assert bits["order 1"] == pytest.approx(8 * lengths / sum(c.numel() for c in codes))
    assert fitting.compare_coders(codes[:1], 16, fitting.fit_tables(codes, 16))["uniform"] == 4
