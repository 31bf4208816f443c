"""The primary analysis of studies with gaps, and the mixed model, for thousands of studies at once.

Fisher scoring as in `random_effects`, each step of all studies that have not settled. What is unusual
(nothing varies but listeners, as many levels as observations, a step that does not settle) is left to the
program's own `differences.estimate_mean`, one by one. `test_fast_forms` holds the rest to it, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy.special import fdtrc, stdtrit

from evaluation.analysis.statistics import mixed
from evaluation.analysis.statistics.differences import Population, estimate_mean
from evaluation.analysis.statistics.frames import Floats, Ints
from evaluation.analysis.statistics.random_effects import (
    FLAT,
    GAIN,
    MOST,
    NOISE,
    SETTLED,
    TOLD,
    VANISHED,
)
from tests.calibration.balanced import Estimates
from tests.calibration.newton import minimise

#: Studies at once: their matrices stay in the processor's memory.
_CHUNK = 200
#: Most steps, and halvings of a step, before a study is fitted by itself.
_STEPS, _HALVINGS = 40, 12


def estimate(values: Floats, population: Population) -> Estimates:
    """The mean of `values`, (studies, listeners, items), NaN for none, as `differences` has it.

    NaN where `differences.compare` has no answer for the population: fewer than two listeners, nothing that
    varies, one item for all like it.
    """
    studies = len(values)
    there = ~np.isnan(values)
    listeners, items = there.any(axis=2).sum(axis=1), there.any(axis=1).sum(axis=1)
    n = there.sum(axis=(1, 2))
    varied = np.zeros(studies, dtype=bool)
    varied[n > 0] = np.nanmax(values[n > 0], axis=(1, 2)) - np.nanmin(values[n > 0], axis=(1, 2)) > 1e-9
    answered = (listeners > 1) & varied
    like = population is Population.ITEMS_LIKE_THESE
    if like:
        answered &= items > 1
    found = Estimates(*np.full((3, studies), np.nan))
    whole = there.sum(axis=(1, 2)) == listeners * items
    easy = answered & (listeners < n) & ((items < n) if like else ~whole & (n > items))
    # Where listeners and items explain every cell there is no error, but for rounding.
    easy &= n >= listeners + items
    places = np.flatnonzero(easy)
    settled = np.zeros(studies, dtype=bool)
    for start in range(0, places.size, _CHUNK):
        part = places[start : start + _CHUNK]
        mean, se, df, done = _Batch.lay_out(values[part], like).fit()
        found.mean[part], found.se[part], found.df[part], settled[part] = mean, se, df, done
    for place in np.flatnonzero(answered & ~settled):
        _one_by_one(found, place, values[place], population)
    return found


def _one_by_one(found: Estimates, place: int, values: Floats, population: Population) -> None:
    listener, item = np.nonzero(~np.isnan(values))
    grades = values[listener, item]
    _, listener = np.unique(listener, return_inverse=True)
    _, item = np.unique(item, return_inverse=True)
    contrast = estimate_mean(grades, listener, item, population)
    if contrast is None:
        found.mean[place] = found.se[place] = found.df[place] = np.nan
    else:
        found.mean[place], found.se[place], found.df[place] = contrast.estimate, contrast.se, contrast.df


def count_groups(there: np.ndarray) -> Ints:
    """Groups of listeners and items, (studies, listeners, items), that no cell connects; (studies,)."""
    step = np.einsum("sai,sbi->sab", there, there)
    for _ in range(int(np.ceil(np.log2(there.shape[1] + 1)))):
        step = np.einsum("sab,sbc->sac", step.astype(np.float64), step.astype(np.float64)) > 0
    first = step.argmax(axis=2) == np.arange(there.shape[1])
    return np.asarray((first & there.any(axis=2)).sum(axis=1), dtype=np.intp)


@dataclass(frozen=True)
class _Batch:
    """As `random_effects._Problem`, of many studies: `gram` (studies, width, width) of [X Z], and so on.

    A level that a study lacks has a column of zeros in Z, and an independent one in X; `p` and `levels`,
    (studies, parts), count those that are there. `weights` (studies, width of X) are of the mean.
    """

    gram: Floats
    sums: Floats
    square: Floats
    n: Floats
    p: Floats
    fixed: int
    groups: tuple[slice, ...]
    levels: Floats
    weights: Floats
    least: Floats

    @classmethod
    def lay_out(cls, values: Floats, like: bool) -> _Batch:
        """Random listeners, and random items where `like`, else each item by itself."""
        studies, listeners, items = values.shape
        there = ~np.isnan(values)
        mask, grades = there.astype(float), np.where(there, values, 0.0)
        of_listener, of_item, n = mask.sum(axis=2), mask.sum(axis=1), mask.sum(axis=(1, 2))
        levels = np.stack([(of_listener > 0).sum(axis=1), (of_item > 0).sum(axis=1)], axis=1).astype(float)
        fixed = 1 if like else items
        width = fixed + listeners + (items if like else 0)
        gram, sums = np.zeros((studies, width, width)), np.zeros((studies, width))
        who = slice(fixed, fixed + listeners)
        what = slice(who.stop, width) if like else slice(0, items)
        for place, counts, total in (
            (who, of_listener, grades.sum(axis=2)),
            (what, of_item, grades.sum(axis=1)),
        ):
            spots = np.arange(place.start, place.stop)
            gram[:, spots, spots] = counts
            sums[:, place] = total
        gram[:, who, what] = mask
        gram[:, what, who] = mask.transpose(0, 2, 1)
        if like:
            gram[:, 0, 0], sums[:, 0] = n, grades.sum(axis=(1, 2))
            gram[:, 0, who] = gram[:, who, 0] = of_listener
            gram[:, 0, what] = gram[:, what, 0] = of_item
            p, weights = np.ones(studies), np.ones((studies, 1))
            least = levels.min(axis=1) - 1
        else:
            spots = np.arange(items)
            gram[:, spots, spots] += of_item == 0
            p, weights = levels[:, 1], (of_item > 0) / levels[:, 1:]
            least = levels[:, 0] - count_groups(there)
        return cls(
            gram,
            sums,
            (grades**2).sum(axis=(1, 2)),
            n,
            p,
            fixed,
            (who, what) if like else (who,),
            levels if like else levels[:, :1],
            weights,
            np.maximum(1.0, least),
        )

    def of(self, chosen: np.ndarray) -> _Batch:
        return _Batch(
            self.gram[chosen], self.sums[chosen], self.square[chosen], self.n[chosen], self.p[chosen],
            self.fixed, self.groups, self.levels[chosen], self.weights[chosen], self.least[chosen],
        )  # fmt: skip

    def fit(self) -> tuple[Floats, Floats, Floats, np.ndarray]:
        """Mean, standard error and degrees of freedom of each study, and whether its scoring settled."""
        studies, parts = len(self.n), len(self.groups)
        mean, se, df = np.full((3, studies), np.nan)
        done = np.zeros(studies, dtype=bool)
        active, batch = np.arange(studies), self
        ratios = np.ones((studies, parts))
        state = batch._solve(ratios)
        for number in range(_STEPS):
            scale = state.error / (batch.n - batch.p)
            score, information = batch._score(state, scale)
            # Flat: the program's own code says what then.
            told = number > 0 or _condition(information * (scale**2)[:, None, None]) < FLAT
            variances = np.column_stack([ratios * scale[:, None], scale])
            free = (variances > 0) | (score > 0)
            free[:, -1] = True
            step = (_inverse(information, free) @ np.where(free, score, 0.0)[:, :, None])[:, :, 0]
            tried, after, better = batch._climb(state, ratios, variances, step)
            moved = np.abs(tried - ratios).max(axis=1) / (1e-3 + np.abs(ratios).max(axis=1))
            told &= scale * batch.n > VANISHED * batch.square
            # No step up, and none was promised: the top.
            top = ~better & ((score * step).sum(axis=1) < GAIN)
            tried = np.where(top[:, None], ratios, tried)
            better = told & (better | top)
            settled = better & (top | (moved < SETTLED))
            if settled.any():
                places = np.flatnonzero(settled)
                found = np.where(tried[places] < SETTLED, 0.0, tried[places])
                known = batch.of(places)._describe(found)
                for into, what in zip((mean, se, df, done), known, strict=True):
                    into[active[places]] = what
            kept = np.flatnonzero(better & ~settled)
            if kept.size == 0:
                break
            active, batch, ratios, state = active[kept], batch.of(kept), tried[kept], after.of(kept)
        return mean, se, df, done

    def _climb(
        self, state: _State, ratios: Floats, variances: Floats, step: Floats
    ) -> tuple[Floats, _State, np.ndarray]:
        """Ratios after the longest of the halved steps that is no step down; whether there is one."""
        tried, after = ratios.copy(), state
        better = np.zeros(len(ratios), dtype=bool)
        value = state.value
        left = np.arange(len(ratios))
        for halving in range(_HALVINGS):
            trial = np.maximum(variances[left] + step[left] / 2**halving, 0.0)
            possible = left[trial[:, -1] > 0]
            trial = trial[trial[:, -1] > 0]
            if possible.size:
                ratio = np.minimum(trial[:, :-1] / trial[:, -1:], MOST)
                found = self.of(possible)._solve(ratio)
                up = found.value <= value[possible] + NOISE * np.maximum(1.0, np.abs(value[possible]))
                good = possible[up]
                tried[good] = ratio[up]
                after = after.put(good, found.of(np.flatnonzero(up)))
                better[good] = True
            left = np.flatnonzero(~better)
            if left.size == 0:
                break
        return tried, after, better

    def _solve(self, ratios: Floats) -> _State:
        gram, p = self.gram, self.fixed
        studies, width = self.sums.shape
        roots = np.zeros((studies, width - p))
        for place, ratio in zip(self.groups, ratios.T, strict=True):
            roots[:, place.start - p : place.stop - p] = np.sqrt(ratio)[:, None]
        scaled = np.eye(width - p) + roots[:, :, None] * gram[:, p:, p:] * roots[:, None]
        kernel = roots[:, :, None] * np.linalg.inv(scaled) * roots[:, None]
        root = np.concatenate(
            [np.broadcast_to(np.eye(p), (studies, p, p)), -kernel @ gram[:, p:, :p]], axis=1
        )
        inside = gram[:, :p, :p] + gram[:, :p, p:] @ root[:, p:]
        fixed = np.linalg.inv(inside)
        inner = root @ fixed @ root.transpose(0, 2, 1)
        inner[:, p:, p:] += kernel
        aside = (inner @ self.sums[:, :, None])[:, :, 0]
        error = self.square - (self.sums * aside).sum(axis=1)
        determinants = np.linalg.slogdet(scaled)[1] + np.linalg.slogdet(inside)[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.where(
                error > 1e-12 * np.maximum(1.0, self.square),
                (self.n - self.p) * np.log(error) + determinants,
                np.nan,
            )
        return _State(inner, fixed, root, error, value)

    def _score(self, state: _State, scale: Floats) -> tuple[Floats, Floats]:
        gram, number = self.gram, len(self.groups)
        once = state.inner @ gram
        left = gram - gram @ once
        twice = left - left @ once
        information = np.zeros((len(scale), number + 1, number + 1))
        score = np.zeros((len(scale), number + 1))
        aside = (state.inner @ self.sums[:, :, None])[:, :, 0]
        back = (gram @ aside[:, :, None])[:, :, 0]
        residual = self.sums - back
        for j, first in enumerate(self.groups):
            for k, second in enumerate(self.groups):
                information[:, j, k] = (left[:, first, second] ** 2).sum(axis=(1, 2))
            trace = np.trace(twice[:, first, first], axis1=1, axis2=2)
            information[:, j, number] = information[:, number, j] = trace
            squares = (residual[:, first] ** 2).sum(axis=1)
            score[:, j] = squares / scale**2 - np.trace(left[:, first, first], axis1=1, axis2=2) / scale
        # An item that a study lacks has a column of its own in X, which explains no observation.
        lacking = self.fixed - self.p
        explained = np.trace(once, axis1=1, axis2=2) - lacking
        both = (once * once.transpose(0, 2, 1)).sum(axis=(1, 2)) - lacking
        information[:, number, number] = self.n - 2 * explained + both
        squares = self.square - 2 * (self.sums * aside).sum(axis=1) + (aside * back).sum(axis=1)
        score[:, number] = squares / scale**2 - (self.n - explained) / scale
        return 0.5 * score, 0.5 * information / (scale**2)[:, None, None]

    def _describe(self, ratios: Floats) -> tuple[Floats, Floats, Floats, np.ndarray]:
        state = self._solve(ratios)
        scale = state.error / (self.n - self.p)
        _, information = self._score(state, scale)
        kept = np.column_stack([(ratios > 0) | (self.levels < TOLD), np.ones(len(scale), dtype=bool)])
        uncertainty = _inverse(information, kept)
        weights = self.weights[:, :, None]
        towards = (state.root @ (state.fixed @ weights))[:, :, 0]
        seen = (self.gram @ towards[:, :, None])[:, :, 0]
        slopes = [(seen[:, place] ** 2).sum(axis=1) for place in self.groups]
        slope = np.stack([*slopes, (towards * seen).sum(axis=1)], axis=1)
        variance = (weights * (state.fixed @ weights)).sum(axis=(1, 2)) * scale
        spread = np.einsum("sj,sjk,sk->s", slope, uncertainty, slope)
        with np.errstate(divide="ignore"):
            df = np.where(spread > 0, 2 * variance**2 / spread, np.inf)
        beta = (state.fixed @ (state.root.transpose(0, 2, 1) @ self.sums[:, :, None]))[:, :, 0]
        done = scale * self.n > 10 * VANISHED * self.square
        return (self.weights * beta).sum(axis=1), np.sqrt(variance), np.maximum(df, self.least), done


def _condition(information: Floats) -> Floats:
    """Of each matrix; infinite where a study leaves no error."""
    finite = np.isfinite(information).all(axis=(1, 2))
    found = np.full(len(information), np.inf)
    found[finite] = np.linalg.cond(information[finite])
    return found


def _inverse(information: Floats, free: np.ndarray) -> Floats:
    """Inverse of the part of each matrix that is `free`, zeros elsewhere."""
    both = free[:, :, None] & free[:, None]
    part = np.where(both & np.isfinite(information), information, 0.0)
    return np.asarray(np.where(both, np.linalg.pinv(part, hermitian=True), 0.0))


@dataclass(frozen=True)
class _State:
    """As `random_effects._State`, of many studies; `value` is minus twice the restricted log-likelihood."""

    inner: Floats
    fixed: Floats
    root: Floats
    error: Floats
    value: Floats

    def of(self, chosen: np.ndarray) -> _State:
        return _State(*(each[chosen] for each in self._all()))

    def put(self, places: np.ndarray, other: _State) -> _State:
        if places.size == len(self.value):
            return other
        changed = [each.copy() for each in self._all()]
        for into, part in zip(changed, other._all(), strict=True):
            into[places] = part
        return _State(*changed)

    def _all(self) -> tuple[Floats, ...]:
        return self.inner, self.fixed, self.root, self.error, self.value


# The mixed model of all systems ---------------------------------------------------------------------


def mixed_model(scores: Floats) -> tuple[Floats, Floats, Floats]:
    """Of `mixed` with gaps: the interval of the first system minus the second, and p that all are alike.

    Args:
        scores: (studies, listeners, items, systems), NaN for none.
    """
    there = ~np.isnan(scores)
    low, high, p = np.full((3, len(scores)), np.nan)
    whole = there.any(axis=1).all(axis=(1, 2))
    settled = np.zeros(len(scores), dtype=bool)
    for start in range(0, len(scores), _CHUNK):
        part = start + np.flatnonzero(whole[start : start + _CHUNK])
        if part.size:
            low[part], high[part], p[part], settled[part] = _fit_all(scores[part])
    for study in np.flatnonzero(~settled & there.any(axis=(1, 2, 3))):
        listener, item, system = np.nonzero(there[study])
        names = np.array(["a", "b", "c"], dtype=object)[system]
        columns = {"assessor": listener, "item": item, "system": names, "score": scores[study][there[study]]}
        model = mixed.fit(pd.DataFrame(columns), [("a", "b")])
        interval = model.comparisons[0].interval if model.comparisons else None
        answered = interval is not None and model.p is not None
        low[study], high[study], p[study] = (
            (interval.low, interval.high, model.p) if answered else (np.nan,) * 3
        )
    return low, high, p


def _fit_all(scores: Floats) -> tuple[Floats, Floats, Floats, np.ndarray]:
    studies, listeners, items, systems = scores.shape
    there = ~np.isnan(scores)
    grades = np.where(there, scores, 0.0)
    width = systems + items - 1
    # Sums over each listener and system: of systems, of items (each minus the last, as `mixed`), of grades.
    counts = there.sum(axis=2).astype(float)  # (studies, listeners, systems)
    columns = np.zeros((studies, listeners, systems, width + 1))
    for system in range(systems):
        columns[:, :, system, system] = counts[:, :, system]
    columns[..., systems:width] = (there[:, :, :-1] * 1.0 - there[:, :, -1:]).transpose(0, 1, 3, 2)
    columns[..., width] = grades.sum(axis=2)
    design = np.zeros((items, systems, width))
    for item, system in product(range(items), range(systems)):
        design[item, system, system] = 1
        if item < items - 1:
            design[item, system, systems + item] = 1
        else:
            design[item, system, systems:] = -1
    flat = np.concatenate(
        [np.broadcast_to(design, (studies, listeners, *design.shape)), grades[..., None]], axis=-1
    )
    flat = (flat * there[..., None]).reshape(studies, -1, width + 1)
    gram = flat.transpose(0, 2, 1) @ flat
    n, cells = there.sum(axis=(1, 2, 3)), (counts > 0).sum(axis=(1, 2))
    present = (counts > 0).any(axis=2).sum(axis=1)
    df_error = cells - present - systems + 1
    possible = (present > 1) & (df_error > 0) & (n > width)
    parts = 1 if items == 1 else 2
    possible &= (cells < n) if parts == 2 else (cells == n)

    def solve(which: Ints, ratios: Floats) -> tuple[Floats, Floats, Floats]:
        """Deviance, coefficients (studies, width) and their covariance; ratios may be complex."""
        of_listener = ratios[:, 0, None]
        of_system = ratios[:, 1, None, None] if parts == 2 else np.zeros((which.size, 1, 1))
        own = counts[which]
        shrunk = 1 / (1 + of_system * own)
        middle = of_listener / (1 + of_listener * (own * shrunk).sum(axis=2))
        its = columns[which]
        flat_its = its.reshape(which.size, -1, width + 1)
        weighted = flat_its * (of_system * shrunk).reshape(which.size, -1, 1)
        both = (its * shrunk[..., None]).sum(axis=2)
        cross = gram[which] - flat_its.transpose(0, 2, 1) @ weighted
        cross = cross - both.transpose(0, 2, 1) @ (both * middle[..., None])
        inverse = np.linalg.inv(cross[:, :width, :width])
        beta = (inverse @ cross[:, :width, width:])[:, :, 0]
        error = cross[:, width, width] - (cross[:, width, :width] * beta).sum(axis=1)
        freedom = n[which] - width
        determinants = (
            -np.log(shrunk).sum(axis=(1, 2))
            + np.log(1 + of_listener * (own * shrunk).sum(axis=2)).sum(axis=1)
            - np.log(np.linalg.det(inverse))
        )
        return freedom * np.log(error) + determinants, beta, inverse * (error / freedom)[:, None, None]

    def function(which: Ints, ratios: Floats) -> tuple[Floats, Floats]:
        """The deviance, and its slope by a step along the imaginary axis."""
        slopes = []
        for place in range(parts):
            step = np.zeros(parts, dtype=complex)
            step[place] = 1e-30j
            value = solve(which, ratios + step)[0]
            slopes.append(value.imag / 1e-30)
        return value.real, np.stack(slopes, axis=1)

    places = np.flatnonzero(possible)
    low, high, p = np.full((3, studies), np.nan)
    settled = np.zeros(studies, dtype=bool)
    if places.size == 0:
        return low, high, p, settled
    bounds = np.zeros(parts), np.full(parts, 1e4)
    start = np.full((places.size, parts), 0.3)
    found, _, done = minimise(
        lambda which, at: function(places[which], at), start, *bounds, np.zeros(0, dtype=int)
    )
    _, beta, covariance = solve(places, found)
    freedom = df_error[places]
    apart = beta[:, 0] - beta[:, 1]
    se = np.sqrt(covariance[:, 0, 0] + covariance[:, 1, 1] - 2 * covariance[:, 0, 1])
    half = stdtrit(freedom, 0.975) * se
    contrasts = np.hstack([np.ones((systems - 1, 1)), -np.eye(systems - 1)])
    difference = beta[:, :systems] @ contrasts.T
    spread = contrasts @ covariance[:, :systems, :systems] @ contrasts.T
    f = (difference * np.linalg.solve(spread, difference[:, :, None])[:, :, 0]).sum(axis=1) / (systems - 1)
    low[places], high[places] = apart - half, apart + half
    p[places], settled[places] = fdtrc(systems - 1, freedom, f), done
    return low, high, p, settled
