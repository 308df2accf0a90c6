"""The interval of a ratio of two medians, by the bootstrap without resampling: its distribution is known exactly."""

from __future__ import annotations

import numpy as np
from scipy import special, stats

NEGLIGIBLE = 1e-12  # weight below which an outcome is left out; a tail that is asked for holds 1e-7 and more


def ratio_interval(old: np.ndarray, new: np.ndarray, miss: float) -> tuple[float, float]:
    """The interval of median(new)/median(old) that the bootstrap leaves with probability ``miss`` on each side.

    The samples are independent, so the ratio's distribution is that of all pairs of bootstrap medians. Exact, since far
    tails, as many comparisons ask for, would take millions of resamples.

    Args:
        old: positive numbers, (n,).
        new: positive numbers, (m,).
        miss: the probability beyond either end, in (0, 1/2).
    """
    (below, p), (above, q) = bootstrap_medians(old), bootstrap_medians(new)
    ratios, weights = (above[:, None] / below).ravel(), (q[:, None] * p).ravel()
    order = np.argsort(ratios)
    cumulated = np.cumsum(weights[order])
    ends = np.searchsorted(cumulated, np.array([miss, 1 - miss]) * cumulated[-1])
    low, high = ratios[order][np.minimum(ends, len(ratios) - 1)]
    return float(low), float(high)


def bootstrap_medians(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(values, probabilities) of the median of n draws with replacement from n samples.

    With x_1 ≤ … ≤ x_n: for n = 2m + 1, P(median ≤ x_i) = P(Binomial(n, i/n) > m). For n = 2m the median is
    (x_i + x_j)/2 with, for i < j, the probability C(n, m) [(i/n)^m − ((i−1)/n)^m] [((n−j+1)/n)^m − ((n−j)/n)^m].
    """
    x, n = np.sort(samples), len(samples)
    m = n // 2
    ranks = np.arange(n + 1) / n
    if n % 2:
        values, weights = x, np.diff(stats.binom.sf(m, n, ranks))
    else:
        steps = np.diff(ranks**m)
        weights = np.triu(special.comb(n, m) * np.outer(steps, steps[::-1]), 1)
        lower_middle = np.diff(stats.binom.sf(m - 1, n, ranks))
        np.fill_diagonal(weights, np.maximum(lower_middle - weights.sum(1), 0))
        values, weights = ((x[:, None] + x) / 2).ravel(), weights.ravel()
    kept = weights > NEGLIGIBLE
    return values[kept], weights[kept]
