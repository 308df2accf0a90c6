"""Time to a target with runs that never reach it, against cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.statistics.censoring import time_to_target


def test_product_limit_worked_by_hand():
    # Times 1, 2+, 3, 4+, 5, 6: S = 5/6, then 5/6 * 3/4 = 5/8, then 5/8 * 1/2 = 5/16, then 0.
    found = time_to_target([1, 2, 3, 4, 5, 6], [True, False, True, False, True, True])
    assert (found.runs, found.reached, found.median) == (6, 4, 5.0)
    # Counting the censored runs as reached would give 3, leaving them out 3 too.


def test_the_interval_is_brookmeyer_and_crowleys():
    times, reached = [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10], [True] * 8 + [False] * 2
    found = time_to_target(times, reached)
    z, inside = 1.959963984540054, []
    for k in range(1, 9):  # S = 1 - k/10; Greenwood: sum of 1/((11 - i)(10 - i))
        s = 1 - k / 10
        spread = math.sqrt(sum(1 / ((11 - i) * (10 - i)) for i in range(1, k + 1))) / abs(math.log(s))
        low, high = (s ** math.exp(sign * z * spread) for sign in (1, -1))
        if low <= 0.5 <= high:
            inside.append(k)
    assert found.median == 5 and found.low == inside[0] and found.high == inside[-1] + 1


def test_too_few_reach_it():
    assert time_to_target([4, 4, 1], [False, False, True]).median == math.inf
    never = time_to_target([4, 4], [False, False])
    assert (never.median, never.low, never.high, never.reached) == (math.inf, 0.0, math.inf, 0)
    assert time_to_target([4.0] * 6, [False] * 6).low == 4.0  # 2^-6 < 2.5 %


def test_coverage_under_a_budget():
    """Exponential times of median log 2 with a budget of 1: 2000 sets of 20; the interval holds it in 95 +- 2 %."""
    random = np.random.default_rng(0)
    held = 0
    for times in random.exponential(size=(2000, 20)):
        found = time_to_target(np.minimum(times, 1.0), times <= 1.0)
        held += found.low <= math.log(2) <= found.high
    assert 0.93 <= held / 2000 <= 0.98, held / 2000


@pytest.mark.parametrize(
    ("times", "reached", "says"),
    [([], [], "same length"), ([1.0], [True, False], "same length"), ([math.inf], [False], "finite")],
)
def test_bad_input_is_refused(times, reached, says):
    with pytest.raises(ValueError, match=says):
        time_to_target(times, reached)
