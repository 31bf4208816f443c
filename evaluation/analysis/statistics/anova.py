"""Repeated-measures analysis of variance, system x item (BS.1534-3, Attachment 4; M28).

Both factors are within assessors, so every effect is tested against its interaction with assessors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from evaluation.analysis.statistics.corrections import LEVEL
from evaluation.analysis.statistics.frames import Floats, tidy
from evaluation.analysis.words import count, p_words

#: The standard's rule: univariate if the Huynh-Feldt epsilon is above this and N below K + 30. Where epsilon
#: is lower the standard asks for the multivariate test as soon as N >= K; with one degree of freedom of error
#: that test finds next to nothing, and adding listeners would cost power. So below K + 30 the univariate test
#: stays, with Greenhouse and Geisser's correction, which holds its level (Maxwell and Delaney 2004, ch. 13).
EPSILON, EXTRA = 0.85, 30

#: Absolute skewness or excess kurtosis of residuals from which the page warns, and warns severely.
WARN, SEVERE = 0.5, 1.0

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Multivariate:
    """Hotelling's T^2 on the effect's contrasts, as F with its degrees of freedom."""

    f: float
    df: int
    df_error: int
    p: float


@dataclass(frozen=True)
class Effect:
    """A within-assessor effect: ``system``, ``item`` or ``system x item``.

    Attributes:
        levels: K of the standard's rule: degrees of freedom plus one.
        greenhouse_geisser, huynh_feldt: estimates of epsilon, at most 1; 1 for one degree of freedom.
        p_uncorrected, p_gg, p_hf: of F without and with the degrees of freedom times epsilon.
        multivariate: None where N < K or the contrasts are collinear.
        chosen: ``huynh-feldt``, ``greenhouse-geisser`` or ``multivariate``; `why` says why in a sentence;
            `p` is the chosen one.
    """

    name: str
    levels: int
    df: int
    df_error: int
    ss: float
    ss_error: float
    f: float | None = None
    partial_eta_squared: float | None = None
    greenhouse_geisser: float | None = None
    huynh_feldt: float | None = None
    p_uncorrected: float | None = None
    p_gg: float | None = None
    p_hf: float | None = None
    multivariate: Multivariate | None = None
    chosen: str = ""
    why: str = ""
    p: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Residuals:
    """Shape of the residuals of assessor + system x item; each level is "", "warn" or "severe"."""

    skewness: float | None
    kurtosis: float | None
    skewness_level: str = ""
    kurtosis_level: str = ""


@dataclass(frozen=True)
class Anova:
    """Effects in the order system, item, system x item; one item leaves only the first.

    `advice` says in plain words what the interaction means for averages over items.
    """

    n: int
    items: int
    systems: int
    effects: list[Effect] = field(default_factory=list)
    residuals: Residuals | None = None
    advice: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""


def repeated_measures(frame: pd.DataFrame) -> Anova:
    """The analysis over the assessors who graded every item with every system; others are named in `notes`.

    Ratings of a cell that was graded more than once are averaged.
    """
    data = tidy(frame)
    if data.problem:
        return Anova(0, 0, 0, notes=data.notes, problem=data.problem)
    shape = Anova(0, len(data.items), len(data.systems), notes=data.notes)
    if len(data.systems) < 2:
        return replace(shape, problem="One system: there is nothing to compare it with.")
    try:
        cube = data.cube()
    except ValueError as error:
        return replace(shape, problem=str(error))
    whole = ~np.isnan(cube).any(axis=(1, 2))
    n, lost = int(whole.sum()), int((~whole).sum())
    shape = replace(shape, n=n)
    if n < 2:
        who = "No assessor" if n == 0 else "Only one assessor"
        cells = "every item that has grades with every system"
        text = f"{who} graded {cells}, and this takes two"
        text += ": see the mixed model." if cube.shape[0] > 1 else "."
        return replace(shape, problem=text)
    if lost:
        note = f"{count(lost, 'assessor')} with missing grades left out; the mixed model uses them."
        shape = replace(shape, notes=(*data.notes, note))
    cube = cube[whole]
    if np.ptp(cube) == 0:
        return replace(shape, problem="All grades are equal.")
    system, item = _contrasts(cube.shape[2]), _contrasts(cube.shape[1])
    by_system, by_item = cube.mean(axis=1), cube.mean(axis=2)
    scale = float(((cube - cube.mean()) ** 2).sum())
    effects = [_effect("system", by_system @ system, cube.shape[1], scale)]
    if cube.shape[1] > 1:
        effects.append(_effect("item", by_item @ item, cube.shape[2], scale))
        both = np.einsum("ais,ij,sk->ajk", cube, item, system).reshape(n, -1)
        effects.append(_effect("system x item", both, 1, scale))
    return replace(shape, effects=effects, residuals=_residuals(cube), advice=_advice(effects))


def _contrasts(levels: int) -> Floats:
    """Orthonormal contrasts of shape (levels, levels - 1): Helmert's."""
    matrix = np.zeros((levels, levels - 1))
    for column in range(levels - 1):
        matrix[: column + 1, column] = 1
        matrix[column + 1, column] = -(column + 1)
        matrix[:, column] /= math.sqrt((column + 1) * (column + 2))
    return matrix


