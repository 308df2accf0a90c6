"""The distribution of a score's error over points: its L2 norm, its median, and its (1 − δ)-quantiles, with intervals.

A mean square over points is decided by the few where the error is largest, and few samples say little about those.
Gupta, Parulekar, Price, Xun (2024), Improved Sample Complexity Bounds for Diffusion Model Training, show that sampling
needs less: an error small on all but a fraction δ of the mass, D^δ = inf{ε : P(‖ŝ − s‖ ≥ ε) ≤ δ}.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

DELTAS = (1e-1, 1e-2, 1e-3)
POINTS_BEYOND = 100  # so many errors lie beyond the smallest quantile asked for
RESAMPLES = 1000
Interval = tuple[float, float, float]  # estimate, low, high


@dataclass(frozen=True)
class ScoreErrors:
    """Errors ‖ŝ(x) − s(x)‖ over points x of the true density.

    Attributes:
        l2: √mean ‖ŝ − s‖².
        median: of ‖ŝ − s‖.
        quantiles: δ → the (1 − δ)-quantile.
    """

    l2: Interval
    median: Interval
    quantiles: Mapping[float, Interval]


def summary(
    errors: Sequence[float] | np.ndarray, deltas: Sequence[float] = DELTAS, level: float = 0.95, seed: int = 0
) -> ScoreErrors:
    """L2, median and (1 − δ)-quantiles of the errors, each with its percentile bootstrap interval.

    Args:
        errors: n ≥ 100/min δ finite numbers ≥ 0.
        deltas: each in (0, 1).
        level: of the intervals, in (0, 1).
        seed: of the resampling for L2; the quantiles' intervals need none.

    Raises:
        ValueError: too few errors for the smallest δ, one that is negative or not finite, or a δ or level outside.
    """
    e = np.sort(np.asarray(errors, dtype=float))
    if not all(0 < delta < 1 for delta in (*deltas, level)):
        raise ValueError(f"deltas and level have to be between 0 and 1; got {tuple(deltas)}, {level!r}")
    if len(e) * min(deltas, default=0.5) < POINTS_BEYOND - 1e-6:
        needed = math.ceil(POINTS_BEYOND / min(deltas) - 1e-6)
        raise ValueError(f"a (1 - {min(deltas):g})-quantile needs {needed} errors or more; got {len(e)}")
    if not (np.isfinite(e).all() and e[0] >= 0):
        raise ValueError("errors have to be finite and >= 0")
    quantiles = {delta: quantile(e, delta, level) for delta in deltas}
    return ScoreErrors(_l2(e, level, seed), quantile(e, 0.5, level), quantiles)


def quantile(e: np.ndarray, delta: float, level: float = 0.95) -> Interval:
    """The ⌈(1 − δ)n⌉-th smallest of n sorted errors, and the bootstrap's interval of it, exactly.

    Of n errors drawn anew from the n, the k-th smallest is at most the j-th of the old ones where at least k draws
    are: with probability P(Bin(n, j/n) ≥ k). Its quantiles need no resampling.
    """
    n = len(e)
    k = math.ceil((1 - delta) * n - 1e-9 * n)
    at_most = stats.binom.sf(k - 1, n, np.arange(1, n + 1) / n)
    low, high = np.searchsorted(at_most, [0.5 - level / 2, 0.5 + level / 2])
    return float(e[k - 1]), float(e[low]), float(e[min(high, n - 1)])


def _l2(e: np.ndarray, level: float, seed: int) -> Interval:
    """√mean e², and its bootstrap interval by resampling."""
    squares, generator = np.square(e), np.random.default_rng(seed)
    means = [squares[generator.integers(len(e), size=len(e))].mean() for _ in range(RESAMPLES)]
    low, high = np.sqrt(np.quantile(means, [0.5 - level / 2, 0.5 + level / 2]))
    return float(np.sqrt(squares.mean())), float(low), float(high)
