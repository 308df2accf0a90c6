"""Intervals for medians, and for ratios of two things measured in the same rounds, by the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

Samples = Sequence[float] | np.ndarray
NEGLIGIBLE = 1e-12  # weight below which an outcome is left out; a tail that is asked for holds 1e-7 and more
MANY = 400  # samples whose two middle ones are as good as one


def median_interval(samples: Samples, level: float = 0.95) -> tuple[float, float, float]:
    """(median, low, high): the median and its percentile bootstrap interval, that of infinitely many resamples.

    The medians that resampling can give, and how often it does, are known exactly (`bootstrap_medians`), so nothing is
    drawn, and the same samples always give the same interval. The bootstrap cannot promise more than the order
    statistics: n samples bound a median with at most 1 − 2^{1−n} (five samples: 94 %). One sample has no interval: low
    and high are NaN.

    Args:
        samples: n finite numbers, n >= 1.
        level: the nominal level, in (0, 1).

    Raises:
        ValueError: there are no samples, one is not finite, or the level is not in (0, 1).
    """
    values = _finite("samples", samples)
    if not 0 < level < 1:
        raise ValueError(f"level has to be between 0 and 1; got {level!r}")
    median = float(np.median(values))
    if len(values) == 1:
        return median, float("nan"), float("nan")
    medians, weights = bootstrap_medians(values)
    tail = (1 - level) / 2 - NEGLIGIBLE  # what sums of weights are rounded by
    low = medians[np.searchsorted(np.cumsum(weights), tail)]
    high = medians[::-1][np.searchsorted(np.cumsum(weights[::-1]), tail)]
    return median, float(low), float(high)


def bootstrap_medians(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The medians that n draws with replacement from n samples can have, ascending, and their probabilities.

    With x_1 ≤ … ≤ x_n: for n = 2m + 1, P(median ≤ x_k) = P(Bin(n, k/n) > m). For n = 2m the median is the mean of the
    m-th draw in order and the next; they are x_i and x_j, i < j, where m draws are at most x_i, one of them x_i, and m
    at least x_j, one of them x_j:

        P = C(n, m) [(i/n)^m − ((i−1)/n)^m] [((n−j+1)/n)^m − ((n−j)/n)^m],

    and both are x_i in the rest of the cases in which the m-th is.

    Of more than 400 samples, an even number, the median is taken to be the m-th draw, its neighbour in rank.

    Cost: O(n log n) for odd n, O(n² log n) for even n up to 400. Source: Efron (1979), Bootstrap methods: another look
    at the jackknife, Ann. Statist. 7, for odd n; the even case follows in the same way.
    """
    x, n = np.sort(samples), len(samples)
    ranks = np.arange(n + 1) / n
    if n % 2 or n > MANY:
        return x, np.diff(special.bdtrc((n - 1) // 2, n, ranks))
    m = n // 2
    root = np.exp(special.gammaln(n + 1) / 2 - special.gammaln(m + 1))  # of C(n, m), which no float may hold
    steps = root * np.diff(ranks**m)
    weights = np.triu(np.outer(steps, steps[::-1]), 1)
    lower_middle = np.diff(special.bdtrc(m - 1, n, ranks))
    np.fill_diagonal(weights, np.maximum(lower_middle - weights.sum(1), 0))
    kept = np.nonzero(weights > NEGLIGIBLE)
    values = (x[kept[0]] + x[kept[1]]) / 2
    order = np.argsort(values, kind="stable")
    return values[order], weights[kept][order]


def ratio_interval(a: Samples, b: Samples, level: float = 0.95) -> tuple[float, float, float]:
    """(median, low, high) of the rounds' ratios a_i/b_i, so that what hits a whole round cancels.

    Raises:
        ValueError: the two do not have the same number of rounds, or b holds a number that is not positive.
    """
    first, second = _finite("a", a), _finite("b", b)
    if len(first) != len(second):
        raise ValueError(f"a ratio is taken round by round: a has {len(first)} rounds, b has {len(second)}")
    if (second <= 0).any():
        raise ValueError(f"b has to be positive; its smallest is {second.min():g}")
    return median_interval(first / second, level)


def _finite(name: str, samples: Samples) -> np.ndarray:
    values = np.asarray(samples, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name} has to be one row of at least one number; got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has to be finite; {np.count_nonzero(~np.isfinite(values))} of {len(values)} are not")
    return values
