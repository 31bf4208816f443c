"""Symbols that the search sends for training crops: what a receiver's networks really get."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor

from codec.bpgan.entropy import fitting
from codec.bpgan.entropy.base import RateModel
from codec.bpgan.entropy.rates import HuffmanRates
from codec.bpgan.search.search import SearchConfig, search
from codec.bpgan.training.state import RunState


class Pool:
    """Batches that the averaged model has searched in a stage; `RunState.searched` holds the latest ones.

    Args:
        run: whose crops they are.
        target: log-mels of a step's crops.
        kept: whether they are kept on disk as well, for any later run that would search the same. They lie in
            the pack of the speech, in a folder named after all that the symbols depend on: the codec's
            networks and tables, the search, and how crops are drawn. Only for stages in which the codec
            rests.
    """

    def __init__(self, run: RunState, target: Callable[[int], Tensor], kept: bool = False) -> None:
        self.run, self.target = run, target
        price, self.rates = _choose_prices(run)
        # The refiner has no say: it may be learning.
        self.config = SearchConfig(iterations=run.recipe.search_steps, rate_weight=price, refined=False)
        self.folder = run.corpus.folder / "searched" / self._fingerprint() if kept else None

    def draw(self, use: int) -> tuple[int, Tensor]:
        """Draw a past step, and the values of the symbols that the search sends for its crops.

        `use` counts the calls of a stage. Every few of them another batch joins the pool.
        """
        run, r = self.run, self.run.recipe
        if use % r.search_reuse == 0 or not run.searched:
            run.searched[run.step] = self._find(run.step)
            while len(run.searched) > r.search_pool:
                del run.searched[min(run.searched)]
        steps = sorted(run.searched)
        step = steps[int(np.random.default_rng([run.seed, run.step, 6]).integers(len(steps)))]
        return step, run.model.quantizer.decode(run.searched[step].long())

    def _find(self, step: int) -> Tensor:
        """The symbols of a step's crops, uint8 (batch, channels, frames)."""
        path = self.folder / f"{step}.npy" if self.folder else None
        if path and path.is_file():
            return torch.from_numpy(np.load(path)).to(self.run.device)
        run, channels = self.run, self.run.crops.usual_channels
        found = search(run.averaged, self.target(step), self.config, channels=channels, rate=self.rates)
        symbols = found.symbols.to(torch.uint8)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            # A run that is killed leaves no half of a file, and two runs do not write the same one.
            partial = path.with_suffix(f".{os.getpid()}")
            with partial.open("wb") as file:
                np.save(file, symbols.cpu().numpy())
            partial.rename(path)
        return symbols

    def _fingerprint(self) -> str:
        run, r, model = self.run, self.run.recipe, self.run.averaged
        settings = [
            asdict(self.config),
            asdict(model.config.objective),
            run.crops.usual_channels,
            [run.seed, r.batch, r.frames, r.gain_db, r.speed],
        ]
        digest = hashlib.sha256(json.dumps(settings).encode())
        digest.update(run.crops.members.tobytes())
        digest.update(model.marginals.cpu().numpy().tobytes())
        for array in model.contexts.arrays().values():
            digest.update(array.tobytes())
        for part in (model.encoder, model.quantizer, model.generator):
            for tensor in part.state_dict().values():
                digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]


def _choose_prices(run: RunState) -> tuple[float, RateModel]:
    """What a bit is worth in the search, and what symbols cost.

    As calibration found it, where what is sent has stayed as it was then; else by the recipe, and by how
    often the encoder sends each symbol when a stage begins.
    """
    model = run.averaged
    for rate in model.rates.values():
        if rate.channels == run.crops.usual_channels:
            return rate.rate_weight, model.build_rates()
    if not run.searched:
        codes = model.quantizer.encode(run.encode_crops(model, 24, salt=1 << 41))
        model.marginals.copy_(fitting.fit_marginals(list(codes.cpu()), model.config.latent.levels))
        run.model.marginals.copy_(model.marginals)
    return run.recipe.search_price, HuffmanRates(model.marginals.cpu().numpy(), run.device)
