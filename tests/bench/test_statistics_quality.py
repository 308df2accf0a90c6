"""A timing's mark names what is wrong with it."""

import pytest

from bench.statistics.quality import quality

STEADY = [1.0, 1.01, 0.99, 1.0, 1.005, 0.995, 1.0, 1.01, 0.99]


def test_a_steady_timing_is_stable():
    assert quality(STEADY, 0.99, 1.01) == ("stable", "")
    assert quality([1.0, 1.6, *[1.0] * 6, 1.6, 1.0], 0.99, 1.01) == ("stable", "")  # two slow blocks of ten


@pytest.mark.parametrize(
    ("samples", "low", "high", "facts", "reason"),
    [
        (STEADY, 0.9, 1.1, {}, "±10 %".replace(" ", "")),
        ([1.0] * 3 + [1.05] * 3 + [1.1] * 3, 1.04, 1.06, {}, "drifted by +10%"),
        ([1.0] * 3 + [1.05] * 3 + [0.9] * 3, 0.99, 1.01, {}, "drifted by -10%"),
        ([1.0, 2.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0], 0.99, 1.01, {}, "2 of 9 blocks"),
        (STEADY, 0.99, 1.01, {"throttled": True}, "throttled"),
        (STEADY, 0.99, 1.01, {"others_on_device": 2}, "2 other processes"),
    ],
)
def test_each_fault_is_named(samples, low, high, facts, reason):
    mark, why = quality(samples, low, high, **facts)
    assert mark == "noisy"
    assert reason in why
