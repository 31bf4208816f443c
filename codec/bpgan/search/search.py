"""The encoder's search: back-propagation through the generator onto the quantiser's levels.

Minimise ``J(G(z)) + weight * rate(z)`` over all z that consist of levels, for all files of a batch at once.
The methods (`codec.bpgan.search.search_steps`) differ in how they propose symbols. Returned is the best
*quantised* candidate that was scored, the encoder's own included, so searching is never worse than not
searching. Unlike in the 2020 code, every term is a mean, so that settings do not depend on the length of a
file, and each file is treated as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from codec.base import CodecError, gettext_noop
from codec.bpgan.entropy.base import RateModel
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.search.flips import flip
from codec.bpgan.search.objective import Problem
from codec.bpgan.search.search_steps import METHODS, Method, SearchConfig

__all__ = ["METHODS", "SEARCHES", "Found", "SearchConfig", "search"]

#: Named budgets. Flips take half of the time of `realtime`; a few steps gain most of what all can.
SEARCHES = {
    "instant": SearchConfig(iterations=8),
    "realtime": SearchConfig(iterations=24, flip_rounds=2),
    "best": SearchConfig(iterations=80, flip_rounds=16),
}


@dataclass(frozen=True)
class Found:
    """Result of a search over a batch.

    Attributes:
        symbols: int64 (batch, channels, frames), without the fixed context and the look-ahead; 0 in the
            padding.
        objective: J + weighted rate, (batch,), context and look-ahead included; J of the refined log-mel, if
            the model has a refiner.
        encoder_objective: the same for the encoder's own quantised z; never below `objective`, unless
            `SearchConfig.keep_best` is off.
        distortion: J alone, (batch,).
        bits: mean bits per symbol by the rate model, (batch,).
        iterations: steps that each file took, int64 (batch,).
    """

    symbols: Tensor
    objective: Tensor
    encoder_objective: Tensor
    distortion: Tensor
    bits: Tensor
    iterations: Tensor


@dataclass
class _Best:
    """The best candidate seen for each file of the whole batch."""

    symbols: Tensor
    objective: Tensor

    def offer(self, rows: Tensor, symbols: Tensor, objective: Tensor) -> None:
        better = objective < self.objective[rows]
        self.symbols[rows] = torch.where(better[:, None, None], symbols, self.symbols[rows])
        self.objective[rows] = torch.where(better, objective, self.objective[rows])


def search(
    model: BPGANModel,
    mel: Tensor,
    config: SearchConfig,
    progress: Callable[[int, int], None] | None = None,
    *,
    channels: int | None = None,
    rate: RateModel | None = None,
    lengths: Tensor | None = None,
    context: Tensor | None = None,
    ahead: int = 0,
) -> Found:
    """Search symbols for log-mels (batch, bands, frames), all files of the batch at once.

    Args:
        model: its weights must not require gradients.
        mel: `frames` is a multiple of the latent's stride.
        config: method, budget and price of a bit.
        progress: called with (steps done, steps in all).
        channels: number of the latent's channels that are sent, counted from the first; None: all.
        rate: what symbols cost; None: what the model's range coder needs for them.
        lengths: latent frames of each file, int64 (batch,), if they differ. Each file's result is as if it
            were alone, up to rounding (see `SearchConfig.exact`).
        context: symbols that are already decided, int64 (batch, channels, n), when the next block of a long
            file is searched; they belong to the first ``n * stride`` frames of `mel`. They do not change, but
            are inputs of the generator and of the coder's contexts.
        ahead: number of latent frames at the end of `mel` that are look-ahead: searched, but not returned.

    Raises:
        CodecError: if the mel has no finite objective.
    """
    problem = Problem(
        model,
        mel,
        channels,
        rate,
        config.rate_weight,
        lengths,
        context,
        exact=config.exact,
    )
    with torch.no_grad():
        start = problem.encode()
        first = problem.quantise(start / problem.unit)
    encoder_objective = problem.score(first)
    if not torch.isfinite(encoder_objective).all():
        raise CodecError(gettext_noop("The audio gives no finite mel-spectrogram to search for."))
    best = _Best(first.clone(), encoder_objective.clone())
    iterations = _iterate(problem, start / problem.unit, first, config, best, progress)
    candidates = [best.symbols]
    if config.method in ("ste", "admm") and config.flip_rounds and config.keep_best:
        best.symbols, best.objective = flip(problem, best.symbols, best.objective, config)
        candidates.append(best.symbols)
    if model.refiner is not None and config.refined:
        encoder_objective, best = _choose_received(problem, first, candidates, config)
    symbols, objective = best.symbols, best.objective
    bits = problem.bits(symbols)
    own = slice(0 if context is None else context.shape[2], symbols.shape[2] - ahead)
    return Found(
        symbols=(symbols * problem.free.long())[:, :, own],
        objective=objective,
        encoder_objective=encoder_objective,
        distortion=objective - problem.price(symbols),
        bits=bits,
        iterations=iterations,
    )


def _iterate(
    problem: Problem,
    x: Tensor,
    first: Tensor,
    config: SearchConfig,
    best: _Best,
    progress: Callable[[int, int], None] | None,
) -> Tensor:
    """Run the method on every file until it has done its steps or has converged."""
    batch = first.shape[0]
    done = torch.zeros(batch, dtype=torch.int64, device=first.device)
    if config.method == "encoder" or not config.iterations:
        return done
    rows = torch.arange(batch, device=first.device)
    method = METHODS[config.method](problem, x, first, config)
    unchanged = torch.zeros_like(done)
    for k in range(config.iterations):
        last = method.symbols
        objective = method.step(k)
        done[rows] += 1
        if objective is not None and config.keep_best:
            best.offer(rows, method.symbols, objective)
        if method.may_rest and config.patience:
            same = (method.symbols == last).flatten(1).all(dim=1)
            unchanged[rows] = torch.where(same, unchanged[rows] + 1, 0)
            going = unchanged[rows] < config.patience
            if not going.all():
                # Converged: a file of silence, or one in which nearly all symbols are fixed.
                _close(method, rows, ~going, config, best)
                rows = rows[going]
                if not len(rows):
                    break
                method.select(torch.nonzero(going).squeeze(1))
        if progress is not None:
            progress(k + 1, config.iterations)
    if len(rows):
        _close(method, rows, torch.ones_like(rows, dtype=torch.bool), config, best)
    if progress is not None:
        progress(config.iterations, config.iterations)
    return done


def _choose_received(
    problem: Problem, first: Tensor, candidates: list[Tensor], config: SearchConfig
) -> tuple[Tensor, _Best]:
    """The score of the encoder's symbols `first`, and the best of them and the `candidates`, all as received.

    The steps of the search know the generator alone, which is quick; here the refiner has the last word.
    """
    encoder_objective = problem.received_score(first)
    if not config.keep_best:
        return encoder_objective, _Best(candidates[-1], problem.received_score(candidates[-1]))
    best = _Best(first.clone(), encoder_objective.clone())
    for symbols in candidates:
        best.offer(torch.arange(len(first), device=first.device), symbols, problem.received_score(symbols))
    return encoder_objective, best


def _close(method: Method, rows: Tensor, which: Tensor, config: SearchConfig, best: _Best) -> None:
    """Score the final symbols of the files that `which` selects."""
    part = torch.nonzero(which).squeeze(1)
    symbols = method.symbols[part]
    objective = method.problem.select(part).score(symbols)
    if config.keep_best:
        best.offer(rows[part], symbols, objective)
    else:
        best.symbols[rows[part]], best.objective[rows[part]] = symbols, objective
