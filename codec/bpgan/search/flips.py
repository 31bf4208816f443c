"""Greedy moves of single symbols, for what is left to gain once the search has converged.

The gradient ranks all moves of all symbols by the gain they promise. Many are tried in one forward pass: one
per stretch of time, far enough apart that the generator hardly mixes them. Each is kept or undone, depending
on the error and the bits of the frames around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from codec.bpgan.search.objective import Problem
from codec.bpgan.search.search_steps import SearchConfig

#: Latent frames per stretch, and the number of frames on either side by which a move is judged.
_STRETCH, _AROUND = 12, 6
_NEVER = 1e9


@dataclass
class _Moves:
    """Moves to try: file, channel, frame and new level of each."""

    file: Tensor
    channel: Tensor
    frame: Tensor
    level: Tensor


def flip(problem: Problem, symbols: Tensor, objective: Tensor, config: SearchConfig) -> tuple[Tensor, Tensor]:
    """Improve symbols (batch, channels, frames) of known objective (batch,) for `config.flip_rounds`.

    Returns both, improved or unchanged: each file keeps the best of its rounds. A file is finished after a
    round that has kept no move.
    """
    best, best_objective = symbols.clone(), objective.clone()
    rows = torch.arange(len(symbols), device=symbols.device)
    for number in range(config.flip_rounds):
        part = problem if len(rows) == len(symbols) else problem.select(rows)
        found, kept = _round(part, best[rows], config.flip_tries, 3 * number)
        now = part.score(found)
        better = now < best_objective[rows]
        best[rows] = torch.where(better[:, None, None], found, best[rows])
        best_objective[rows] = torch.where(better, now, best_objective[rows])
        rows = rows[(kept > 0) & better]
        if not len(rows):
            break
    return best, best_objective


def _round(problem: Problem, symbols: Tensor, tries: int, offset: int) -> tuple[Tensor, Tensor]:
    """Try moves ranked by the gradient at `symbols`. Returns the new symbols and the moves kept per file."""
    promise, level = _rank(problem, symbols)
    current = problem.frame_scores(symbols)
    kept = torch.zeros(len(symbols), dtype=torch.int64, device=symbols.device)
    for attempt in range(tries):
        shift = (attempt * (_STRETCH // 2 + 1) + offset) % _STRETCH
        moves = _choose(promise, level, shift)
        if not len(moves.file):
            continue
        where = (moves.file, moves.channel, moves.frame)
        promise[where] = _NEVER  # each move is tried once
        before = symbols[where]
        symbols = symbols.index_put(where, moves.level)
        tried = problem.frame_scores(symbols)
        first = (moves.frame - _AROUND).clamp_min(0)
        last = (moves.frame + 1 + _AROUND).clamp_max(tried.shape[1])
        change = nn.functional.pad((tried - current).double().cumsum(dim=1), (1, 0))
        good = change[moves.file, last] - change[moves.file, first] < 0
        symbols = symbols.index_put(where, torch.where(good, moves.level, before))
        kept.index_add_(0, moves.file, good.long())
        # Around the moves that are kept, the scores just measured become the current ones.
        edges = torch.zeros(tried.shape[0], tried.shape[1] + 1, dtype=torch.int64, device=tried.device)
        edges.index_put_((moves.file, first), good.long(), accumulate=True)
        edges.index_put_((moves.file, last), -good.long(), accumulate=True)
        current = torch.where(edges.cumsum(dim=1)[:, :-1] > 0, tried, current)
    return symbols, kept


def _rank(problem: Problem, symbols: Tensor) -> tuple[Tensor, Tensor]:
    """Find the best move of each symbol: the change in the objective it promises, and its level."""
    values = problem.values(symbols)
    _, gradient = problem.gradient(values)
    step = problem.levels - values[..., None]
    change = gradient[..., None] * step + 0.5 * problem.curvature(values)[..., None] * step.square()
    if problem.rate_weight:
        change = change + problem.alternatives(symbols)
    change.scatter_(3, symbols[..., None], _NEVER)
    promise, level = change.min(dim=-1)
    return promise.masked_fill(problem.free == 0, _NEVER), level


def _choose(promise: Tensor, level: Tensor, shift: int) -> _Moves:
    """Choose the most promising move in each stretch of `_STRETCH` frames; the first is `shift` long."""
    frames = promise.shape[2]
    before = (_STRETCH - shift) % _STRETCH
    after = -(frames + before) % _STRETCH
    padded = nn.functional.pad(promise, (before, after), value=_NEVER)
    stretches = padded.reshape(*padded.shape[:2], -1, _STRETCH).transpose(1, 2).flatten(2)
    value, index = stretches.min(dim=-1)
    file, stretch = torch.nonzero(value < 0, as_tuple=True)
    index = index[file, stretch]
    channel, frame = index // _STRETCH, index % _STRETCH + stretch * _STRETCH - before
    return _Moves(file, channel, frame, level[file, channel, frame])