def _effect(name: str, values: Floats, weight: int, scale: float) -> Effect:
    """Test that the contrasts `values`, (assessors, df), are 0 on average.

    `weight` is the number of ratings behind each value that entered the contrasts; `scale` the total
    sum of squares, against which rounding errors are judged.
    """
    n, df = values.shape
    mean = values.mean(axis=0)
    centred = values - mean
    ss, ss_error = weight * n * float((mean**2).sum()), weight * float((centred**2).sum())
    effect = Effect(name, df + 1, df, df * (n - 1), ss, ss_error)
    if ss_error <= _ROUNDING * scale:
        if ss <= _ROUNDING * scale:
            return replace(effect, problem=f"There is no variance of {name} to test.")
        eta = ss / (ss + max(ss_error, 0.0))
        text = "All listeners show exactly the same differences: F has no finite value."
        return replace(effect, partial_eta_squared=eta, problem=text)
    f = (ss / df) / (ss_error / effect.df_error)
    covariance = centred.T @ centred / (n - 1)
    gg, hf = _epsilons(covariance, n)
    effect = replace(
        effect,
        f=f,
        partial_eta_squared=ss / (ss + ss_error),
        greenhouse_geisser=gg,
        huynh_feldt=hf,
        p_uncorrected=float(fdtrc(df, effect.df_error, f)),
        p_gg=float(fdtrc(gg * df, gg * effect.df_error, f)),
        p_hf=float(fdtrc(hf * df, hf * effect.df_error, f)),
        multivariate=_hotelling(mean, covariance, n),
    )
    return _choose(effect, n)


def _epsilons(covariance: Floats, n: int) -> tuple[float, float]:
    """Greenhouse and Geisser's and Huynh and Feldt's estimates (1959, 1976), for one group of n assessors."""
    df = covariance.shape[0]
    if df == 1:
        return 1.0, 1.0
    gg = float(np.trace(covariance) ** 2 / (df * (covariance**2).sum()))
    below = df * (n - 1 - df * gg)
    # Not positive: so few assessors that the estimate says nothing; 1 is its limit.
    hf = (n * df * gg - 2) / below if below > 0 else 1.0
    return min(1.0, gg), min(1.0, max(hf, gg))


def _hotelling(mean: Floats, covariance: Floats, n: int) -> Multivariate | None:
    df = mean.size
    if n < df + 1:
        return None
    values, vectors = np.linalg.eigh(covariance)
    if values[0] <= 1e-10 * values[-1]:
        return None
    t2 = n * float(((vectors.T @ mean) ** 2 / values).sum())
    f = t2 * (n - df) / ((n - 1) * df)
    return Multivariate(f, df, n - df, float(fdtrc(df, n - df, f)))


def _choose(effect: Effect, n: int) -> Effect:
    """Apply the standard's rule."""
    hf = effect.huynh_feldt or 0.0
    numbers = f"Huynh-Feldt epsilon {hf:.2f}, {n} assessors, K = {effect.levels}"
    if effect.df == 1:
        why = "Two levels: all forms of the test are the same."
        return replace(effect, chosen="huynh-feldt", why=why, p=effect.p_hf)
    if hf > EPSILON and n < effect.levels + EXTRA:
        why = f"Huynh-Feldt: epsilon above {EPSILON} and fewer than K + {EXTRA} assessors ({numbers})."
        return replace(effect, chosen="huynh-feldt", why=why, p=effect.p_hf)
    if n >= effect.levels + EXTRA and effect.multivariate is not None:
        why = f"Multivariate: K + {EXTRA} assessors or more ({numbers})."
        return replace(effect, chosen="multivariate", why=why, p=effect.multivariate.p)
    reason = (
        "the contrasts are collinear" if n >= effect.levels + EXTRA else f"fewer than K + {EXTRA} assessors"
    )
    why = f"Greenhouse-Geisser: {reason} ({numbers})."
    return replace(effect, chosen="greenhouse-geisser", why=why, p=effect.p_gg)


def _residuals(cube: Floats) -> Residuals:
    """Bias-corrected skewness and excess kurtosis of what assessor + system x item leave over."""
    left = (
        cube - cube.mean(axis=(1, 2), keepdims=True) - cube.mean(axis=0, keepdims=True) + cube.mean()
    ).ravel()
    n = left.size
    m2 = float((left**2).mean())
    if n < 4 or m2 <= _ROUNDING * max(1.0, float(np.abs(cube).max()) ** 2):
        return Residuals(None, None)
    m3, m4 = float((left**3).mean()), float((left**4).mean())
    skewness = math.sqrt(n * (n - 1)) / (n - 2) * m3 / m2**1.5
    kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3) + 6)
    return Residuals(skewness, kurtosis, _level(skewness), _level(kurtosis))


def _level(value: float) -> str:
    return "severe" if abs(value) >= SEVERE else "warn" if abs(value) >= WARN else ""


def _advice(effects: list[Effect]) -> str:
    interaction = next((effect for effect in effects if effect.name == "system x item"), None)
    if interaction is None:
        return "One item: what holds for it need not hold for others."
    if interaction.p is None:
        return ""
    if interaction.p < LEVEL:
        return (
            f"Differences between systems depend on the item (interaction {p_words(interaction.p)}): "
            "look at the items one by one before averaging over them."
        )
    return (
        f"It is not shown that differences between systems depend on the item ("
        f"interaction {p_words(interaction.p)}), which is no evidence that they do not."
    )


__all__ = ["Anova", "Effect", "Multivariate", "Residuals", "repeated_measures"]
