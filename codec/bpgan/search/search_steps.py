"""The methods of the search, each of which proposes quantised candidates step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from codec.bpgan.search.objective import Problem


@dataclass(frozen=True)
class SearchConfig:
    """How to search, and how thoroughly. The defaults were tuned on speech of unseen validation speakers.

    Attributes:
        method: ``encoder`` (no search), ``round`` (plain back-propagation, then rounding), ``ste``
            (straight-through Adam), ``admm``, or ``paper`` (the 2020 algorithm with its constants).
        iterations: steps of back-propagation; 0 takes the encoder's z as it is.
        rate: Adam's step in units of each channel's spread of levels.
        betas: Adam's.
        rate_weight: price of a bit per symbol, in units of J (lambda).
        penalty: ADMM's mu, in units of J's curvature.
        closing: the share of ADMM's steps during which more and more symbols are fixed for good, while the
            rest continue and compensate for them.
        closing_penalty: how strongly symbols that are still free are drawn to their levels meanwhile.
        caution: the curvature of J to assume when a level's bits are weighed against its distance, relative
            to the measured one; it is above 1 because errors of many symbols add up.
        flip_rounds: greedy rounds of moves of single symbols after `ste` and `admm` (`flips`).
        flip_tries: forward passes per round.
        patience: a file is finished when its projection has not changed for this many steps; 0: never.
        exact: compute gradients, too, in float32. Otherwise they may be in bfloat16, which takes half the
            time; files in a batch then end up slightly different from the same files alone, neither better
            nor worse.
        keep_best: return the best candidate seen, the encoder's included. Off only to reproduce the 2020
            code, which sends the last one.
        refined: let the refiner, if the model has one, choose among the best candidates at the end.
    """

    method: str = "admm"
    iterations: int = 24
    rate: float = 0.04
    betas: tuple[float, float] = (0.8, 0.99)
    rate_weight: float = 0.0
    penalty: float = 0.2
    closing: float = 0.6
    closing_penalty: float = 0.3
    caution: float = 1.5
    flip_rounds: int = 0
    flip_tries: int = 16
    patience: int = 4
    exact: bool = False
    keep_best: bool = True
    refined: bool = True


class Adam:
    """Adam for a whole batch, element by element, so that a file's steps do not depend on the other files."""

    def __init__(self, like: Tensor, rate: float, betas: tuple[float, float]) -> None:
        self.rate, self.betas = rate, betas
        self.mean, self.square, self.count = torch.zeros_like(like), torch.zeros_like(like), 0

    def step(self, gradient: Tensor, rate: float | None = None) -> Tensor:
        """What to subtract for this gradient."""
        first, second = self.betas
        self.count += 1
        self.mean.lerp_(gradient, 1 - first)
        self.square.lerp_(gradient.square(), 1 - second)
        mean = self.mean / (1 - first**self.count)
        size = (self.square / (1 - second**self.count)).sqrt_().add_(1e-8)
        return mean.div_(size).mul_(self.rate if rate is None else rate)

    def select(self, rows: Tensor) -> None:
        self.mean, self.square = self.mean[rows], self.square[rows]


class Method:
    """Common state: the problem, x in units of each channel's spread, its projection, and Adam."""

    #: Whether a file may finish before all steps are done.
    may_rest = True

    def __init__(self, problem: Problem, x: Tensor, first: Tensor, config: SearchConfig) -> None:
        self.problem, self.config = problem, config
        self.x, self.symbols = x.clone(), first.clone()
        self.adam = Adam(x, config.rate, config.betas)

    def step(self, k: int) -> Tensor | None:
        """Take step `k`. Returns the objective (batch,) of `symbols` if the step happens to compute it."""
        raise NotImplementedError

    def select(self, rows: Tensor) -> None:
        """Continue with only these files of the batch."""
        self.problem = self.problem.select(rows)
        self.x, self.symbols = self.x[rows], self.symbols[rows]
        self.adam.select(rows)


class Round(Method):
    """Back-propagation to an unquantised z; the nearest levels are the candidate."""

    may_rest = False

    def step(self, k: int) -> None:
        _, gradient = self.problem.gradient(self.x)
        self.x -= self.adam.step(gradient)
        if k == self.config.iterations - 1:
            self.symbols = self.problem.quantise(self.x)


