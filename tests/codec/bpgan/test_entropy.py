"""Both entropy coders: exact round trips at the length that information theory promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from codec.base import CodecError
from codec.bpgan import entropy, huffman
from codec.bpgan.contexts import TOTAL, ContextModel, to_frequencies

RNG = np.random.default_rng(5)
SKEWED = ContextModel(to_frequencies(RNG.dirichlet(np.full(16, 0.3), (4, 17))))
MARGINALS = to_frequencies(RNG.dirichlet(np.full(16, 0.5), 4))

symbol_arrays = hnp.arrays(np.uint8, st.tuples(st.just(4), st.integers(1, 60)), elements=st.integers(0, 15))


def drawn(frames: int) -> np.ndarray:
    """Symbols that follow SKEWED."""
    out = np.zeros((4, frames), np.uint8)
    for channel in range(4):
        previous = 16
        for frame in range(frames):
            previous = RNG.choice(16, p=SKEWED.frequencies[channel, previous] / TOTAL)
            out[channel, frame] = previous
    return out


@given(symbol_arrays)
@settings(max_examples=60, deadline=None)
def test_range_coder_round_trips(symbols: np.ndarray) -> None:
    payload = entropy.encode_symbols(symbols, SKEWED)
    assert np.array_equal(entropy.decode_symbols(payload, SKEWED, symbols.shape[1]), symbols)


@pytest.mark.parametrize("symbol", [0, 15])
def test_range_coder_round_trips_through_long_carries(symbol: int) -> None:
    # The likeliest symbol at the top of the interval keeps low near the carry.
    weights = np.full((4, 17, 16), 1e-9)
    weights[..., symbol] = 1
    tables = ContextModel(to_frequencies(weights))
    symbols = np.full((4, 3000), symbol, np.uint8)
    symbols[2, ::97] = 7
    payload = entropy.encode_symbols(symbols, tables)
    assert np.array_equal(entropy.decode_symbols(payload, tables, 3000), symbols)


def test_range_coder_is_within_two_bytes_of_the_ideal() -> None:
    symbols = drawn(400)
    codes = torch.from_numpy(symbols.astype(np.int64))
    counts = entropy.count([codes], 16)
    ideal = -(counts * np.log2(SKEWED.frequencies / TOTAL)).sum()
    used = 8 * len(entropy.encode_symbols(symbols, SKEWED))
    assert ideal - 1e-6 <= used <= ideal + 24


@given(symbol_arrays)
@settings(max_examples=60, deadline=None)
def test_huffman_round_trips(symbols: np.ndarray) -> None:
    payload, bits = huffman.encode_symbols(symbols, MARGINALS)
    assert len(payload) == -(-bits // 8)
    assert np.array_equal(huffman.decode_symbols(payload, MARGINALS, symbols.shape[1]), symbols)


def test_huffman_is_optimal_within_a_bit_and_prefix_free() -> None:
    for row in MARGINALS.tolist():
        lengths = huffman.code_lengths(row)
        assert sum(2.0**-n for n in lengths) == 1.0  # Kraft: full and decodable
        share = np.array(row) / TOTAL
        bits = -(share * np.log2(share)).sum()
        assert bits <= (share * lengths).sum() < bits + 1


def test_huffman_says_when_symbols_are_missing() -> None:
    payload, _ = huffman.encode_symbols(np.full((4, 50), 3, np.uint8), MARGINALS)
    with pytest.raises(CodecError, match="truncated"):
        huffman.decode_symbols(payload[: len(payload) // 2], MARGINALS, 50)


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_range_decoder_takes_any_bytes(payload: bytes) -> None:
    try:
        symbols = entropy.decode_symbols(payload, SKEWED, 20)
    except CodecError:
        # What one more zero byte for each symbol makes whole was really too short.
        symbols = entropy.decode_symbols(payload + bytes(2 * 80), SKEWED, 20)
    assert symbols.shape == (4, 20)
    assert symbols.max() < 16


def test_range_decoder_ends_with_the_payload() -> None:
    symbols = np.random.default_rng(1).integers(0, 16, (4, 50)).astype(np.uint8)
    payload = entropy.encode_symbols(symbols, SKEWED)
    with pytest.raises(CodecError, match="truncated"):
        entropy.decode_symbols(payload[:-6], SKEWED, 50)
    with pytest.raises(CodecError, match="truncated"):
        entropy.decode_symbols(b"", SKEWED, 1 << 20)


def test_tables_sum_exactly_and_leave_no_symbol_out() -> None:
    codes = [torch.randint(0, 3, (4, 500))]
    tables = entropy.fit(codes, 16).frequencies
    assert tables.shape == (4, 17, 16)
    assert (tables >= 1).all()
    assert (tables.sum(-1) == TOTAL).all()


def test_damaged_tables_are_refused() -> None:
    with pytest.raises(CodecError, match="tables"):
        ContextModel(SKEWED.frequencies - 1)


def test_context_is_worth_its_bits() -> None:
    symbols = np.repeat(RNG.integers(0, 16, (4, 200)), 4, axis=1).astype(np.uint8)
    codes = [torch.from_numpy(symbols.astype(np.int64))]
    with_context = len(entropy.encode_symbols(symbols, entropy.fit(codes, 16)))
    assert 8 * with_context / symbols.size < 0.6 * entropy.order0_bits(codes, 16)
