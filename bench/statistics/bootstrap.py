"""Intervals for medians, and for ratios of two things measured in the same rounds, by the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

Samples = Sequence[float] | np.ndarray


def median_interval(samples: Samples, level: float = 0.95, seed: int = 0) -> tuple[float, float, float]:
    """(median, low, high): the median and its percentile bootstrap interval.

    The bootstrap cannot promise more than the order statistics: n samples bound a median with at most 1 − 2^{1−n}
    (five samples: 94 %). One sample has no interval: low and high are NaN.

    Args:
        samples: n finite numbers, n >= 1.
        level: the nominal level, in (0, 1).
        seed: of the resampling, so that the same samples give the same interval.

    Raises:
        ValueError: there are no samples, one is not finite, or the level is not in (0, 1).
    """
    values = _finite("samples", samples)
    if not 0 < level < 1:
        raise ValueError(f"level has to be between 0 and 1; got {level!r}")
    median = float(np.median(values))
    if len(values) == 1:
        return median, float("nan"), float("nan")
    if np.ptp(values) == 0:
        return median, median, median
    resamples = int(np.clip(np.ceil(100 / (1 - level)), 4_000, 100_000))  # so that the tail itself is resolved
    interval = stats.bootstrap(
        (values,),
        np.median,
        confidence_level=level,
        n_resamples=resamples,
        method="percentile",
        batch=max(1, 2_000_000 // len(values)),
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return median, float(interval.low), float(interval.high)


def ratio_interval(a: Samples, b: Samples, level: float = 0.95, seed: int = 0) -> tuple[float, float, float]:
    """(median, low, high) of the rounds' ratios a_i/b_i, so that what hits a whole round cancels.

    Raises:
        ValueError: the two do not have the same number of rounds, or b holds a number that is not positive.
    """
    first, second = _finite("a", a), _finite("b", b)
    if len(first) != len(second):
        raise ValueError(f"a ratio is taken round by round: a has {len(first)} rounds, b has {len(second)}")
    if (second <= 0).any():
        raise ValueError(f"b has to be positive; its smallest is {second.min():g}")
    return median_interval(first / second, level, seed)


def _finite(name: str, samples: Samples) -> np.ndarray:
    values = np.asarray(samples, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name} has to be one row of at least one number; got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has to be finite; {np.count_nonzero(~np.isfinite(values))} of {len(values)} are not")
    return values
