"""Symbols that the search sends for training crops: what a receiver's networks really get."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from codec.bpgan.entropy import fitting
from codec.bpgan.entropy.base import RateModel
from codec.bpgan.entropy.rates import HuffmanRates
from codec.bpgan.search.search import SearchConfig, search
from codec.bpgan.training.state import RunState


def draw_searched(run: RunState, target: Callable[[int], Tensor], use: int) -> tuple[int, Tensor]:
    """Draw a past step, and the values of the symbols that the search sends for its `target` log-mels.

    `use` counts the calls of a stage. Every few of them the averaged model searches another batch, which
    joins the pool `RunState.searched` of the latest ones.
    """
    r, model = run.recipe, run.averaged
    channels = run.crops.usual_channels
    price, rates = _choose_prices(run, channels)
    if use % r.search_reuse == 0 or not run.searched:
        config = SearchConfig(iterations=r.search_steps, rate_weight=price)
        found = search(model, target(run.step), config, channels=channels, rate=rates)
        run.searched[run.step] = found.symbols.to(torch.uint8)
        while len(run.searched) > r.search_pool:
            del run.searched[min(run.searched)]
    steps = sorted(run.searched)
    step = steps[int(np.random.default_rng([run.seed, run.step, 6]).integers(len(steps)))]
    return step, run.model.quantizer.decode(run.searched[step].long())


def _choose_prices(run: RunState, channels: int) -> tuple[float, RateModel]:
    """What a bit is worth in the search, and what symbols cost.

    As calibration found it, where what is sent has stayed as it was then; else by the recipe, and by how
    often the encoder sends each symbol when a stage begins.
    """
    model = run.averaged
    for rate in model.rates.values():
        if rate.channels == channels:
            return rate.rate_weight, model.build_rates()
    if not run.searched:
        codes = model.quantizer.encode(run.encode_crops(model, 24, salt=1 << 41))
        model.marginals.copy_(fitting.fit_marginals(list(codes.cpu()), model.config.latent.levels))
        run.model.marginals.copy_(model.marginals)
    return run.recipe.search_price, HuffmanRates(model.marginals.cpu().numpy(), run.device)
