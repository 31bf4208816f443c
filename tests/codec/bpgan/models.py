"""Context models for tests: random ones, whose symbols cost very different amounts."""

from __future__ import annotations

import numpy as np

from codec.bpgan.entropy.base import ContextModel
from codec.bpgan.entropy.nade import NadeContexts
from codec.bpgan.entropy.tables import TableContexts, to_frequencies

RNG = np.random.default_rng(5)
LEVELS = 16


def random_tables(channels: int, sharpness: float = 0.3) -> TableContexts:
    return TableContexts(to_frequencies(RNG.dirichlet(np.full(LEVELS, sharpness), (channels, LEVELS + 1))))


def random_nade(channels: int, hidden: int = 12, delays: int = 2) -> NadeContexts:
    def weights(most: int, *shape: int) -> np.ndarray:
        return RNG.integers(-most, most + 1, shape)

    return NadeContexts(
        bias=weights(40, hidden).astype(np.int32),
        current=weights(40, channels, LEVELS, hidden).astype(np.int8),
        past=weights(30, delays, channels, LEVELS + 1, hidden).astype(np.int8),
        memory=weights(30, channels, hidden).astype(np.int8),
        direct=weights(500, channels, LEVELS + 1, LEVELS).astype(np.int16),
        output=weights(40, channels, hidden, LEVELS).astype(np.int8),
    )


def extreme_nade(channels: int) -> NadeContexts:
    """All weights at the ends of their ranges, as wide as is allowed: sums are as large as they get."""

    def ends(kind: type[np.signedinteger], *shape: int) -> np.ndarray:
        limits = np.iinfo(kind)
        return RNG.choice(np.array([limits.min, limits.max], kind), shape)

    return NadeContexts(
        bias=np.full(256, 1 << 24, np.int32),
        current=np.full((channels, LEVELS, 256), 127, np.int8),
        past=np.full((1, channels, LEVELS + 1, 256), 127, np.int8),
        memory=ends(np.int8, channels, 256),
        direct=ends(np.int16, channels, LEVELS + 1, LEVELS),
        output=ends(np.int8, channels, 256, LEVELS),
    )


def draw_symbols(contexts: ContextModel, channels: int, frames: int) -> np.ndarray:
    """Symbols as `contexts` expects them, uint8 (channels, frames)."""
    predictor = contexts.predictor(channels)
    out = np.empty((channels, frames), np.uint8)
    for frame in range(frames):
        for channel in range(channels):
            sizes = np.diff(predictor.edges(channel))
            out[channel, frame] = RNG.choice(LEVELS, p=sizes / sizes.sum())
            predictor.put(channel, int(out[channel, frame]))
    return out
