"""The t interval of a mean: against a table, and how often it covers."""

from __future__ import annotations

import numpy as np
import pytest

from bench.statistics.mean import mean_interval


def test_it_is_students():
    middle, low, high = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445 * (2.5 / 5) ** 0.5  # 97.5 % of t with four degrees of freedom; variance 2.5
    assert (middle, low, high) == pytest.approx((3.0, 3.0 - half, 3.0 + half), rel=1e-6)
    assert mean_interval([2.0, 2.0]) == (2.0, 2.0, 2.0)


def test_it_covers_as_often_as_it_says():
    """2000 means of five normal values: 95 % within 1.5 points, seed fixed (a false failure in one seed of 400)."""
    rng = np.random.default_rng(0)
    intervals = np.array([mean_interval(row)[1:] for row in rng.normal(1.0, 3.0, (2000, 5))])
    assert ((intervals[:, 0] <= 1.0) & (intervals[:, 1] >= 1.0)).mean() == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [[1.0, 2.0]]])
def test_it_refuses_what_has_no_interval(values):
    with pytest.raises(ValueError, match="two finite numbers or more"):
        mean_interval(values)
    with pytest.raises(ValueError, match="level"):
        mean_interval([1.0, 2.0], level=1.0)
