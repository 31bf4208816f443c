"""The coder's network against its definition, worked out number by number in Python's integers."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest

from codec.base import CodecError
from codec.bpgan.entropy import nade, range_coder
from codec.bpgan.entropy.base import TOTAL
from tests.codec.bpgan.models import LEVELS, RNG, extreme_nade, random_nade


def edges_by_hand(model: nade.NadeContexts, symbols: list[list[int]], t: int, channel: int) -> list[int]:
    """Cumulative frequencies of a symbol from all before it; `symbols` is [frame][channel]."""
    a = {name: array.tolist() for name, array in model.arrays().items()}
    channels = len(symbols[0])
    before = [[LEVELS] * channels] * model.delays + symbols
    means = [1920] * channels  # 7.5, in 1 / 256
    for frame in symbols[:t]:
        means = [m + ((256 * s - m) >> 3) for m, s in zip(means, frame, strict=True)]
    hidden = []
    for i in range(model.hidden):
        total = a["bias"][i] + (sum((means[j] - 1920) * a["memory"][j][i] for j in range(channels)) >> 10)
        for delay in range(1, model.delays + 1):
            frame = before[model.delays + t - delay]
            total += sum(a["past"][delay - 1][j][frame[j]][i] for j in range(channels))
        total += sum(a["current"][j][symbols[t][j]][i] for j in range(channel))
        hidden.append(min(max(total, 0), 32767))
    previous = before[model.delays + t - 1][channel]
    logs = [
        (
            sum(h * a["output"][channel][i][v] for i, h in enumerate(hidden))
            + 16 * a["direct"][channel][previous][v]
        )
        >> 4
        for v in range(LEVELS)
    ]
    assert max(map(abs, logs)) < 1 << 27  # before the shift, within 32 bits
    weights = []
    for log in logs:
        whole, part = divmod(max(logs) - log, 256)
        weights.append(nade.POWERS[part] >> whole)
    upto = [0, *accumulate(weights)]
    return [16 * v + upto[v] * (TOTAL - 16 * LEVELS) // upto[-1] for v in range(LEVELS + 1)]


@pytest.mark.parametrize("make", [random_nade, lambda c: random_nade(c, delays=3), extreme_nade])
@pytest.mark.parametrize("channels", [5, 2])
def test_frequencies_are_those_of_the_definition(make, channels: int) -> None:
    model = make(5)
    frames = 70 if model.hidden < 100 else 4  # beyond a chunk of the encoder
    symbols = RNG.integers(0, LEVELS, (channels, frames)).astype(np.uint8)
    columns = symbols.T.tolist()
    starts, sizes = model.predictor(channels).intervals(symbols)
    decoding = model.predictor(channels)
    for t in range(frames):
        for c in range(channels):
            edges = decoding.edges(c)
            if frames < 10 or t % 13 < 2:
                assert edges == edges_by_hand(model, columns, t, c)
            symbol = columns[t][c]
            assert (starts[t][c], sizes[t][c]) == (edges[symbol], edges[symbol + 1] - edges[symbol])
            assert edges[0] == 0
            assert edges[-1] == TOTAL
            assert min(np.diff(edges)) >= nade.FLOOR
            assert max(np.diff(edges)) <= model.most_frequent()[c]
            decoding.put(c, symbol)


def test_no_sum_leaves_32_bits_at_the_bounds() -> None:
    means = nade.MOST_CHANNELS * (nade.MOST_LEVELS - 1 << 7) * 128
    assert means < 2**28
    rows = (nade.MOST_DELAYS + 1) * nade.MOST_CHANNELS * 128
    assert nade.MOST_BIAS + rows + (means >> 10) < 2**25
    assert nade.MOST_HIDDEN * nade.HIDDEN_MOST * 128 + 16 * 2**15 < 2**31


def zeros(hidden: int = 4, channels: int = 2, levels: int = 4, delays: int = 1) -> dict[str, np.ndarray]:
    return {
        "bias": np.zeros(hidden, np.int32),
        "current": np.zeros((channels, levels, hidden), np.int8),
        "past": np.zeros((delays, channels, levels + 1, hidden), np.int8),
        "memory": np.zeros((channels, hidden), np.int8),
        "direct": np.zeros((channels, levels + 1, levels), np.int16),
        "output": np.zeros((channels, hidden, levels), np.int8),
    }


@pytest.mark.parametrize(
    "sizes",
    [
        {"hidden": 0},
        {"hidden": 257},
        {"channels": 0},
        {"channels": 257},
        {"levels": 0},
        {"levels": 1},
        {"levels": 65},
        {"delays": 0},
        {"delays": 17},
    ],
)
def test_sizes_beyond_the_bounds_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(CodecError, match="tables are"):
        nade.NadeContexts(**zeros(**sizes))
    for name, size in sizes.items():
        if size > 1:
            nade.NadeContexts(**zeros(**{name: size - 1}))


@pytest.mark.parametrize("value", [-(2**31), 2**31 - 1, -(2**24) - 1, 2**24 + 1])
def test_biases_beyond_the_bounds_are_refused(value: int) -> None:
    arrays = zeros()
    arrays["bias"][1] = value
    with pytest.raises(CodecError, match="larger than the coder"):
        nade.NadeContexts(**arrays)
    arrays["bias"][1] = 2**24 if value > 0 else -(2**24)
    nade.NadeContexts(**arrays)


def test_powers_are_rounded_powers_of_two() -> None:
    for i, power in enumerate(nade.POWERS):
        # power - 1/2 < 2 ** (15 - i / 256) < power + 1/2, both sides to the 256th: exact fractions.
        exact = Fraction(2) ** (15 * 256 - i)
        assert (power - Fraction(1, 2)) ** 256 < exact < (power + Fraction(1, 2)) ** 256


def test_bytes_are_what_they_were() -> None:
    """A golden payload: whatever changes it makes every stream of every released model unreadable."""

    def ramp(kind: type[np.signedinteger], most: int, *shape: int) -> np.ndarray:
        values = np.arange(np.prod(shape), dtype=np.int64) * 7919 % (2 * most + 1) - most
        return values.reshape(shape).astype(kind)

    model = nade.NadeContexts(
        bias=ramp(np.int32, 60, 8),
        current=ramp(np.int8, 45, 4, LEVELS, 8),
        past=ramp(np.int8, 35, 2, 4, LEVELS + 1, 8),
        memory=ramp(np.int8, 90, 4, 8),
        direct=ramp(np.int16, 700, 4, LEVELS + 1, LEVELS),
        output=ramp(np.int8, 50, 4, 8, LEVELS),
    )
    symbols = (np.arange(4 * 12) * 31 % 53 % LEVELS).reshape(4, 12).astype(np.uint8)
    payload = range_coder.encode_symbols(symbols, model)
    assert payload.hex() == "0011ec184af42e62cf25ab29c5887fc2aa741270f286d71ea91b1f8b7b83ca46ad299f08"
    np.testing.assert_array_equal(range_coder.decode_symbols(payload, model, 12), symbols)
