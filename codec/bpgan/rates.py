"""What symbols cost, for the search on any device: the entropy coders' tables in bits."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.bpgan.contexts import TOTAL, ContextModel
from codec.bpgan.huffman import code_lengths


class ContextRates:
    """`RateModel` of the range coder."""

    def __init__(self, contexts: ContextModel, device: torch.device | str = "cpu") -> None:
        frequencies = torch.from_numpy(contexts.frequencies).to(device)
        self._bits = -torch.log2(frequencies.float() / TOTAL)
        self._levels = contexts.levels

    def bits(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `RateModel`."""
        channel, before = self._context(symbols)
        return _masked(self._bits[channel, before, symbols], lengths)

    def alternatives(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `RateModel`."""
        channel, before = self._context(symbols)
        change = _masked(self._bits[channel, before], lengths)
        following = self._bits[:, : self._levels].transpose(1, 2)[channel, symbols[:, :, 1:]]
        if lengths is not None:
            following = _masked(following, lengths - 1)
        change[:, :, :-1] += following
        return change - change.gather(-1, symbols[..., None])

    def _context(self, symbols: Tensor) -> tuple[Tensor, Tensor]:
        start = symbols.new_full((*symbols.shape[:2], 1), self._levels)
        channel = torch.arange(symbols.shape[1], device=symbols.device)[None, :, None]
        return channel, torch.cat([start, symbols[:, :, :-1]], dim=2)


class HuffmanRates:
    """`RateModel` of the 2020 codec's Huffman code: a symbol costs its word, whatever is around it."""

    def __init__(self, marginals: NDArray[np.int32], device: torch.device | str = "cpu") -> None:
        lengths = [code_lengths(row) for row in marginals.tolist()]
        self._bits = torch.tensor(lengths, dtype=torch.float32, device=device)

    def bits(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `RateModel`."""
        channel = torch.arange(symbols.shape[1], device=symbols.device)[None, :, None]
        return _masked(self._bits[channel, symbols], lengths)

    def alternatives(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `RateModel`."""
        channel = torch.arange(symbols.shape[1], device=symbols.device)[None, :, None]
        return _masked(self._bits[channel] - self._bits[channel, symbols][..., None], lengths)


def _masked(bits: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return bits
    real = torch.arange(bits.shape[2], device=bits.device) < lengths[:, None]
    return bits * real.reshape(len(bits), 1, -1, *(1,) * (bits.dim() - 3))
