"""The primary analysis of complete data in closed form, for thousands of studies at once.

With complete data restricted maximum likelihood is the analysis of variance, pooled where a variance would be
negative, so that no study has to be fitted by itself. `test_calibration` holds it to `differences.compare`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import fdtrc, stdtr, stdtrit

from evaluation.analysis.statistics import comparisons
from evaluation.analysis.statistics.differences import Population
from evaluation.analysis.statistics.frames import Floats


@dataclass(frozen=True)
class Estimates:
    """Of each study, (studies,): mean, standard error and degrees of freedom; NaN without an error."""

    mean: Floats
    se: Floats
    df: Floats

    def interval(self, confidence: float = 0.95) -> tuple[Floats, Floats]:
        half = stdtrit(self.df, (1 + confidence) / 2) * self.se
        return self.mean - half, self.mean + half

    def p(self) -> Floats:
        return np.asarray(2 * stdtr(self.df, -np.abs(self.mean) / self.se))


def estimate(values: Floats, population: Population) -> Estimates:
    """The mean of `values`, (studies, listeners, items), over these items or over all like them."""
    _, listeners, items = values.shape
    mean = values.mean(axis=(1, 2))
    of_listeners, of_items = values.mean(axis=2), values.mean(axis=1)
    if population is Population.THESE_ITEMS or items == 1:
        se = of_listeners.std(axis=1, ddof=1) / np.sqrt(listeners)
        return _with_error(mean, se, np.full(mean.size, listeners - 1.0))
    freedom = np.array([listeners - 1, items - 1, (listeners - 1) * (items - 1)], dtype=float)
    left = values - of_listeners[:, :, None] - of_items[:, None] + mean[:, None, None]
    ss = np.stack(
        [
            items * ((of_listeners - mean[:, None]) ** 2).sum(axis=1),
            listeners * ((of_items - mean[:, None]) ** 2).sum(axis=1),
            (left**2).sum(axis=(1, 2)),
        ],
        axis=1,
    )
    raw = ss / freedom
    # A mean square that is not above that of the rest is pooled with it, the lower one first. Where one grade
    # alone differs all three are equal but for rounding.
    pooled = np.zeros((mean.size, 2), dtype=bool)
    rest, freedom_rest = raw[:, 2].copy(), np.full(mean.size, freedom[2])
    order = np.argsort(raw[:, :2], axis=1)
    study = np.arange(mean.size)
    for place in (0, 1):
        one = order[:, place]
        low = raw[study, one] <= rest * (1 + 1e-9)
        merged = (rest * freedom_rest + ss[study, one]) / (freedom_rest + freedom[one])
        rest = np.where(low, merged, rest)
        freedom_rest = np.where(low, freedom_rest + freedom[one], freedom_rest)
        pooled[study, one] = low
    parts = np.where(pooled, rest[:, None], raw[:, :2])
    variance = parts.sum(axis=1) - rest
    inner = (np.where(pooled, 0.0, parts) ** 2 / freedom[:2]).sum(axis=1)
    # Satterthwaite's sum over the mean squares that are left: the rest's counts once less per one that is.
    weight = 1.0 - (~pooled).sum(axis=1)
    df = variance**2 / (inner + weight**2 * rest**2 / freedom_rest)
    se = np.sqrt(variance / (listeners * items))
    return _with_error(mean, se, np.maximum(df, min(listeners, items) - 1.0))


def _with_error(mean: Floats, se: Floats, df: Floats) -> Estimates:
    return Estimates(mean, np.where(se > 1e-9, se, np.nan), df)


def companions(scores: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """P of each study, (studies, listeners, items, systems), by the tests on listener means.

    Of the first two systems but for Friedman's; sign changes are tried as `comparisons` does.
    """
    means = scores.mean(axis=2)
    apart = means[..., 0] - means[..., 1]
    studies, n = apart.shape
    if n <= comparisons.EXACT_PAIRS:
        signs = 1.0 - 2.0 * ((np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1)
        at_least = np.abs(apart @ signs.T) >= np.abs(apart.sum(axis=1))[:, None] - 1e-9
        flipped = at_least.mean(axis=1)
    else:
        hits = np.zeros(studies)
        for number, values in enumerate(apart):
            signs = 1.0 - 2.0 * rng.integers(0, 2, (_FLIPS, n))
            hits[number] = (np.abs(signs @ values) >= abs(values.sum()) - 1e-9).sum()
        flipped = (1 + hits) / (1 + _FLIPS)
    ranks = means.argsort(axis=2).argsort(axis=2) + 1.0
    k = means.shape[2]
    chi2 = 12 / (n * k * (k + 1)) * (ranks.sum(axis=1) ** 2).sum(axis=1) - 3 * n * (k + 1)
    ranked, friedman = (
        np.asarray(stats.wilcoxon(apart, axis=1, method="exact").pvalue),
        stats.chi2.sf(chi2, k - 1),
    )
    # Ties are the program's own business.
    near = np.sort(np.abs(apart), axis=1)
    tied = (near[:, 0] <= 1e-9) | (np.diff(near, axis=1) <= 1e-9).any(axis=1)
    tied |= (np.diff(np.sort(means, axis=2), axis=2) <= 1e-9).any(axis=(1, 2))
    for study in np.flatnonzero(tied):
        listener, system = np.divmod(np.arange(n * k), k)
        names = np.array(["a", "b", "c"], dtype=object)[system]
        frame = pd.DataFrame(
            {"assessor": listener, "item": 0, "system": names, "score": means[study].ravel()}
        )
        for into, p in (
            (ranked, comparisons.wilcoxon(frame, [("a", "b")]).rows[0].p),
            (friedman, comparisons.friedman(frame).p),
        ):
            into[study] = np.nan if p is None else p
        if np.abs(apart[study]).max() <= comparisons.TIE:
            flipped[study] = np.nan
    return {
        "sign-flip": np.asarray(flipped),
        "Wilcoxon": ranked,
        "paired t": estimate(apart[..., None], Population.THESE_ITEMS).p(),
        "Friedman": np.asarray(friedman),
    }


_FLIPS = 999


def attachment3(grades: tuple[Floats, Floats], permutations: int, rng: np.random.Generator) -> Floats:
    """P of `comparisons.attachment3` of each study: median of the first system above that of the second.

    Which places of the sorted pool the medians of both groups take does not depend on the grades: for studies
    of one size they are drawn from one pool of deals.

    Args:
        grades: of the systems, each (studies, ratings), NaN for none.
    """
    sizes = np.stack([(~np.isnan(each)).sum(axis=1) for each in grades], axis=1)
    pooled = np.sort(np.concatenate(grades, axis=1), axis=1)  # NaN last
    found = np.full(len(sizes), np.nan)
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        observed = np.nanmedian(grades[0], axis=1) - np.nanmedian(grades[1], axis=1)
    for first, second in np.unique(sizes, axis=0):
        if min(first, second) == 0:
            continue
        those = np.flatnonzero((sizes == (first, second)).all(axis=1))
        values = pooled[those, : first + second]
        those, values = those[np.ptp(values, axis=1) > 0], values[np.ptp(values, axis=1) > 0]
        deals = min(permutations * those.size, _DEALS)
        dealt = rng.permuted(np.tile(np.arange(first + second) < first, (deals, 1)), axis=1)
        places = [
            (np.cumsum(each, axis=1) <= middle).sum(axis=1)
            for each, size in ((dealt, int(first)), (~dealt, int(second)))
            for middle in ((size - 1) // 2, size // 2)
        ]
        for study, pool in zip(those, values, strict=True):
            chosen = slice(None) if deals == permutations else rng.integers(0, deals, permutations)
            low, high, other_low, other_high = (pool[each[chosen]] for each in places)
            apart = (low + high) / 2 - (other_low + other_high) / 2
            found[study] = (apart > observed[study] + comparisons.TIE * np.ptp(pool)).mean()
    return found


_DEALS = 20_000


def mixed_model(scores: Floats) -> tuple[Floats, Floats, Floats]:
    """Of `mixed`: the interval of the first system minus the second, and p that all are alike."""
    _, listeners, items, systems = scores.shape
    means = scores.mean(axis=2)
    of_systems, of_listeners = means.mean(axis=1), means.mean(axis=2)
    grand = means.mean(axis=(1, 2))
    between = listeners * items * ((of_systems - grand[:, None]) ** 2).sum(axis=1) / (systems - 1)
    left = means - of_listeners[..., None] - of_systems[:, None] + grand[:, None, None]
    freedom = (listeners - 1) * (systems - 1)
    parts = [
        (items * systems * ((of_listeners - grand[:, None]) ** 2).sum(axis=1), listeners - 1),
        (items * (left**2).sum(axis=(1, 2)), freedom),
    ]
    if items > 1:
        rest = (
            scores - scores.mean(axis=(1, 3), keepdims=True) - means[:, :, None] + grand[:, None, None, None]
        )
        n = listeners * systems
        parts.append(((rest**2).sum(axis=(1, 2, 3)), n * items - n - items + 1))
    error = np.array([_descending([(float(ss[k]), df) for ss, df in parts]) for k in range(len(scores))])
    half = stdtrit(freedom, 0.975) * np.sqrt(2 * error / (listeners * items))
    apart = of_systems[:, 0] - of_systems[:, 1]
    return apart - half, apart + half, np.asarray(fdtrc(systems - 1, freedom, between / error))


def _descending(parts: list[tuple[float, int]]) -> float:
    """The second of sums of squares as a mean square, pooled with its neighbours so that each is no less than
    the next: variances between are not negative."""
    blocks: list[tuple[float, int, int]] = []  # sum, degrees of freedom, parts in it
    for ss, df in parts:
        blocks.append((ss, df, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] < blocks[-1][0] / blocks[-1][1]:
            one, other = blocks.pop(), blocks.pop()
            blocks.append((one[0] + other[0], one[1] + other[1], one[2] + other[2]))
    place = 0
    for ss, df, size in blocks:
        place += size
        if place > 1:
            return ss / df
    raise AssertionError
