"""Scaling laws fitted to measured sizes, with the uncertainty that leaving each size out reveals.

Costs are sums of power laws with coefficients that are not negative, Σ c_ij D^i depth^j, fitted to relative errors: a
call's overhead, its matrix products and a loop over D each have their own term, which one power law cannot follow.
Exact Laplacians that compress columns cost min(D, width) passes: where the sizes lie on both sides of the width, that
is a term too.
Errors (std, bias) follow one power law, fitted in logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.optimize import nnls

LEAST_SPREAD = 0.05
"""Sizes fitted exactly still move by this much from run to run."""

CLEAR_MAJORITY = 2 / 3
"""Of the sizes, that have to show an error before a law says it is there at others."""


@dataclass(frozen=True)
class Law:
    """value(D, depth) = Σ_k c_k · D^{p_k} · depth^{q_k} · min(D, width)^{r_k}, within exp(±1.96 spread) where measured.

    Attributes:
        powers: (p_k, q_k, r_k) of each term.
        coefficients: of each term, all >= 0.
        spread: std of the logarithm of prediction over measurement at sizes left out.
        dims: the least and the largest dimension measured.
        depths: the least and the largest depth.
        width: where terms with r = 1 stop growing with D.
    """

    powers: tuple[tuple[float, float, float], ...]
    coefficients: tuple[float, ...]
    spread: float
    dims: tuple[float, float]
    depths: tuple[float, float]
    width: float = 1.0

    def __call__(self, dim: float, depth: float) -> float:
        """The value at a size."""
        return sum(self._terms(dim, depth))

    def _terms(self, dim: float, depth: float) -> list[float]:
        least = min(dim, self.width)
        return [c * dim**p * depth**q * least**r for c, (p, q, r) in zip(self.coefficients, self.powers, strict=True)]

    def exponent(self, dim: float, depth: float) -> tuple[float, float]:
        """The local exponents ∂log value/∂log D and ∂log value/∂log depth."""
        terms, growing = self._terms(dim, depth), dim < self.width
        total = sum(terms) or math.nan
        return (
            sum(term * (p + r * growing) for term, (p, _, r) in zip(terms, self.powers, strict=True)) / total,
            sum(term * q for term, (_, q, _) in zip(terms, self.powers, strict=True)) / total,
        )

    def distance(self, dim: float, depth: float) -> float:
        """How far outside the measured sizes, in e-folds (0 inside): log of the factor, summed over both axes."""
        return _outside(dim, self.dims) + _outside(depth, self.depths)

    def spread_at(self, dim: float, depth: float) -> float:
        """The spread, growing outside: by as much again for every factor of e."""
        return self.spread * (1 + self.distance(dim, depth))


def cost_law(
    dims: Sequence[float], depths: Sequence[float], values: Sequence[float], width: float = math.nan
) -> Law | None:
    """A sum of power laws through costs; None with fewer than two sizes or a value that is not positive."""
    d, l, y = (np.asarray(a, dtype=float) for a in (dims, depths, values))
    if len(set(zip(d, l, strict=True))) < 2 or not (y > 0).all():
        return None
    in_dim = [(p, 0.0) for p in _powers(d, (0.0, 1.0, 2.0, 0.5))]
    saturates = len(in_dim) >= 3 and d.min() < width < d.max()
    if saturates:
        in_dim.append((0.0, 1.0))
    powers = tuple((p, q, r) for (p, r), q in product(in_dim, _powers(l, (0.0, 1.0))))
    return _with_spread(powers, d, l, y, width if saturates else 1.0, _nonnegative)


def error_law(dims: Sequence[float], depths: Sequence[float], values: Sequence[float]) -> Law | None:
    """One power law through errors; constant along an axis that was not varied.

    None unless two thirds of the values are positive: of the lower ends of an unbiased estimator some are, by chance,
    and a law through those alone would claim a bias everywhere.
    """
    d, l, y = (np.asarray(a, dtype=float) for a in (dims, depths, values))
    keep = y > 0
    if not keep.any() or keep.mean() < CLEAR_MAJORITY:
        return None
    d, l, y = d[keep], l[keep], y[keep]
    return _with_spread(None, d, l, y, 1.0, _power_law)


def _powers(sizes: np.ndarray, candidates: tuple[float, ...]) -> tuple[float, ...]:
    """More terms than sizes would fit anything: two sizes carry 1 and x, three also x², four also √x."""
    return tuple(sorted(candidates[: len(set(sizes))]))


def _nonnegative(powers, d, l, y, width):
    columns = np.stack([d**p * l**q * np.minimum(d, width) ** r for p, q, r in powers], axis=1) / y[:, None]
    scale = columns.max(axis=0)
    solution, _ = nnls(columns / scale, np.ones(len(y)))
    return powers, tuple(solution / scale)


def _power_law(_, d, l, y, width):
    axes = [axis for axis in (d, l) if len(set(axis)) > 1]
    design = np.stack([np.ones(len(y)), *(np.log(axis) for axis in axes)], axis=1)
    solution, *_ = np.linalg.lstsq(design, np.log(y), rcond=None)
    slopes = iter(solution[1:])
    power = (next(slopes) if len(set(d)) > 1 else 0.0, next(slopes) if len(set(l)) > 1 else 0.0)
    return ((*map(float, power), 0.0),), (float(np.exp(solution[0])),)


def _with_spread(powers, d, l, y, width, fit) -> Law:
    """Fit, then leave out every size in turn (all rows of it) to learn how far a prediction is off."""
    found, coefficients = fit(powers, d, l, y, width)
    dims, depths = (float(d.min()), float(d.max())), (float(l.min()), float(l.max()))
    law = Law(tuple(found), tuple(map(float, coefficients)), 0.0, dims, depths, width)
    errors = []
    sizes = sorted(set(zip(d, l, strict=True)))
    for size in sizes if len(sizes) > 2 else ():
        left = (d == size[0]) & (l == size[1])
        if len(set(d[~left])) < len(set(d)) and len(set(d)) <= 2:
            continue  # what remains no longer varies along the axis
        p, c = fit(powers, d[~left], l[~left], y[~left], width)
        at = Law(tuple(p), tuple(map(float, c)), 0.0, dims, depths, width)(*size)
        if at > 0:
            errors.append(math.log(at / float(np.exp(np.log(y[left]).mean()))))
    residuals = [math.log(law(a, b) / v) for a, b, v in zip(d, l, y, strict=True) if law(a, b) > 0]
    # The median of the errors left out is robust against the corners, where leaving out is extrapolation.
    spread = 1.4826 * float(np.median(np.abs(errors))) if errors else 0.25
    spread = max(spread, LEAST_SPREAD, float(np.sqrt(np.mean(np.square(residuals)))) if residuals else 0.0)
    return replace(law, spread=spread)


def _outside(size: float, measured: tuple[float, float]) -> float:
    low, high = measured
    return max(0.0, math.log(low / size), math.log(size / high))
