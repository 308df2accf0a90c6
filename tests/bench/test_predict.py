"""Predicted time: planted rates are found again, a prediction adds up its parts and has a clock of its own."""

import pytest

from bench import measure, problems
from bench.forecast.step_time import by_rates
from bench.measure import Bench
from bench.meters.prediction import Prediction
from bench.meters.rates import Rates
from bench.point import Point, ProblemSpec

TINY = ProblemSpec(data="gaussian", dim=4, depth=1, width=4, batch=4)

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
    assert by_rates(prediction, rates).seconds == pytest.approx(0.01 + 2e-4 + 3e-4)


PACED = """
import time
import torch
import estimators

def busy(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass

busy(0.6)  # the opening of every worker

@estimators.register("paced", quantity="score_matching", source="a test")
def paced(f, x, *, way="plain"):
    '''The log-density, by way of what takes time.'''
    if way == "sleeps":
        time.sleep(0.6)
    if way == "traces":
        for _ in range(10**6):
            x = x + 0
    if way == "loops":
        busy(60.0)
    return f(x)
"""


@pytest.fixture(scope="module")
def paced(tmp_path_factory):
    plugin = tmp_path_factory.mktemp("paced") / "paced.py"
    plugin.write_text(PACED)
    problems.prepare(TINY)
    with pytest.MonkeyPatch.context() as patch, Bench(plugins=[str(plugin)]) as bench:
        patch.setattr(measure, "PREDICTION_S", 0.5)  # less than the opening computes and the sleep waits
        yield lambda way: bench.prediction(Point("paced", "score_matching", TINY, 2, {"way": way}))


@pytest.mark.parametrize("way", ["plain", "sleeps"])
def test_a_prediction_has_a_clock_of_its_own(paced, way):
    """Neither what the worker does before it, nor time in which it does not compute, counts."""
    prediction, reason = paced(way)
    assert reason == ""
    assert prediction.peak_bytes > 0


def test_tracing_without_end_is_left_off_by_the_processors_time(paced):
    assert paced("traces") == (None, "tracing takes more than 0.5 s of the processor")


def test_a_step_that_waits_without_end_is_left_off_by_the_wall(paced, monkeypatch):
    monkeypatch.setattr(measure, "PREDICTION_TIMEOUT_S", 1.0)
    assert paced("loops") == (None, "no answer within 1 s")
