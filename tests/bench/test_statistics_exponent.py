"""The exponent of a power law, and how often its interval covers it."""

import numpy as np
import pytest

from bench.statistics.exponent import exponent

SIZES = (64, 128, 256, 512, 1024)


def test_a_power_law_gives_its_exponent_and_a_sum_of_two_one_between():
    assert exponent(SIZES, [7.0 * d**2.5 for d in SIZES]) == pytest.approx((2.5, 2.5, 2.5), abs=1e-6)
    k, low, high = exponent(SIZES, [d**3 + 300 * d**2 for d in SIZES])
    assert 2 < low < k < high < 3


def test_the_interval_covers_a_planted_exponent_as_often_as_it_says():
    """2000 fits with noise of 10 %: 95 % ± 2.4 % is five standard errors, false failures 6e-7; the seed is fixed."""
    noise = np.random.default_rng(0).normal(size=(2000, len(SIZES)))
    inside = 0
    for row in noise:
        _, low, high = exponent(SIZES, np.exp(0.1 * row) * np.square(SIZES))
        inside += low <= 2 <= high
    assert abs(inside / 2000 - 0.95) < 0.024


@pytest.mark.parametrize(
    ("sizes", "values", "says"),
    [((1, 2), (1, 2), "three sizes or more"), ((1, 2, 3), (1, 0, 2), "positive"), ((1, 2, 3), (1, 2), "as many")],
)
def test_impossible_fits_are_refused(sizes, values, says):
    with pytest.raises(ValueError, match=says):
        exponent(sizes, values)
