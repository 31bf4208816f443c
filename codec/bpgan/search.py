"""The encoder's search: back-propagation through the generator, with ADMM onto the levels.

Minimise ``J(G(z), x) + weight * rate(z)`` over z whose values are levels. ADMM splits it into a smooth
step on z and a projection u onto the levels, tied by a penalty mu that grows until they agree
(Liu, Cao & Kim 2020; Boyd et al. 2011, section 9.1). Unlike the 2020 code, every term is a mean, so
that mu means the same for each length and batch, and what is returned is the best *quantised*
candidate seen, the encoder's own included: the search never loses to not searching.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from codec.base import CodecError
from codec.bpgan.contexts import RateModel
from codec.bpgan.model import BPGANModel
from codec.bpgan.rates import ContextRates


@dataclass(frozen=True)
class SearchConfig:
    """How hard to search. `iterations` 0 takes the encoder's z as it is."""

    iterations: int = 24
    #: Adam's step in units of each channel's spread of levels.
    rate: float = 0.04
    betas: tuple[float, float] = (0.8, 0.99)
    #: What a bit per symbol is worth in units of J.
    rate_weight: float = 0.0
    #: Penalty's gradient relative to J's at the first step, and how many times larger it ends.
    penalty_start: float = 0.1
    penalty_growth: float = 100.0
    #: Quantised candidates are scored every so many iterations, and at the last three.
    check_every: int = 4


#: Named budgets.
SEARCHES = {
    "instant": SearchConfig(iterations=0),
    "realtime": SearchConfig(iterations=24),
    "best": SearchConfig(iterations=150),
}


@dataclass(frozen=True)
class Found:
    """Result of a search over a batch.

    Attributes:
        symbols: int64 (batch, channels, frames).
        objective: J + weighted rate of `symbols`, (batch,).
        encoder_objective: the same for the encoder's own quantised z: never below `objective`.
    """

    symbols: Tensor
    objective: Tensor
    encoder_objective: Tensor


def distortion(generated: Tensor, mel: Tensor) -> Tensor:
    """J of log-mels (batch, bands, frames) -> (batch,): L1, half the MSE, and half the L1 of differences.

    The terms and weights of training: differences along mel and time guard the harmonics.
    """
    error = generated - mel
    return (
        error.abs().mean(dim=(1, 2))
        + 0.5 * error.square().mean(dim=(1, 2))
        + 0.5 * error.diff(dim=1).abs().mean(dim=(1, 2))
        + 0.5 * error.diff(dim=2).abs().mean(dim=(1, 2))
    )


def search(
    model: BPGANModel,
    mel: Tensor,
    config: SearchConfig,
    progress: Callable[[int, int], None] | None = None,
    rate: RateModel | None = None,
) -> Found:
    """Search symbols for log-mels (batch, bands, frames), all utterances of the batch at once.

    `frames` is a multiple of the latent's stride. The model's weights must not require gradients. `rate`
    says what symbols cost; None: what the model's range coder needs.

    Raises:
        CodecError: if the mel has no finite objective.
    """
    quantizer = model.quantizer
    rate = rate or ContextRates(model.contexts, mel.device)
    scale = quantizer.spread()[None].clamp_min(1e-6)
    levels = (quantizer.per_channel() / scale[0])[None, :, None, :]

    def score(symbols: Tensor) -> Tensor:
        with torch.no_grad():
            generated = model.generator(quantizer.decode(symbols))
            bits = rate.bits(symbols).mean(dim=(1, 2))
            return distortion(generated, mel) + config.rate_weight * bits

    with torch.no_grad():
        start = model.encoder(mel)
        best = quantizer.encode(start)
    best_score = first_score = score(best)
    if not torch.isfinite(first_score).all():
        raise CodecError("The audio gives no finite mel-spectrogram to search for.")
    if config.iterations == 0:
        return Found(best, best_score, first_score)

    # Work in units of each channel's spread: one step size and one mu serve all channels.
    x = (start / scale).requires_grad_(True)
    u_symbols = best
    u = (quantizer.decode(best) / scale).detach()
    dual = torch.zeros_like(u)
    optimiser = torch.optim.Adam([x], lr=config.rate, betas=config.betas)
    growth = config.penalty_growth ** (1 / config.iterations)
    mu: Tensor | None = None
    for k in range(config.iterations):
        objective = distortion(model.generator(x * scale), mel)
        (gradient,) = torch.autograd.grad(objective.sum(), x)
        with torch.no_grad():
            size = x[0].numel()
            pull = (x - u + dual) / size
            if mu is None:
                ratio = gradient.flatten(1).norm(dim=1) / pull.flatten(1).norm(dim=1).clamp_min(1e-12)
                mu = (config.penalty_start * ratio)[:, None, None]
            x.grad = gradient + mu * pull
            optimiser.step()
            u_symbols = _project(x + dual, u_symbols, levels, rate, mu, config.rate_weight)
            u = quantizer.decode(u_symbols) / scale
            dual += x - u
            mu *= growth
            dual /= growth  # the dual is scaled by 1 / mu: rescale it when mu changes
            if (k + 1) % config.check_every == 0 or k >= config.iterations - 3:
                # Two quantised candidates: the projection and plain rounding of z.
                for candidate in (u_symbols, quantizer.encode(x * scale)):
                    now = score(candidate)
                    better = now < best_score
                    best = torch.where(better[:, None, None], candidate, best)
                    best_score = torch.where(better, now, best_score)
        if progress is not None:
            progress(k + 1, config.iterations)
    return Found(best, best_score, first_score)


def _project(
    x: Tensor, symbols: Tensor, levels: Tensor, rate: RateModel, mu: Tensor, weight: float
) -> Tensor:
    """Entropy-constrained projection: the level that is near and cheap, given the neighbours of before."""
    distance = 0.5 * mu[..., None] * (x[..., None] - levels).square()
    if weight:
        distance = distance + weight * rate.alternatives(symbols)
    return distance.argmin(dim=-1)
