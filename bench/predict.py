"""What points will cost before anything is measured: memory from fake tensors, time from what the machine can do.

A step's time is modelled as so much a floating-point operation, a byte moved and an operation launched. The three are
fitted to a few real steps of plain networks, measured here in a second before predicting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import estimators
from bench import problems, timing
from bench.measure import Bench
from bench.meters.prediction import Prediction
from bench.meters.rates import Rates
from bench.point import Point

SOLO_STEPS = 12  # first call, memory, FLOPs and rounding, in steps
STARTING_S = 0.08  # two workers
PREDICTING_S = 0.15


@dataclass(frozen=True)
class Cost:
    """What one point is predicted to need.

    Attributes:
        memory_bytes: the step's peak above model and data; None where control flow depends on data.
        step_s: one step, seconds.
        point_s: the whole point with accuracy and timing, seconds; without its problem's exact references.
        reason: why there is no prediction, or nothing.
    """

    memory_bytes: int | None
    step_s: float | None
    point_s: float | None
    reason: str = ""


def costs(
    points: Sequence[Point], bench: Bench, jobs: int = 2, on_point: Callable[[], None] = lambda: None
) -> list[Cost]:
    """Predict every point, in processes of their own, ``jobs`` at a time."""
    for spec in {point.problem for point in points}:
        problems.prepare(spec)

    for point in points:
        bench.rates(point)  # once for each dtype, device and threads, before anything competes with it

    def one(point: Point) -> Cost:
        prediction, reason = bench.prediction(point)
        on_point()
        return _cost(point, prediction, reason, bench)

    with ThreadPoolExecutor(jobs) as executor:
        return list(executor.map(one, points))


def _cost(point: Point, prediction: Prediction | None, reason: str, bench: Bench) -> Cost:
    rates = bench.rates(point)
    if prediction is None or rates is None:
        return Cost(None, None, None, reason)
    step = step_s(prediction, rates)
    estimator = estimators.get(point.estimator)
    draws = point.draws if estimator.stochastic else 1
    calls = SOLO_STEPS + draws * (3 if estimator.pair else 1)  # the pair runs in float64, twice the work
    rounds = min(timing.ROUNDS, max(timing.FEWEST_ROUNDS, int(timing.BUDGET_S / max(step, 1e-9))))
    timed = 1.5 * (timing.WARM_UP_S + rounds * max(timing.BLOCK_S, step))
    return Cost(prediction.peak_bytes, step, STARTING_S + PREDICTING_S + calls * step + timed)


def step_s(prediction: Prediction, rates: Rates) -> float:
    """What the FLOPs, the bytes moved and the operations launched take together, in seconds."""
    return (
        prediction.flops * rates.s_per_flop
        + prediction.moved_bytes * rates.s_per_byte
        + prediction.operations * rates.s_per_operation
    )
