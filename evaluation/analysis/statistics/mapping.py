"""The third-order monotone mapping of a metric to the listeners' scale (ITU-T P.1401, 7.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evaluation.analysis.statistics.frames import Floats

#: Parameters of a third-order polynomial: P.1401 takes them off n in the RMSE.
PARAMETERS = 4
#: A range of x from which on the third power of its inverse is a double: coefficients are of x.
SMALLEST_RANGE = 1e-100


@dataclass(frozen=True)
class Mapping:
    """y = c0 + c1 x + c2 x^2 + c3 x^3, nowhere falling from `low` to `high` (rising, if not `rising`)."""

    coefficients: tuple[float, float, float, float]
    low: float
    high: float
    rising: bool

    def __call__(self, x: ArrayLike) -> Floats:
        values = np.asarray(x, dtype=float)
        return np.asarray(np.polynomial.polynomial.polyval(values, self.coefficients))


def monotone_cubic(x: ArrayLike, y: ArrayLike, *, rising: bool = True) -> Mapping | None:
    """Least-squares cubic of y on x, both (n,), monotone over the range of x; None if x is constant.

    So it is up to `SMALLEST_RANGE`.
    The derivative is a quadratic that is nowhere negative on the range. If the free fit's is not, the
    solution touches zero there: at an end, or as a double root inside. Each case is linear.
    """
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if first.size < 2 or not np.ptp(first) > SMALLEST_RANGE:
        return None
    low, high = float(first.min()), float(first.max())
    t = (first - low) / (high - low)
    if not rising:
        t = 1 - t
    found = _fit(t, second)
    # Back from t to x.
    one = np.polynomial.Polynomial([-low, 1.0] if rising else [high, -1.0]) / (high - low)
    back = np.polynomial.Polynomial(found)(one).coef
    c = [float(value) for value in np.pad(back, (0, 4 - back.size))]
    return Mapping((c[0], c[1], c[2], c[3]), low, high, rising)


def _fit(t: Floats, y: Floats) -> Floats:
    """Coefficients of 1, t, t^2, t^3 with t in [0, 1]."""
    powers = np.stack([t, t**2, t**3], axis=1)
    slopes = np.linalg.lstsq(powers - powers.mean(axis=0), y - y.mean(), rcond=None)[0]
    if _rises(slopes):
        return _with_level(slopes, powers, y)
    # Integrals of the derivative's generators, as coefficients of t, t^2, t^3.
    t_squared = np.array([0.0, 0.0, 1 / 3])
    down_squared = np.array([1.0, -1.0, 1 / 3])
    hump = np.array([0.0, 1 / 2, -1 / 3])
    roots = np.linspace(0, 1, 2001)
    inside = np.stack([roots**2, -roots, np.full_like(roots, 1 / 3)], axis=1)
    candidates = [*_cone(t_squared, hump, powers, y), *_cone(down_squared, hump, powers, y)]
    centred, target = powers - powers.mean(axis=0), y - y.mean()
    basis = centred @ inside.T
    lengths = (basis**2).sum(axis=0)
    weights = np.maximum(0.0, np.divide(basis.T @ target, lengths, where=lengths > 0, out=np.zeros(2001)))
    errors = ((target[:, None] - basis * weights) ** 2).sum(axis=0)
    best = int(errors.argmin())
    candidates.append(weights[best] * inside[best])
    slopes = min(candidates, key=lambda c: float(((target - centred @ c) ** 2).sum()))
    return _with_level(slopes, powers, y)


def _rises(slopes: Floats) -> bool:
    """Whether the derivative s0 + 2 s1 t + 3 s2 t^2 is nowhere negative on [0, 1]."""
    at = [0.0, 1.0]
    if slopes[2] != 0 and 0 < (turn := -slopes[1] / (3 * slopes[2])) < 1:
        at.append(float(turn))
    return all(slopes[0] + 2 * slopes[1] * t + 3 * slopes[2] * t * t >= 0 for t in at)


def _cone(one: Floats, other: Floats, powers: Floats, y: Floats) -> list[Floats]:
    """Least squares on two generators with weights >= 0: either both, or one, or none."""
    centred, target = powers - powers.mean(axis=0), y - y.mean()
    made: list[Floats] = [np.zeros(3)]
    for generators in ([one, other], [one], [other]):
        matrix = np.stack(generators, axis=1)
        weights = np.linalg.lstsq(centred @ matrix, target, rcond=None)[0]
        if (weights >= 0).all():
            made.append(matrix @ weights)
    return made


def _with_level(slopes: Floats, powers: Floats, y: Floats) -> Floats:
    return np.concatenate([[float((y - powers @ slopes).mean())], slopes])
