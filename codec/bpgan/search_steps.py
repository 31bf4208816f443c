"""The search's methods: each a way to propose quantised candidates, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from codec.bpgan.objective import Problem

#: Quantised symbols, and their objective if it is known already.
Candidate = tuple[Tensor, Tensor | None]


@dataclass(frozen=True)
class SearchConfig:
    """How to search, and how hard.

    Attributes:
        method: ``encoder`` (no search), ``round`` (plain back-propagation, then rounding), ``ste``
            (straight-through Adam), ``admm``, or ``paper`` (the 2020 algorithm with its constants).
        iterations: steps; 0 takes the encoder's z as it is.
        rate: Adam's step in units of each channel's spread of levels.
        betas: Adam's.
        rate_weight: what a bit per symbol is worth in units of J (lambda).
        penalty_start: the penalty's gradient relative to J's at the first step of ADMM,
        penalty_growth: and how many times larger it ends.
        check_every: quantised candidates are scored every so many steps, and after the last three.
        patience: a file is done when its projection has not changed, nor J improved by 0.1 %, for so
            many candidates. 0 takes all steps.
        keep_best: return the best candidate seen, the encoder's included. Off only to show what the
            2020 code does, which sends the last.
    """

    method: str = "admm"
    iterations: int = 24
    rate: float = 0.04
    betas: tuple[float, float] = (0.8, 0.99)
    rate_weight: float = 0.0
    penalty_start: float = 0.1
    penalty_growth: float = 100.0
    check_every: int = 4
    patience: int = 3
    keep_best: bool = True

    def checks(self, step: int) -> bool:
        """Whether step `step` (from 0 on) ends with a scored candidate."""
        return (step + 1) % self.check_every == 0 or step >= self.iterations - 3


class Adam:
    """Adam on a whole batch, element by element: a file's steps do not depend on its neighbours."""

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
    """Common state: the problem, x in units of each channel's spread, and Adam."""

    def __init__(self, problem: Problem, x: Tensor, first: Tensor, config: SearchConfig) -> None:
        self.problem, self.config = problem, config
        self.x = x.clone()
        self.adam = Adam(x, config.rate, config.betas)

    def step(self, k: int) -> list[Candidate]:
        """Take step `k` and return what it proposes, the projection first."""
        raise NotImplementedError

    def select(self, rows: Tensor) -> None:
        """Go on with these files of the batch only."""
        self.problem = self.problem.select(rows)
        self.x = self.x[rows]
        self.adam.select(rows)


class Round(Method):
    """Back-propagation to an unquantised z, whose nearest levels are the candidate."""

    def step(self, k: int) -> list[Candidate]:
        _, gradient = self.problem.gradient(self.x)
        self.x -= self.adam.step(gradient)
        return [(self.problem.quantise(self.x), None)] if k == self.config.iterations - 1 else []


class Paper(Method):
    """The 2020 algorithm: ``alpha * MSE + mu / 2 * |z - u + eta|^2``, a sum, with constant mu; Q(z_K).

    z in its own units. MSE was a mean over patches of 16 384 samples and the sum was divided by their
    number, so that it means the same here for a file as there for a batch. Its perceptual term needs a
    phone recogniser that is not ours: left out, as in its authors' audio search.
    """

    ALPHA, MU, RATE, BETAS, PATCH = 15.0, 1e-3, 0.05, (0.9, 0.999), 16_384

    def __init__(self, problem: Problem, x: Tensor, first: Tensor, config: SearchConfig) -> None:
        super().__init__(problem, x, first, config)
        self.x = x * problem.unit
        self.adam = Adam(x, self.RATE, self.BETAS)
        self.u = problem.model.quantizer.decode(first)
        self.dual = torch.zeros_like(x)
        self.patches = problem.size / problem.channels * problem.model.config.block / self.PATCH

    def step(self, k: int) -> list[Candidate]:
        problem, quantizer = self.problem, self.problem.model.quantizer
        leaf = self.x.detach().requires_grad_(True)
        with torch.enable_grad():
            error = (problem.generate(leaf) - problem.mel).square()
            if problem.weights is None:
                mse = error.mean(dim=(1, 2))
            else:
                weight = problem.weights
                mse = (error * weight).sum(dim=(1, 2)) / (weight.sum(dim=(1, 2)) * error.shape[1])
            (gradient,) = torch.autograd.grad(self.ALPHA * mse.sum(), leaf)
        with torch.no_grad():
            pull = self.MU * (self.x - self.u + self.dual) / self.patches[:, None, None]
            self.x -= self.adam.step((gradient + pull) * problem.free)
            self.u = quantizer.decode(quantizer.encode(self.x + self.dual))
            self.dual += self.x - self.u
        return [(problem.quantise(self.x / problem.unit), None)] if k == self.config.iterations - 1 else []

    def select(self, rows: Tensor) -> None:
        super().select(rows)
        self.u, self.dual, self.patches = self.u[rows], self.dual[rows], self.patches[rows]


class StraightThrough(Method):
    """Adam on z with the gradient at its nearest levels; each step scores the candidate of the one before."""

    def step(self, k: int) -> list[Candidate]:
        problem = self.problem
        symbols = problem.quantise(self.x)
        objective, gradient = problem.gradient(problem.values(symbols))
        found: list[Candidate] = [(symbols, objective + problem.price(symbols))]
        self.x -= self.adam.step(gradient)
        if k == self.config.iterations - 1:
            found.append((problem.quantise(self.x), None))
        return found


class Admm(Method):
    """Alternating direction method of multipliers: a step on z, a projection u onto levels, their dual.

    Liu, Cao & Kim 2020; Boyd et al. 2011, section 9.1. mu grows from a share of J's gradient until z and
    u agree; the projection also pays for bits.
    """

    def __init__(self, problem: Problem, x: Tensor, first: Tensor, config: SearchConfig) -> None:
        super().__init__(problem, x, first, config)
        self.symbols = first
        self.u = problem.values(first)
        self.dual = torch.zeros_like(x)
        self.mu: Tensor | None = None
        self.growth = config.penalty_growth ** (1 / config.iterations)

    def step(self, k: int) -> list[Candidate]:
        problem, config = self.problem, self.config
        _, gradient = problem.gradient(self.x)
        pull = (self.x - self.u + self.dual) * problem.free
        if self.mu is None:
            ratio = gradient.flatten(1).norm(dim=1) / pull.flatten(1).norm(dim=1).clamp_min(1e-12)
            self.mu = (config.penalty_start * ratio)[:, None, None]
        self.x -= self.adam.step(gradient + self.mu * pull)
        distance = 0.5 * self.mu[..., None] * ((self.x + self.dual)[..., None] - problem.levels).square()
        if config.rate_weight:
            distance += problem.alternatives(self.symbols)
        free = problem.free.bool()
        self.symbols = torch.where(free, distance.argmin(dim=-1), self.symbols)
        self.u = problem.values(self.symbols)
        self.dual += (self.x - self.u) * problem.free
        self.mu = self.mu * self.growth
        self.dual /= self.growth  # the dual is scaled by 1 / mu: rescale it when mu changes
        if not config.checks(k):
            return []
        return [(self.symbols, None), (problem.quantise(self.x), None)]

    def select(self, rows: Tensor) -> None:
        super().select(rows)
        self.symbols, self.u, self.dual = self.symbols[rows], self.u[rows], self.dual[rows]
        if self.mu is not None:
            self.mu = self.mu[rows]


METHODS: dict[str, Callable[[Problem, Tensor, Tensor, SearchConfig], Method]] = {
    "round": Round,
    "ste": StraightThrough,
    "admm": Admm,
    "paper": Paper,
}
