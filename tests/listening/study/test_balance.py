"""Latin squares and blocks: balance is counted, not believed."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise

import pytest

from listening.study.balance import balanced_blocks, meetings, order_of, williams_square


@pytest.mark.parametrize("size", range(1, 16))
def test_each_symbol_is_once_at_each_place_and_once_after_each_other(size: int) -> None:
    square = williams_square(size)
    repeats = 1 if size % 2 == 0 or size == 1 else 2
    assert len(square) == repeats * size
    for first in range(0, len(square), size):  # both squares of an odd size are Latin by themselves
        for place in range(size):
            assert {row[place] for row in square[first : first + size]} == set(range(size))
    followers = Counter(pair for row in square for pair in pairwise(row))
    assert set(followers.values()) <= {repeats}
    assert len(followers) == size * (size - 1)


@pytest.mark.parametrize("size", [5, 8, 12])
def test_orders_stay_balanced_over_consecutive_rows(size: int) -> None:
    cycle = size if size % 2 == 0 else 2 * size
    rows = [order_of(size, row, "a key") for row in range(3 * cycle)]
    for start in range(0, len(rows), size):
        for place in range(size):
            assert len({row[place] for row in rows[start : start + size]}) == size
    followers = Counter(pair for row in rows for pair in pairwise(row))
    assert len(set(followers.values())) == 1


def test_orders_follow_from_their_key_alone_and_differ_between_keys() -> None:
    one = [order_of(8, row, "one") for row in range(16)]
    assert one == [order_of(8, row, "one") for row in range(16)]
    assert one != [order_of(8, row, "two") for row in range(16)]
    assert len({tuple(row) for row in one}) == 16


def test_the_next_order_cannot_be_told_from_the_last() -> None:
    """Where the first signal of an order stands in the next one: each other place about equally often."""
    places = Counter()
    for key in range(2000):
        first, second = order_of(8, 0, str(key)), order_of(8, 1, str(key))
        places[second.index(first[0])] += 1
    assert places[0] == 0  # that is balance
    assert all(abs(places[place] - 2000 / 7) < 5 * (2000 / 7) ** 0.5 for place in range(1, 8))


@pytest.mark.parametrize(
    ("symbols", "size"), [(10, 9), (11, 9), (12, 9), (13, 9), (15, 8), (20, 9), (7, 3), (13, 4), (16, 9)]
)
def test_blocks_hold_each_symbol_equally_often_and_pairs_almost(symbols: int, size: int) -> None:
    blocks = balanced_blocks(symbols, size, 7)
    assert all(len(set(block)) == size for block in blocks)
    uses = Counter(symbol for block in blocks for symbol in block)
    assert len(uses) == symbols
    assert len(set(uses.values())) == 1
    pairs = Counter(pair for block in blocks for pair in combinations(block, 2))
    assert len(pairs) == symbols * (symbols - 1) // 2  # every two meet
    assert (min(pairs.values()), max(pairs.values())) == meetings(symbols, blocks)
    assert max(pairs.values()) - min(pairs.values()) <= 1
    assert len(blocks) <= symbols


@pytest.mark.parametrize(("symbols", "size", "together"), [(7, 3, 1), (13, 4, 1), (13, 9, 6), (10, 9, 8)])
def test_where_a_balanced_incomplete_block_design_exists_it_is_found(
    symbols: int, size: int, together: int
) -> None:
    assert meetings(symbols, balanced_blocks(symbols, size, 7)) == (together, together)


@pytest.mark.parametrize(
    ("symbols", "size", "count"), [(12, 4, 3), (10, 4, 5), (60, 7, 60), (6, 6, 1), (5, 9, 1)]
)
def test_without_pairs_there_are_as_few_blocks_as_can_be(symbols: int, size: int, count: int) -> None:
    blocks = balanced_blocks(symbols, size, 7, pairs=False)
    assert len(blocks) == count
    uses = Counter(symbol for block in blocks for symbol in block)
    assert len(uses) == symbols
    assert len(set(uses.values())) == 1


def test_blocks_follow_from_their_seed() -> None:
    assert balanced_blocks(12, 9, 1) != balanced_blocks(12, 9, 2)
    balanced_blocks.cache_clear()
    again = balanced_blocks(12, 9, 1)
    balanced_blocks.cache_clear()
    assert balanced_blocks(12, 9, 1) == again
