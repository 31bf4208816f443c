"""Balanced orders and blocks: pure combinatorics, reproducible from a seed on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations
from math import comb, gcd

#: Number of random starts of the search, and maximum number of first blocks tried for cyclic designs.
_STARTS = 12
_FIRST_BLOCKS = 4000


def williams_square(size: int) -> list[list[int]]:
    """Williams' Latin square over 0 .. size - 1: each symbol is once at each position.

    For an even size there are `size` rows, and each ordered pair of symbols is adjacent exactly once; for an
    odd size there are two squares one after the other, and each ordered pair is adjacent twice
    (E. J. Williams, "Experimental designs balanced for the estimation of residual effects of treatments",
    1949).
    """
    zigzag = [0]
    low, high = 1, size - 1
    while low <= high:
        zigzag.append(low)
        if low != high:
            zigzag.append(high)
        low, high = low + 1, high - 1
    square = [[(symbol + row) % size for symbol in zigzag] for row in range(size)]
    if size % 2 == 0 or size == 1:
        return square
    return square + [row[::-1] for row in square]


def order_of(size: int, row: int, key: str) -> list[int]:
    """The `row`-th (from 0) of an endless sequence of orders of 0 .. size - 1.

    Every `size` consecutive orders, starting at a multiple of `size`, have each symbol once at each position.
    Names and rows of each square are drawn anew from `key`, so that one order reveals almost nothing about
    the next.
    """
    square = williams_square(size)
    cycle, at = divmod(row, len(square))
    draw = random.Random(f"{key}/{cycle}")  # noqa: S311 -- an order, not a secret: it has to be reproducible
    names = list(range(size))
    draw.shuffle(names)
    rows = list(range(size))
    draw.shuffle(rows)
    if len(square) > size:
        second = list(range(size, 2 * size))
        draw.shuffle(second)
        rows += second
    return [names[symbol] for symbol in square[rows[at]]]


@lru_cache(maxsize=256)
def balanced_blocks(symbols: int, size: int, seed: int, pairs: bool = True) -> tuple[tuple[int, ...], ...]:
    """Blocks of `size` out of 0 .. symbols - 1, with each symbol in the same number of blocks.

    With `pairs`, every two symbols share a block, as equally often as the search finds, in at most `symbols`
    blocks: fewer if their pair counts differ by at most one (or by no more than those of the best cyclic
    design). Without `pairs`, as few blocks as possible.

    Returns:
        Sorted blocks; a single block with all symbols if `size` is at least `symbols`.
    """
    if size >= symbols:
        return (tuple(range(symbols)),)
    step = symbols // gcd(symbols, size)
    if not pairs or size == 1:
        return _sliding_blocks(symbols, size, step, seed)
    draw = random.Random(f"{seed}/{symbols}/{size}")  # noqa: S311
    best = _cyclic_blocks(symbols, size, draw)
    for _ in range(_STARTS if step < symbols else 2 if _spread(symbols, best) > 1 else 0):
        blocks = _improve_blocks(symbols, size, step, draw)
        if (max(1, _spread(symbols, blocks)), len(blocks)) < (max(1, _spread(symbols, best)), len(best)):
            best = blocks
    return best


def _spread(symbols: int, blocks: tuple[tuple[int, ...], ...]) -> int:
    """The range of pair counts; larger than any real range if a pair never shares a block."""
    fewest, most = meetings(symbols, blocks)
    return most - fewest if fewest else symbols + most


def _cyclic_blocks(symbols: int, size: int, draw: random.Random) -> tuple[tuple[int, ...], ...]:
    """The most even cyclic design: `symbols` blocks that are shifts of one block."""
    others = range(1, symbols)
    firsts: Iterable[tuple[int, ...]]
    if comb(symbols - 1, size - 1) <= _FIRST_BLOCKS:
        firsts = combinations(others, size - 1)
    else:
        firsts = (tuple(draw.sample(others, size - 1)) for _ in range(_FIRST_BLOCKS))
    fewest, chosen = 2 * symbols, tuple(range(size))
    for first in firsts:
        block = (0, *first)
        distances = [0] * symbols
        for one in block:
            for other in block:
                distances[one - other] += 1
        # Distance 0 is not a pair; Python's negative indices wrap around.
        spread = max(distances[1:]) - min(distances[1:]) + (symbols if min(distances[1:]) == 0 else 0)
        if spread < fewest:
            fewest, chosen = spread, block
        if spread == 0:
            break
    names = list(range(symbols))
    draw.shuffle(names)
    return tuple(
        tuple(sorted(names[(symbol + shift) % symbols] for symbol in chosen)) for shift in range(symbols)
    )


def meetings(symbols: int, blocks: tuple[tuple[int, ...], ...]) -> tuple[int, int]:
    """The smallest and the largest number of blocks that a pair of symbols shares."""
    counts = [[0] * symbols for _ in range(symbols)]
    for block in blocks:
        for one, other in combinations(block, 2):
            counts[one][other] += 1
    found = [counts[one][other] for one, other in combinations(range(symbols), 2)]
    return (min(found), max(found)) if found else (0, 0)


def _sliding_blocks(symbols: int, size: int, count: int, seed: int) -> tuple[tuple[int, ...], ...]:
    names = list(range(symbols))
    random.Random(f"{seed}/windows").shuffle(names)  # noqa: S311
    return tuple(
        tuple(sorted(names[(size * block + place) % symbols] for place in range(size)))
        for block in range(count)
    )


def _improve_blocks(symbols: int, size: int, count: int, draw: random.Random) -> tuple[tuple[int, ...], ...]:
    """Random blocks with every symbol equally often, improved by swaps until pair counts are even."""
    supply: list[int] = []
    blocks: list[set[int]] = []
    for _ in range(count):
        block: set[int] = set()
        while len(block) < size:
            if not supply:
                supply = list(range(symbols))
                draw.shuffle(supply)
            fresh = next((symbol for symbol in supply if symbol not in block), None)
            if fresh is None:
                extra = [symbol for symbol in range(symbols) if symbol not in supply]
                draw.shuffle(extra)
                supply += extra
                continue
            supply.remove(fresh)
            block.add(fresh)
        blocks.append(block)
    _level_counts(symbols, size, blocks)
    counts = [[0] * symbols for _ in range(symbols)]
    for block in blocks:
        for one in block:
            for other in block:
                counts[one][other] += 1

    def cost(block: set[int], out: int, into: int) -> int:
        """The change of the sum of squared pair counts if `into` replaces `out` in `block`."""
        rest = block - {out}
        gained = sum(2 * counts[into][other] + 1 for other in rest)
        lost = sum(2 * counts[out][other] - 1 for other in rest)
        return gained - lost

    def swap(block: set[int], out: int, into: int) -> None:
        block.remove(out)
        for other in block:
            counts[out][other] -= 1
            counts[other][out] -= 1
            counts[into][other] += 1
            counts[other][into] += 1
        block.add(into)

    improved = True
    while improved:
        improved = False
        for first, second in combinations(range(count), 2):
            for one in sorted(blocks[first] - blocks[second]):
                for other in sorted(blocks[second] - blocks[first]):
                    if one not in blocks[first] or other not in blocks[second]:
                        continue
                    if other in blocks[first] or one in blocks[second]:
                        continue
                    if cost(blocks[first], one, other) + cost(blocks[second], other, one) < 0:
                        swap(blocks[first], one, other)
                        swap(blocks[second], other, one)
                        improved = True
    return tuple(tuple(sorted(block)) for block in blocks)


def _level_counts(symbols: int, size: int, blocks: list[set[int]]) -> None:
    """Replace symbols that are in too many blocks by symbols that are in too few."""
    target = len(blocks) * size // symbols
    while True:
        used = [sum(symbol in block for block in blocks) for symbol in range(symbols)]
        many = next((symbol for symbol in range(symbols) if used[symbol] > target), None)
        few = next((symbol for symbol in range(symbols) if used[symbol] < target), None)
        if many is None or few is None:
            return
        block = next(block for block in blocks if many in block and few not in block)
        block.remove(many)
        block.add(few)
