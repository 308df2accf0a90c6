"""Predicted time: rates that were planted are found again, and a prediction adds up its parts."""

import pytest

from bench.meters.prediction import Prediction
from bench.meters.rates import Rates
from bench.predict import step_s

FLOP, BYTE, OPERATION = 1e-11, 2e-11, 3e-6
WORK = [(1e6, 1e5, 300), (1e8, 1e6, 300), (1e9, 1e7, 100), (1e9, 1e8, 30), (1e7, 1e7, 1000), (5e9, 2e7, 60)]


def _steps():
    return [(f, b, o, f * FLOP + b * BYTE + o * OPERATION) for f, b, o in WORK]


def test_planted_rates_are_found():
    rates = Rates.fitted(1e11, _steps())
    assert (rates.s_per_flop, rates.s_per_byte, rates.s_per_operation) == pytest.approx((FLOP, BYTE, OPERATION))
    assert rates.flops_per_s == 1e11


def test_a_rate_is_never_negative():
    steps = [(f, b, o, f * FLOP + o * OPERATION) for f, b, o in WORK]
    assert Rates.fitted(1e11, steps).s_per_byte >= 0


def test_a_step_is_the_sum_of_its_parts():
    rates = Rates.fitted(1e11, _steps())
    prediction = Prediction(peak_bytes=1, flops=10**9, moved_bytes=10**7, operations=100)
    assert step_s(prediction, rates) == pytest.approx(0.01 + 2e-4 + 3e-4)
