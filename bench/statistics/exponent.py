"""The exponent of a power law, and its interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def exponent(sizes: Sequence[float], values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """(k, low, high) of value = c·size^k: least squares in logarithms, Student's t with n − 2 degrees of freedom.

    The interval is of chance deviations from one power law; where values are a sum of powers it tells how well a single
    one describes them on the sizes given.

    Args:
        sizes: n ≥ 3 positive numbers, not all equal.
        values: n positive numbers.
        level: the nominal level, in (0, 1).

    Raises:
        ValueError: fewer than three sizes, not as many values, or a number that is not positive.
    """
    if len(sizes) < 3 or len(sizes) != len(values):
        raise ValueError(f"an exponent needs three sizes or more and as many values; got {len(sizes)}, {len(values)}")
    if not all(number > 0 for number in (*sizes, *values)):
        raise ValueError("sizes and values of a power law have to be positive")
    if not 0 < level < 1:
        raise ValueError(f"level has to be between 0 and 1; got {level!r}")
    fit = stats.linregress(np.log(sizes), np.log(values))
    half = stats.t.ppf(0.5 + level / 2, len(sizes) - 2) * fit.stderr
    return float(fit.slope), float(fit.slope - half), float(fit.slope + half)
