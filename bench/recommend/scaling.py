"""Scaling laws fitted to measured sizes, with the uncertainty that leaving sizes out reveals.

A cost is a sum of power laws with coefficients that are not negative, Σ c_k D^p depth^q min(D, width)^r, fitted to
relative errors. What a step *does* is known without noise: its floating-point operations, the bytes it moves, the
operations it launches, its peak memory. Their laws over all of `TERMS` are exact or nearly so, also far outside (exact
Laplacians that compress columns cost min(D, width) passes); a likelihood has `LIKELIHOOD_TERMS` besides. Its *time* is
so many seconds for each of them: three rates fitted to noisy times extrapolate where a free power law would follow the
noise. The rates are the machine's, nearly the same for every estimator of a setting, so each estimator's are drawn
towards those of all: small sizes alone say little of the rates at large ones. Without that knowledge, the time gets as
many terms as its sizes carry.
Errors (std, bias) follow one power law, fitted in logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
from scipy.optimize import nnls

from bench.recommend import rule

LEAST_SPREAD = 0.05
"""Sizes fitted exactly still move by this much from run to run."""

UNKNOWN_SPREAD = 0.25
"""Where too few sizes were measured to leave one out."""

CLEAR_MAJORITY = 2 / 3
"""Of the sizes, that have to show an error before a law says it is there at others."""

TOWARDS_ALL = 0.03
"""What a deviation by 100 % from a rate of all estimators weighs, against the squared relative error of one row."""

Powers = tuple[tuple[float, float, float], ...]

TERMS: Powers = ((0, 1, 0), (1, 0, 0), (1, 1, 0), (2, 0, 0), (0, 1, 1), (1, 0, 1), (0, 0, 0), (0, 0, 1))
"""(p, q, r) of what a pass, or D or min(D, width) passes, through layers of `width` units come to."""

LIKELIHOOD_TERMS: Powers = (*TERMS, (2, 1, 0), (3, 0, 0), (3, 1, 0))
"""The same, and what dense D × D layers and their log-determinants come to: a likelihood pays for both."""


@dataclass(frozen=True)
class Law:
    """value(D, depth) = Σ_k c_k · D^{p_k} · depth^{q_k} · min(D, width)^{r_k}, within exp(±1.96 spread) where measured.

    Attributes:
        powers: (p_k, q_k, r_k) of each term.
        coefficients: of each term, all >= 0.
        spread: std of the logarithm of prediction over measurement at sizes left out inside the measured ones.
        spread_outside: by how much it grows for every factor of e outside of them.
        dims: the least and the largest dimension measured.
        depths: the least and the largest depth.
        width: where terms with r = 1 stop growing with D.
        left_out: whether a size could be left out to learn the spread; else it is `UNKNOWN_SPREAD`, an assumption.
    """

    powers: Powers
    coefficients: tuple[float, ...]
    spread: float
    dims: tuple[float, float]
    depths: tuple[float, float]
    width: float = 1.0
    spread_outside: float = LEAST_SPREAD
    left_out: bool = True

    def __call__(self, dim: float, depth: float) -> float:
        """The value at a size."""
        return rule.law_value(self, dim, depth)

    def distance(self, dim: float, depth: float) -> float:
        """How far outside the measured sizes, in e-folds (0 inside): log of the factor, summed over both axes."""
        return rule.law_distance(self, dim, depth)

    def spread_at(self, dim: float, depth: float) -> float:
        """The spread, growing outside: by `spread_outside` for every factor of e."""
        return rule.law_spread(self, dim, depth)


def cost_law(
    dims: Sequence[float],
    depths: Sequence[float],
    values: Sequence[float],
    width: float = math.nan,
    work: Sequence[Sequence[float]] = (),
    rates: Sequence[float] = (),
    terms: Powers = TERMS,
) -> Law | None:
    """A law of times; None with fewer than two sizes or a value that is not positive.

    Args:
        dims: of each row.
        depths: of each row.
        values: of each row, all positive.
        width: units in a hidden layer.
        work: what the step does, without noise, each of its kinds for each row.
        rates: the `shared_rates` of the setting, towards which this estimator's are drawn.
        terms: of the laws of the work.
    """
    d, l, y = (np.asarray(a, dtype=float) for a in (dims, depths, values))
    if len(set(zip(d, l, strict=True))) < 2 or not (y > 0).all():
        return None
    kinds = np.asarray(work, dtype=float).reshape(-1, len(y))
    if len(kinds) and (kinds > 0).all():
        fit = partial(_by_work, shared=np.asarray(rates, dtype=float), terms=terms)
        return _with_spread(fit, d, l, y, width, kinds)
    return _with_spread(_by_size, d, l, y, width, kinds)


def exact_law(
    dims: Sequence[float], depths: Sequence[float], values: Sequence[float], width: float = math.nan
) -> Law | None:
    """A law of what is counted without noise (memory, operations); None as for `cost_law`."""
    d, l, y = (np.asarray(a, dtype=float) for a in (dims, depths, values))
    if len(set(zip(d, l, strict=True))) < 2 or not (y > 0).all():
        return None
    return _with_spread(partial(_by_terms, terms=TERMS), d, l, y, width, np.empty((0, len(y))))


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
    return _with_spread(_power_law, d, l, y, math.nan, np.empty((0, len(y))))


Fit = Callable[[np.ndarray, np.ndarray, np.ndarray, float, np.ndarray], tuple[Powers, np.ndarray]]


def shared_rates(work: Sequence[Sequence[float]], values: Sequence[float]) -> tuple[float, ...]:
    """Seconds for a unit of each kind of work, fitted to the rows (`work` of each) of all estimators of a setting."""
    kinds, y = np.asarray(work, dtype=float), np.asarray(values, dtype=float)
    if not len(y):
        return ()
    least = 1e-3 / (kinds / y[:, None]).mean(axis=0)  # a kind that no row shows still costs something
    return tuple(np.maximum(_nonnegative(kinds, y), least).tolist())


def _by_work(
    d: np.ndarray, l: np.ndarray, y: np.ndarray, width: float, kinds: np.ndarray, shared: np.ndarray, terms: Powers
) -> tuple[Powers, np.ndarray]:
    """Rates for each kind of work, times that work's own law."""
    laws = np.stack([_by_terms(d, l, kind, width, kinds, terms)[1] for kind in kinds])
    if not len(shared):
        return terms, _nonnegative(kinds.T, y) @ laws
    return terms, own_rates(kinds, y, shared) @ laws


