"""From symbols of training speech to the entropy coders' tables, and a comparison of coders.

Fitting is done once, in floating point; its results are integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codec.bpgan.entropy import huffman, nade, range_coder
from codec.bpgan.entropy.base import TOTAL, ContextModel
from codec.bpgan.entropy.nade import NadeContexts
from codec.bpgan.entropy.tables import TableContexts, to_frequencies

_LIMIT = 127 * 2.0**-nade.WEIGHT_BITS
_MEMORY = 2.0 ** (nade.MEMORY_BITS - nade.MEMORY_SCALE)


def count(codes: Iterable[Tensor], levels: int, channels: int = 0) -> NDArray[np.float64]:
    """Count symbols by channel and previous symbol: (channels, levels + 1, levels).

    `codes` are integer tensors (c, frames), where c is the number of channels sent; `channels` is the least
    number of channels to return. The last context is the start of a file.
    """
    files = [code.cpu().numpy().astype(np.int64) for code in codes]
    if not files:
        raise ValueError("No symbols to count.")
    total = np.zeros((max(channels, *(len(code) for code in files)), levels + 1, levels))
    for code in files:
        before = np.concatenate([np.full((len(code), 1), levels), code[:, :-1]], axis=1)
        np.add.at(total, (np.arange(len(code))[:, None], before, code), 1)
    return total


def fit_tables(codes: Sequence[Tensor], levels: int, channels: int = 0, weight: float = 8.0) -> TableContexts:
    """Fit order-1 tables. `weight` counts of its channel's distribution back up each context."""
    counts = count(codes, levels, channels)
    overall = counts.sum(axis=1, keepdims=True) + 0.5
    prior = overall / overall.sum(axis=-1, keepdims=True)
    return TableContexts(to_frequencies(counts + weight * prior))


def fit_marginals(codes: Sequence[Tensor], levels: int, channels: int = 0) -> Tensor:
    """Fit integer frequencies (channels, levels) without context, for the 2020 codec's Huffman code."""
    return torch.from_numpy(to_frequencies(count(codes, levels, channels).sum(axis=1) + 0.5))


def measure_entropy(codes: Sequence[Tensor], levels: int) -> float:
    """Entropy per symbol without context in bits, mean over channels: what a static coder would need."""
    counts = count(codes, levels).sum(axis=1)
    share = counts / counts.sum(axis=1, keepdims=True)
    return float(-(share * np.log2(np.where(share > 0, share, 1.0))).sum(axis=1).mean())