class Paper(Method):
    """The 2020 algorithm: ``alpha * MSE + mu / 2 * |z - u + eta|^2``, a sum, with constant mu; Q(z_K).

    z is in its own units. There, MSE was a mean over patches of 16 384 samples, and the sum was divided by
    their number; here a file is treated in the same way as a batch was there. The perceptual term is left
    out, as in the authors' own audio search, because it needs a phone recogniser.
    """

    ITERATIONS, ALPHA, MU, RATE, BETAS, PATCH = 250, 15.0, 1e-3, 0.05, (0.9, 0.999), 16_384
    may_rest = False

    def __init__(self, problem: Problem, x: Tensor, first: Tensor, config: SearchConfig) -> None:
        super().__init__(problem, x, first, config)
        self.x = x * problem.unit
        self.adam = Adam(x, self.RATE, self.BETAS)
        self.u = problem.model.quantizer.decode(first)
        self.dual = torch.zeros_like(x)
        self.patches = problem.size / problem.channels * problem.model.config.block / self.PATCH

    def step(self, k: int) -> None:
        problem, quantizer = self.problem, self.problem.model.quantizer
        gradient = self.ALPHA * problem.mse_gradient(self.x)
        pull = self.MU * (self.x - self.u + self.dual) / self.patches[:, None, None]
        self.x -= self.adam.step((gradient + pull) * problem.free)
        self.u = quantizer.decode(quantizer.encode(self.x + self.dual))
        self.dual += self.x - self.u
        if k == self.config.iterations - 1:
            self.symbols = problem.quantise(self.x / problem.unit)

    def select(self, rows: Tensor) -> None:
        super().select(rows)
        self.u, self.dual, self.patches = self.u[rows], self.dual[rows], self.patches[rows]


class StraightThrough(Method):
    """Adam on z with the gradient at its projection, which the same pass scores."""

    def __init__(self, problem: Problem, x: Tensor, first: Tensor, config: SearchConfig) -> None:
        super().__init__(problem, x, first, config)
        self.curvature = config.caution * problem.curvature(x) if config.rate_weight else None

    def step(self, k: int) -> Tensor:
        problem = self.problem
        self.symbols = problem.project(self.x, self.symbols, self.curvature)
        objective, gradient = problem.gradient(problem.values(self.symbols), exact=True)
        self.x -= self.adam.step(gradient)
        return objective + problem.price(self.symbols)

    def select(self, rows: Tensor) -> None:
        super().select(rows)
        if self.curvature is not None:
            self.curvature = self.curvature[rows]


class Admm(Method):
    """Alternating direction method of multipliers: a step on z, a projection u onto levels, their dual.

    Liu, Cao & Kim 2020; Boyd et al. 2011, section 9.1. On a set that is not convex, ADMM need not converge.
    It is therefore closed, not by a growing mu, but by fixing ever more symbols, drawn at random, to their
    levels, while the gradient lets the others compensate for the resulting error.
    """

    def __init__(self, problem: Problem, x: Tensor, first: Tensor, config: SearchConfig) -> None:
        super().__init__(problem, x, first, config)
        self.u = problem.values(first)
        self.dual = torch.zeros_like(x)
        self.curvature = problem.curvature(x)
        self.opening = config.iterations - round(config.closing * config.iterations)
        # Frames first, so that a file draws the same numbers in whatever padding.
        generator = torch.Generator().manual_seed(0)
        order = torch.rand(x.shape[2], x.shape[1], generator=generator).T[None]
        self.order = order.to(x.device).expand_as(x)
        self.fixed = problem.free.expand_as(x) == 0

    def step(self, k: int) -> None:
        problem, config = self.problem, self.config
        closing = k >= self.opening
        _, gradient = problem.gradient(self.x)
        mu = (config.closing_penalty if closing else config.penalty) * self.curvature
        total = gradient + mu * (self.x - self.u + self.dual)
        self.x -= self.adam.step(total.masked_fill_(self.fixed, 0.0)).masked_fill_(self.fixed, 0.0)
        weight = config.caution * self.curvature if closing else mu
        symbols = problem.project(self.x + self.dual, self.symbols, weight)
        self.symbols = torch.where(self.fixed, self.symbols, symbols)
        self.u = problem.values(self.symbols)
        if not closing:
            self.dual += (self.x - self.u).masked_fill_(self.fixed, 0.0)
            if k + 1 == self.opening:
                # From here on, a multiplier would only push away from levels that no longer change.
                self.dual.zero_()
            return
        share = (k + 1 - self.opening) / max(1, config.iterations - self.opening)
        self.fixed = self.fixed | (self.order <= share)
        self.x = torch.where(self.fixed, self.u, self.x)

    def select(self, rows: Tensor) -> None:
        super().select(rows)
        self.u, self.dual, self.curvature = self.u[rows], self.dual[rows], self.curvature[rows]
        self.order, self.fixed = self.order[rows], self.fixed[rows]


METHODS: dict[str, Callable[[Problem, Tensor, Tensor, SearchConfig], Method]] = {
    "round": Round,
    "ste": StraightThrough,
    "admm": Admm,
    "paper": Paper,
}
