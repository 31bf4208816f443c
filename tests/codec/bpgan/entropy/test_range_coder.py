"""Both entropy coders: exact round trips at the length that information theory promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from codec.base import CodecError
from codec.bpgan.entropy import huffman, range_coder
from codec.bpgan.entropy.base import TOTAL, ContextModel, read_contexts
from codec.bpgan.entropy.tables import TableContexts, to_frequencies
from tests.codec.bpgan.models import RNG, draw_symbols, extreme_nade, random_nade, random_tables

MODELS: list[ContextModel] = [random_tables(4), random_nade(4), random_nade(4, delays=1), extreme_nade(4)]
MARGINALS = to_frequencies(RNG.dirichlet(np.full(16, 0.5), 4))

symbol_arrays = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 80)), elements=st.integers(0, 15)
)
models = st.sampled_from(MODELS)


def ideal_bits(contexts: ContextModel, symbols: np.ndarray) -> float:
    """Information of symbols by the frequencies that the decoder sees."""
    predictor = contexts.predictor(len(symbols))
    bits = 0.0
    for column in symbols.T.tolist():
        for channel, symbol in enumerate(column):
            edges = predictor.edges(channel)
            bits -= np.log2((edges[symbol + 1] - edges[symbol]) / TOTAL)
            predictor.put(channel, symbol)
    return bits


@given(symbol_arrays, models)
@settings(max_examples=80)
def test_range_coder_round_trips_at_the_ideal_length(symbols: np.ndarray, contexts: ContextModel) -> None:
    payload = range_coder.encode_symbols(symbols, contexts)
    channels, frames = symbols.shape
    assert np.array_equal(range_coder.decode_symbols(payload, contexts, frames, channels), symbols)
    bits = ideal_bits(contexts, symbols)
    # The end of the file is known: the last bits may be left out.
    assert bits - 8 <= 8 * len(payload) <= bits + 16
    assert frames * contexts.fewest_bits(channels) <= bits + 1e-6


@pytest.mark.parametrize("contexts", MODELS)
def test_the_end_of_a_file_costs_less_than_a_byte(contexts: ContextModel) -> None:
    # Half a byte is lost on average to whole bytes alone.
    wasted = []
    for frames in range(20, 60):
        symbols = draw_symbols(contexts, 3, frames)
        wasted.append(8 * len(range_coder.encode_symbols(symbols, contexts)) - ideal_bits(contexts, symbols))
    assert np.mean(wasted) < 8


@pytest.mark.parametrize("contexts", MODELS)
def test_a_long_file_round_trips(contexts: ContextModel) -> None:
    # Longer than what the encoder and the network's predictor work off at once.
    symbols = draw_symbols(contexts, 3, 400)
    payload = range_coder.encode_symbols(symbols, contexts)
    np.testing.assert_array_equal(range_coder.decode_symbols(payload, contexts, 400, 3), symbols)


@pytest.mark.parametrize("symbol", [0, 15])
def test_range_coder_round_trips_through_long_carries(symbol: int) -> None:
    # The likeliest symbol at the top of the interval keeps low near the carry.
    weights = np.full((4, 17, 16), 1e-9)
    weights[..., symbol] = 1
    tables = TableContexts(to_frequencies(weights))
    symbols = np.full((4, 3000), symbol, np.uint8)
    symbols[2, ::97] = 7
    payload = range_coder.encode_symbols(symbols, tables)
    assert np.array_equal(range_coder.decode_symbols(payload, tables, 3000), symbols)


@given(symbol_arrays)
@settings(max_examples=60)
def test_huffman_round_trips(symbols: np.ndarray) -> None:
    marginals = MARGINALS[: len(symbols)]
    payload = huffman.encode_symbols(symbols, marginals)
    lengths = [huffman.code_lengths(row) for row in marginals.tolist()]
    bits = sum(own[symbol] for own, row in zip(lengths, symbols, strict=True) for symbol in row)
    assert len(payload) == -(-bits // 8)
    assert np.array_equal(huffman.decode_symbols(payload, marginals, symbols.shape[1]), symbols)


def test_huffman_is_optimal_within_a_bit_and_prefix_free() -> None:
    for row in MARGINALS.tolist():
        lengths = huffman.code_lengths(row)
        assert sum(2.0**-n for n in lengths) == 1.0  # Kraft: full and decodable
        share = np.array(row) / TOTAL
        bits = -(share * np.log2(share)).sum()
        assert bits <= (share * lengths).sum() < bits + 1


def test_huffman_says_when_symbols_are_missing() -> None:
    payload = huffman.encode_symbols(np.full((4, 50), 3, np.uint8), MARGINALS)
    with pytest.raises(CodecError, match="truncated"):
        huffman.decode_symbols(payload[: len(payload) // 2], MARGINALS, 50)


@given(st.binary(max_size=200), models)
@settings(max_examples=80)
def test_range_decoder_takes_any_bytes(payload: bytes, contexts: ContextModel) -> None:
    try:
        symbols = range_coder.decode_symbols(payload, contexts, 20)
    except CodecError:
        return
    assert symbols.shape == (4, 20)
    assert symbols.max() < 16


@pytest.mark.parametrize("contexts", MODELS)
def test_a_payload_bounds_the_time_that_it_takes(contexts: ContextModel) -> None:
    payload = RNG.bytes(40)
    frames = int((8 * len(payload) + 64) / contexts.fewest_bits()) + 1
    with pytest.raises(CodecError, match="truncated"):
        range_coder.decode_symbols(payload, contexts, frames)


@pytest.mark.parametrize("contexts", MODELS[:3])  # symbols of the last are nearly free
def test_a_truncated_payload_is_named(contexts: ContextModel) -> None:
    symbols = draw_symbols(contexts, 4, 100)
    whole = range_coder.encode_symbols(symbols, contexts)
    # Up to four bytes short the decoder cannot know; then it runs out, unless what it reads is cheaper.
    seen = 0
    for cut in range(0, len(whole) - 5, 3):
        try:
            wrong = range_coder.decode_symbols(whole[:cut], contexts, 100)
        except CodecError:
            seen += 1
        else:
            assert ideal_bits(contexts, wrong) <= 8 * (cut + 5)
    assert seen


@pytest.mark.parametrize("change", ["row", "kind", "shape", "missing"])
def test_damaged_tables_are_refused(change: str) -> None:
    for contexts in (MODELS[0], MODELS[1]):
        arrays = dict(contexts.arrays())
        name = next(reversed(arrays))
        if change == "missing":
            del arrays[name]
        elif change == "kind":
            arrays[name] = arrays[name].astype(np.int64)
        elif change == "shape":
            arrays[name] = arrays[name][:, :-1]
        elif contexts is MODELS[0]:
            arrays[name] = arrays[name] - 1
        else:
            arrays["bias"] = arrays["bias"] + (1 << 25)
        with pytest.raises(CodecError, match="tables"):
            read_contexts(arrays)


@pytest.mark.parametrize("contexts", MODELS)
def test_models_survive_their_arrays(contexts: ContextModel) -> None:
    again = read_contexts(contexts.arrays())
    symbols = draw_symbols(contexts, 4, 20)
    assert range_coder.encode_symbols(symbols, again) == range_coder.encode_symbols(symbols, contexts)
