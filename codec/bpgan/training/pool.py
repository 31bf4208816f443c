"""Symbols that the search sends for training crops: what a receiver's networks really get."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from codec.bpgan.entropy import fitting
from codec.bpgan.entropy.rates import HuffmanRates
from codec.bpgan.search.search import SearchConfig, search
from codec.bpgan.training.state import RunState

#: Batches that are kept to be drawn from.
_SIZE = 64


def draw_searched(run: RunState, target: Callable[[int], Tensor], use: int) -> tuple[int, Tensor]:
    """Draw a past step, and the values of the symbols that the search sends for its `target` log-mels.

    `use` counts the calls of a stage. Every few of them the averaged model searches another batch, which
    joins the pool `RunState.searched` of the latest ones.
    """
    r, model = run.recipe, run.averaged
    if not run.searched:
        _fit_prices(run)
    if use % r.search_reuse == 0 or not run.searched:
        config = SearchConfig(iterations=r.search_steps, rate_weight=r.search_price)
        rates = HuffmanRates(model.marginals.cpu().numpy(), run.device)
        found = search(model, target(run.step), config, channels=run.crops.usual_channels, rate=rates)
        run.searched[run.step] = found.symbols.to(torch.uint8)
        while len(run.searched) > _SIZE:
            del run.searched[min(run.searched)]
    steps = sorted(run.searched)
    step = steps[int(np.random.default_rng([run.seed, run.step, 6]).integers(len(steps)))]
    return step, run.model.quantizer.decode(run.searched[step].long())


def _fit_prices(run: RunState) -> None:
    """Price symbols in the search by how often the encoder sends them."""
    model = run.averaged
    codes = model.quantizer.encode(run.encode_crops(model, 24, salt=1 << 41))
    model.marginals.copy_(fitting.fit_marginals(list(codes.cpu()), model.config.latent.levels))
    run.model.marginals.copy_(model.marginals)