def own_rates(kinds: np.ndarray, y: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """One estimator's seconds for a unit of each kind of work (kinds, rows), drawn towards those of all."""
    usual = shared / np.median(shared @ kinds / y)  # its own speed, the machine's proportions
    weight = math.sqrt(TOWARDS_ALL)
    rows = np.vstack([(kinds * usual[:, None] / y).T, weight * np.eye(len(usual))])
    deviation, _ = nnls(rows, np.concatenate([np.ones(len(y)), np.full(len(usual), weight)]))
    return np.asarray(deviation * usual)


def _by_terms(
    d: np.ndarray, l: np.ndarray, y: np.ndarray, width: float, _: np.ndarray, terms: Powers
) -> tuple[Powers, np.ndarray]:
    return terms, _nonnegative(_columns(terms, d, l, width), y)


def _by_size(d: np.ndarray, l: np.ndarray, y: np.ndarray, width: float, _: np.ndarray) -> tuple[Powers, np.ndarray]:
    """More terms than sizes would fit the noise: two sizes carry 1 and x, three also x², four also √x."""
    in_dim: list[tuple[float, float]] = [(p, 0.0) for p in (0.0, 1.0, 2.0, 0.5)[: len(set(d))]]
    if len(in_dim) >= 3 and d.min() < width < d.max():
        in_dim.append((0.0, 1.0))
    powers = tuple((p, q, r) for (p, r), q in product(in_dim, (0.0, 1.0)[: len(set(l))]))
    return powers, _nonnegative(_columns(powers, d, l, width), y)


def _power_law(d: np.ndarray, l: np.ndarray, y: np.ndarray, _: float, __: np.ndarray) -> tuple[Powers, np.ndarray]:
    axes = [axis for axis in (d, l) if len(set(axis)) > 1]
    design = np.stack([np.ones(len(y)), *(np.log(axis) for axis in axes)], axis=1)
    solution = np.linalg.lstsq(design, np.log(y), rcond=None)[0]
    slopes = iter([float(slope) for slope in solution[1:]])
    p, q = (next(slopes) if len(set(axis)) > 1 else 0.0 for axis in (d, l))
    return ((p, q, 0.0),), np.exp(solution[:1])


def _columns(powers: Powers, d: np.ndarray, l: np.ndarray, width: float) -> np.ndarray:
    return np.stack([d**p * l**q * np.minimum(d, _finite(width)) ** r for p, q, r in powers], axis=1)


def _finite(width: float) -> float:
    """A model without a width: its min(D, width) is 1, one more constant."""
    return 1.0 if math.isnan(width) else width


def _nonnegative(columns: np.ndarray, y: np.ndarray) -> np.ndarray:
    relative = columns / y[:, None]
    scale = relative.max(axis=0)
    scale[scale == 0] = 1.0
    solution, _ = nnls(relative / scale, np.ones(len(y)))
    return solution / scale


def _with_spread(fit: Fit, d: np.ndarray, l: np.ndarray, y: np.ndarray, width: float, kinds: np.ndarray) -> Law:
    """Fit; then leave out every dimension and every depth in turn to learn how far predictions are off.

    Errors at sizes inside the rest give the spread; errors outside of it, for each factor of e, its growth.
    """

    def law_of(kept: np.ndarray) -> Law:
        powers, coefficients = fit(d[kept], l[kept], y[kept], width, kinds[:, kept])
        dims, depths = ((float(axis[kept].min()), float(axis[kept].max())) for axis in (d, l))
        return Law(powers, tuple(map(float, coefficients)), 0.0, dims, depths, _finite(width))

    law = law_of(np.ones(len(y), dtype=bool))
    inside: list[float] = []
    outside: list[float] = []
    for axis in (d, l):
        for size in sorted(set(axis)):
            kept = axis != size
            if len(set(axis[kept])) < 2:
                continue  # what remains no longer varies along the axis
            part = law_of(kept)
            for a, b, value in zip(d[~kept], l[~kept], y[~kept], strict=True):
                if part(a, b) > 0:
                    error, distance = math.log(part(a, b) / value), part.distance(a, b)
                    inside.append(error) if distance == 0 else outside.append(error / distance)
    residuals = [math.log(law(a, b) / value) for a, b, value in zip(d, l, y, strict=True) if law(a, b) > 0]
    least = LEAST_SPREAD if inside or outside else UNKNOWN_SPREAD
    return replace(
        law,
        spread=max(least, _size_of(inside), _size_of(residuals)),
        spread_outside=max(LEAST_SPREAD, _size_of(outside)) if outside else UNKNOWN_SPREAD,
        left_out=bool(inside or outside),
    )


def _size_of(errors: list[float]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(errors)))) if errors else 0.0
