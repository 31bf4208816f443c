"""What symbols cost: the entropy coders' tables in bits, for the search, on any device."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codec.base import CodecError, gettext_noop
from codec.bpgan.entropy import nade
from codec.bpgan.entropy.base import TOTAL, ContextModel, RateModel
from codec.bpgan.entropy.huffman import code_lengths
from codec.bpgan.entropy.nade import NadeContexts
from codec.bpgan.entropy.tables import TableContexts

#: Upper bounds on the hidden values in memory at once, on a GPU and on a CPU, for long batches.
_MOST = (1 << 26, 1 << 22)


def build_rates(contexts: ContextModel, device: torch.device | str = "cpu") -> RateModel:
    """What the range coder charges for symbols. Raises `CodecError` for an unknown kind of contexts."""
    if isinstance(contexts, NadeContexts):
        return NadeRates(contexts, device)
    if isinstance(contexts, TableContexts):
        return TableRates(contexts.frequencies, device)
    raise CodecError(
        gettext_noop("The search cannot price symbols by %(kind)s."), kind=type(contexts).__name__
    )


class TableRates:
    """`RateModel` of `TableContexts`: frequencies (channels, levels + 1, levels)."""

    def __init__(self, frequencies: NDArray[np.int32], device: torch.device | str = "cpu") -> None:
        self._bits = -torch.log2(torch.from_numpy(frequencies).to(device).float() / TOTAL)

    def bits(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `RateModel`."""
        channel, before = self._context(symbols)
        return _mask_padding(self._bits[channel, before, symbols], lengths)

    def alternatives(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `RateModel`."""
        channel, before = self._context(symbols)
        change = _mask_padding(self._bits[channel, before], lengths)
        following = self._bits[:, :-1].transpose(1, 2)[channel, symbols[:, :, 1:]]
        if lengths is not None:
            following = _mask_padding(following, lengths - 1)
        change[:, :, :-1] += following
        return change - change.gather(-1, symbols[..., None])

    def _context(self, symbols: Tensor) -> tuple[Tensor, Tensor]:
        start = symbols.new_full((*symbols.shape[:2], 1), self._bits.shape[2])
        channel = torch.arange(symbols.shape[1], device=symbols.device)[None, :, None]
        return channel, torch.cat([start, symbols[:, :, :-1]], dim=2)


class HuffmanRates:
    """`RateModel` of the 2020 codec's Huffman code: a symbol costs the length of its word in any context."""

    def __init__(self, marginals: NDArray[np.int32], device: torch.device | str = "cpu") -> None:
        lengths = [code_lengths(row) for row in marginals.tolist()]
        self._bits = torch.tensor(lengths, dtype=torch.float32, device=device)

    def bits(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `RateModel`."""
        channel = torch.arange(symbols.shape[1], device=symbols.device)[None, :, None]
        return _mask_padding(self._bits[channel, symbols], lengths)

    def alternatives(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `RateModel`."""
        channel = torch.arange(symbols.shape[1], device=symbols.device)[None, :, None]
        return _mask_padding(self._bits[channel] - self._bits[channel, symbols][..., None], lengths)


class NadeRates:
    """`RateModel` of `NadeContexts`.

    `bits` are the coder's, up to its rounding. `alternatives` are exact for the cost of the symbol itself and
    a first-order approximation of its effect on later symbols: the gradient of their bits times the change in
    the hidden layer. Exact values would take a forward pass per symbol and level.
    """

    def __init__(self, contexts: NadeContexts, device: torch.device | str = "cpu") -> None:
        unit = 2.0**-nade.WEIGHT_BITS
        arrays = {
            name: torch.from_numpy(array).to(device).float() for name, array in contexts.arrays().items()
        }
        self._bias = arrays["bias"] * unit
        self._current = arrays["current"] * unit
        self._past = arrays["past"] * unit
        # The memory's unit here is a level.
        self._memory = arrays["memory"] * unit * 2.0 ** (nade.MEMORY_BITS - nade.MEMORY_SCALE)
        self._direct = arrays["direct"] * 2.0**-nade.LOG_BITS
        self._output = arrays["output"] * unit
        self._levels = contexts.levels
        self._most = nade.HIDDEN_MOST * unit
        self._floor = nade.FLOOR / (TOTAL - self._levels * nade.FLOOR)

    def bits(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `RateModel`."""
        return self._run_in_parts(self._bits, symbols, lengths)

    def alternatives(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `RateModel` and the class."""
        return self._run_in_parts(self._alternatives, symbols, lengths)

    def _run_in_parts(
        self,
        measure: Callable[[Tensor, Tensor | None], Tensor],
        symbols: Tensor,
        lengths: Tensor | None,
    ) -> Tensor:
        """Process a few files at a time: hidden layers are large."""
        _, channels, frames = symbols.shape
        files = max(1, _MOST[symbols.device.type == "cpu"] // (channels * frames * self._output.shape[1]))
        parts = torch.split(symbols, files)
        rests = [None] * len(parts) if lengths is None else torch.split(lengths, files)
        return torch.cat([measure(*part) for part in zip(parts, rests, strict=True)])

    def _bits(self, symbols: Tensor, lengths: Tensor | None) -> Tensor:
        _, probabilities = self._forward(symbols)
        own = probabilities.gather(-1, symbols[..., None])[..., 0]
        return _mask_padding(self._cost(own), lengths)

    def _alternatives(self, symbols: Tensor, lengths: Tensor | None) -> Tensor:
        hidden, probabilities = self._forward(symbols)
        channels, frames = symbols.shape[1:]
        current, past, memory, direct, output = self._rows(channels)
        # The gradient of each symbol's bits by its logarithms, and by its hidden layer.
        wrong = probabilities - F.one_hot(symbols, self._levels)
        own = probabilities.gather(-1, symbols[..., None])
        wrong = _mask_padding(wrong * (own / (own + self._floor)), lengths)
        slope = wrong @ output.transpose(1, 2)
        slope *= (hidden > 0) & (hidden < self._most)
        upto = slope.cumsum(dim=1)
        frame = upto[:, -1]
        change = (frame[:, None] - upto) @ current.transpose(1, 2)
        for delay in range(1, min(len(past), frames - 1) + 1):
            rows = past[delay - 1, :, : self._levels].transpose(1, 2)
            change[:, :, :-delay] += frame[:, None, delay:] @ rows
        remembered = self._memory_kernel(frames).T @ frame @ memory.T
        change += remembered.transpose(1, 2)[..., None] * torch.arange(self._levels, device=symbols.device)
        change[:, :, :-1] += wrong[:, :, 1:] @ direct[:, : self._levels].transpose(1, 2)
        change = _mask_padding(change + self._cost(probabilities), lengths)
        return change - change.gather(-1, symbols[..., None])

    def _forward(self, symbols: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden layer (batch, channels, frames, hidden) before it is clipped, and probabilities."""
        channels, frames = symbols.shape[1:]
        current, past, memory, direct, output = self._rows(channels)
        row = torch.arange(channels, device=symbols.device)[None, :, None]
        centred = symbols.transpose(1, 2) - (self._levels - 1) / 2
        base = self._bias + self._memory_kernel(frames) @ centred @ memory
        padded = F.pad(symbols, (len(past), 0), value=self._levels)
        for delay, rows in enumerate(past, 1):
            base = base + rows[row, padded[:, :, len(past) - delay : -delay]].sum(dim=1)
        added = current[row, symbols]
        hidden = added.cumsum(dim=1).sub_(added).add_(base[:, None])
        logs = hidden.clamp(0, self._most) @ output + direct[row, padded[:, :, len(past) - 1 : -1]]
        return hidden, torch.softmax(logs * math.log(2), dim=-1)

    def _rows(self, channels: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        return (
            self._current[:channels],
            self._past[:, :channels],
            self._memory[:channels],
            self._direct[:channels],
            self._output[:channels],
        )

    def _memory_kernel(self, frames: int) -> Tensor:
        """The weight of each earlier frame in each frame's running mean, (frames, frames)."""
        step = 2.0**-nade.MEMORY_SHIFT
        at = torch.arange(frames, device=self._bias.device)
        age = at[:, None] - at[None] - 1
        return torch.where(age >= 0, step * (1 - step) ** age.clamp_min(0), 0.0)

    def _cost(self, probabilities: Tensor) -> Tensor:
        # The floor adds the same to every symbol, at the expense of all in proportion.
        return -torch.log2((probabilities + self._floor) * (1 - self._levels * nade.FLOOR / TOTAL))


def _mask_padding(bits: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return bits
    real = torch.arange(bits.shape[2], device=bits.device) < lengths[:, None]
    return bits * real.reshape(len(bits), 1, -1, *(1,) * (bits.dim() - 3))