def fit(
    codes: Sequence[Tensor],
    levels: int,
    *,
    channels: int = 0,
    layers: Sequence[int] = (),
    start: ContextModel | None = None,
    hidden: int = 128,
    delays: int = 2,
    steps: int = 1500,
    batch: int = 1024,
    rate: float | None = None,
    seed: int = 0,
) -> ContextModel:
    """Fit the range coder's network to symbols of training speech.

    The same symbols and arguments give the same tables on the same machine. Every tenth file is held out
    for validation. Returned is the best, on these, of the integer networks seen during training and of
    order-1 tables.

    Args:
        codes: integer tensors (c, frames), the searched symbols of one file each. c is the number of the
            model's channels that were sent, and may differ between files.
        levels, channels: of the latent. Channels that do not occur in `codes` stay as in `start`, or else
            uniform.
        layers: numbers of channels to be able to code. Each batch keeps as many of the first channels as one
            of these, drawn at random, says. Meant for symbols that do not depend on how many are sent, such
            as the encoder's.
        start: continue from this model, for instance one that was fitted to many more symbols of the
            encoder; then a few hundred `steps` are enough. Ignored if it has no network.
        hidden, delays: width of the hidden layer, and number of past frames it sees; used without `start`.
        steps, batch, rate: Adam's, with `batch` frames per step. At least 4 and at most 30 passes are made
            over the symbols. If the rate is None, it is 0.006, or 0.0005 with `start`.
        seed: of the initial weights and of the order of frames.

    Raises:
        ValueError: there are no symbols.
    """
    if not codes:
        raise ValueError("No symbols to fit tables to.")
    held = [code for i, code in enumerate(codes) if i % 10 == 9]
    kept = [code for i, code in enumerate(codes) if i % 10 != 9] if held else list(codes)
    channels = max(channels, *(len(code) for code in codes))
    if isinstance(start, NadeContexts):
        if start.channels < channels or start.levels != levels:
            raise ValueError("The model to start from has fewer channels or other levels.")
        channels = start.channels
    tables = fit_tables(kept, levels, channels)
    if isinstance(start, NadeContexts):
        network, usual_rate = _Network.from_integers(start), 5e-4
    else:
        network, usual_rate = _Network.new(tables, hidden, delays, seed), 6e-3
    rate = usual_rate if rate is None else rate
    for weight in network.weights():
        weight.requires_grad_(True)
    groups = _group_frames(kept, levels, len(network.past))
    judges = _group_frames(held or kept, levels, len(network.past))
    frames = sum(len(symbols) for symbols, _ in groups)
    batch = min(batch, max(32, frames // 16))
    steps = min(max(steps, 4 * frames // batch), 30 * frames // batch) or 1
    optimiser = torch.optim.Adam(network.weights(), lr=rate, betas=(0.9, 0.99))
    random = np.random.default_rng(seed)
    shares = np.array([len(symbols) for symbols, _ in groups]) / frames
    best = network.integers()
    best_bits = _judge(_Network.from_integers(best), judges, layers)
    for step in range(steps):
        # One cycle: a short rise, then half a cosine down to zero.
        done = step / steps
        now = rate * (done / 0.1 if done < 0.1 else 0.5 * (1 + math.cos(math.pi * (done - 0.1) / 0.9)))
        for group in optimiser.param_groups:
            group["lr"] = now
        symbols, means = groups[random.choice(len(groups), p=shares)]
        chosen = torch.from_numpy(random.integers(0, len(symbols), min(batch, len(symbols))))
        sent = random.choice(_channel_counts(symbols, layers))
        loss = network.loss(symbols[chosen][:, :, :sent].long(), means[chosen][:, :sent])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        network.clamp()
        if (step + 1) % max(1, steps // 10) == 0:
            integers = network.integers()
            if (bits := _judge(_Network.from_integers(integers), judges, layers)) < best_bits:
                best, best_bits = integers, bits
    judged = held or kept
    sent = [code[:n] for code in judged for n in _channel_counts(code.T[None], layers)]
    if best_bits >= _table_bits(tables, sent):
        return fit_tables(codes, levels, channels)
    return best


def _table_bits(tables: TableContexts, codes: Sequence[Tensor]) -> float:
    """Bits per symbol that files cost by order-1 tables."""
    costs = -np.log2(tables.frequencies / TOTAL)
    counts = count(codes, tables.levels, tables.channels)
    return float((counts * costs).sum() / counts.sum())


def _channel_counts(symbols: Tensor, layers: Sequence[int]) -> list[int]:
    """The numbers of channels of these symbols to learn to code."""
    return [n for n in layers if n <= symbols.shape[2]] or [symbols.shape[2]]


@torch.no_grad()
def _judge(network: _Network, groups: list[tuple[Tensor, Tensor]], layers: Sequence[int]) -> float:
    """Bits per symbol of all frames of `groups`."""
    bits = total = 0.0
    for symbols, means in groups:
        for sent in _channel_counts(symbols, layers):
            for at in range(0, len(symbols), 4096):
                part = symbols[at : at + 4096, :, :sent].long()
                size = part.shape[0] * sent
                bits += size * float(network.loss(part, means[at : at + 4096, :sent]))
                total += size
    return bits / total


def _group_frames(codes: Sequence[Tensor], levels: int, delays: int) -> list[tuple[Tensor, Tensor]]:
    """Group frames by the number of channels sent: symbols uint8 (n, delays + 1, c), running means (n, c).

    The present frame comes first, then those before it, latest first.
    """
    found: dict[int, tuple[list[NDArray[np.uint8]], list[NDArray[np.float32]]]] = {}
    for code in codes:
        symbols = code.cpu().numpy().astype(np.uint8)
        c, frames = symbols.shape
        padded = np.concatenate([np.full((c, delays), levels, np.uint8), symbols], axis=1)
        windows = np.stack([padded[:, delays - d : delays - d + frames].T for d in range(delays + 1)], axis=1)
        means = np.empty((frames, c), np.float32)
        mean = np.zeros(c, np.float32)
        for t, frame in enumerate(symbols.T.astype(np.float32) - (levels - 1) / 2):
            means[t] = mean
            mean = mean + (frame - mean) * 2.0**-nade.MEMORY_SHIFT
        group = found.setdefault(c, ([], []))
        group[0].append(windows)
        group[1].append(means)
    return [
        (torch.from_numpy(np.concatenate(windows)), torch.from_numpy(np.concatenate(means)))
        for _, (windows, means) in sorted(found.items())
    ]


@dataclass
class _Network:
    """The network of `NadeContexts` in floats, in units of bits."""

    bias: Tensor
    current: Tensor
    past: Tensor
    memory: Tensor
    direct: Tensor
    output: Tensor

    @classmethod
    def new(cls, tables: TableContexts, hidden: int, delays: int, seed: int) -> _Network:
        """Build a network that predicts as order-1 tables do."""
        random = torch.Generator().manual_seed(seed)
        channels, levels = tables.channels, tables.levels
        return cls(
            bias=torch.zeros(hidden),
            current=torch.randn(channels, levels, hidden, generator=random) * 0.05,
            past=torch.randn(delays, channels, levels + 1, hidden, generator=random) * 0.05,
            memory=torch.randn(channels, hidden, generator=random) * 0.005,
            direct=torch.log2(torch.from_numpy(tables.frequencies).float() / TOTAL),
            output=torch.zeros(channels, hidden, levels),
        )

    @classmethod
    def from_integers(cls, integers: NadeContexts) -> _Network:
        """Rebuild the network of a coder."""
        arrays = {name: torch.from_numpy(array).float() for name, array in integers.arrays().items()}
        unit = 2.0**-nade.WEIGHT_BITS
        scales = {"memory": unit * _MEMORY, "direct": 2.0**-nade.LOG_BITS}
        return cls(**{name: array * scales.get(name, unit) for name, array in arrays.items()})

    def weights(self) -> list[Tensor]:
        return [self.bias, self.current, self.past, self.memory, self.direct, self.output]

    @torch.no_grad()
    def clamp(self) -> None:
        """Keep weights within their 8 bits."""
        for weight in (self.current, self.past, self.output):
            weight.clamp_(-_LIMIT, _LIMIT)
        self.memory.clamp_(-_LIMIT * _MEMORY, _LIMIT * _MEMORY)

    def loss(self, symbols: Tensor, means: Tensor) -> Tensor:
        """Bits per symbol of frames (n, delays + 1, c) with running means (n, c)."""
        n, _, c = symbols.shape
        hidden, levels = len(self.bias), self.output.shape[2]
        row = torch.arange(c)
        base = self.bias + means @ self.memory[:c]
        for delay, rows in enumerate(self.past, 1):
            at = symbols[:, delay] + row * (levels + 1)
            base = base + F.embedding_bag(at, rows[:c].reshape(-1, hidden), mode="sum")
        added = F.embedding(symbols[:, 0] + row * levels, self.current[:c].reshape(-1, hidden))
        before = torch.cat([added.new_zeros(n, 1, hidden), added[:, :-1].cumsum(dim=1)], dim=1)
        active = torch.relu(before + base[:, None])
        logs = torch.einsum("nch,chl->ncl", active, self.output[:c])
        at = symbols[:, 1] + row * (levels + 1)
        logs = logs + F.embedding(at, self.direct[:c].reshape(-1, levels))
        loss = F.cross_entropy(logs.flatten(0, 1) * math.log(2), symbols[:, 0].flatten())
        return loss / math.log(2)

    @torch.no_grad()
    def integers(self) -> NadeContexts:
        """Round the network to what the coder uses."""
        unit = 1 << nade.WEIGHT_BITS

        def round_to(weight: Tensor, scale: float, kind: type[np.signedinteger]) -> NDArray[np.signedinteger]:
            limit = np.iinfo(kind).max
            return (weight.detach() * scale).round().clamp(-limit, limit).numpy().astype(kind)

        return NadeContexts(
            bias=round_to(self.bias, unit, np.int32),
            current=round_to(self.current, unit, np.int8),
            past=round_to(self.past, unit, np.int8),
            memory=round_to(self.memory, unit / _MEMORY, np.int8),
            direct=round_to(self.direct, 1 << nade.LOG_BITS, np.int16),
            output=round_to(self.output, unit, np.int8),
        )


def compare_coders(
    codes: Sequence[Tensor],
    levels: int,
    contexts: ContextModel,
    training: Sequence[Tensor] | None = None,
) -> dict[str, float]:
    """Measure the bits per symbol that each coder needs for files of symbols (c, frames).

    The tables of the simpler coders are fitted to `training`, or, without it, for each half of the files to
    the other half. The bytes are really written, so the cost of ending a file is included.

    Returns:
        by name of coder: ``uniform``, ``Huffman``, ``order 0``, ``order 1``, ``contexts`` (the model's).
    """
    files = [code.cpu().numpy().astype(np.uint8) for code in codes]
    channels = max(len(file) for file in files)
    written = dict.fromkeys(("uniform", "Huffman", "order 0", "order 1", "contexts"), 0)
    halves = [range(len(files))] if training else [range(0, len(files), 2), range(1, len(files), 2)]
    for half in halves:
        known = training or [code for i, code in enumerate(codes) if i not in half] or codes
        marginals = fit_marginals(known, levels, channels).numpy()
        order0 = TableContexts(np.repeat(marginals[:, None], levels + 1, axis=1))
        order1 = fit_tables(known, levels, channels)
        for i in half:
            file = files[i]
            written["uniform"] += -(-file.size * math.ceil(math.log2(levels)) // 8)
            written["Huffman"] += len(huffman.encode_symbols(file, marginals))
            written["order 0"] += len(range_coder.encode_symbols(file, order0))
            written["order 1"] += len(range_coder.encode_symbols(file, order1))
            written["contexts"] += len(range_coder.encode_symbols(file, contexts))
    size = sum(file.size for file in files)
    return {name: 8 * length / size for name, length in written.items()}
