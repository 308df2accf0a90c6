"""The interval of a ratio of two medians, by the bootstrap without resampling: its distribution is known exactly."""

from __future__ import annotations

import numpy as np

from bench.statistics.bootstrap import bootstrap_medians


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
