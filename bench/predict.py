"""What points will cost before anything is measured: memory from fake tensors, time from rows, rates or a description.

A step's time is so much a floating-point operation, a byte moved and an operation launched. On this machine the three
are learnt from rows that the store has, else from a few plain steps, measured in a second; on a described device they
are its description.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench import problems
from bench.forecast import nominal
from bench.forecast.device import Device
from bench.forecast.learned import Learned
from bench.forecast.step_time import StepTime, by_rates
from bench.forecast.traced import Traced, traced
from bench.measure import Bench
from bench.meters.prediction import Prediction
from bench.point import Point

Pace = Callable[[Point, Prediction], StepTime | None]


@dataclass(frozen=True)
class Cost:
    """What one point is predicted to need.

    Attributes:
        memory_bytes: the step's peak above model and data; None where control flow depends on data.
        resident_bytes: what model and data hold besides.
        step: one step.
        point_s: the whole point with accuracy and timing, seconds; without its problem's exact references.
        point_low_s: that with the step at the lower end of its interval.
        point_high_s: at the upper end.
        reason: why there is no prediction, or nothing; why it is a weaker one.
    """

    memory_bytes: int | None = None
    resident_bytes: int | None = None
    step: StepTime | None = None
    point_s: float | None = None
    point_low_s: float | None = None
    point_high_s: float | None = None
    reason: str = ""


def here(bench: Bench, learned: Learned | None = None) -> Pace:
    """The pace of this machine: learnt from its rows where they know it, else by rates measured now."""

    def pace(point: Point, work: Prediction) -> StepTime | None:
        known = learned.step_time(point, work) if learned is not None else None
        if known is not None:
            return known
        rates = bench.rates(point)  # once for each dtype, device and threads
        return None if rates is None else by_rates(work, rates)

    return pace


def on(device: Device) -> Pace:
    """The pace of a described device."""
    return lambda point, work: device.step_time(work, point.dtype)


def costs(
    points: Sequence[Point], bench: Bench, pace: Pace, jobs: int = 2, on_point: Callable[[], None] = lambda: None
) -> list[Cost]:
    """Predict every point: what it does in processes of their own, ``jobs`` at a time; then how long that takes."""
    for spec in {point.problem for point in points}:
        problems.prepare(spec)

    def one(point: Point) -> Traced:
        found = traced(point, bench)
        on_point()
        return found

    with ThreadPoolExecutor(jobs) as executor:
        every = list(executor.map(one, points))
    # afterwards, so that nothing competes with rates that are measured
    return [_cost(point, found, pace) for point, found in zip(points, every, strict=True)]


def _cost(point: Point, found: Traced, pace: Pace) -> Cost:
    work = found.work
    if work is None:
        return Cost(reason=found.reason)
    weaker = f"extrapolated from dimensions up to {found.up_to}" if found.up_to else ""
    step = pace(point, work)
    if step is None:
        return Cost(work.peak_bytes, work.resident_bytes, reason="nothing says how fast this device is")
    middle, low, high = (nominal.point_at(point, at) for at in (step.seconds, step.low_s, step.high_s))
    return Cost(work.peak_bytes, work.resident_bytes, step, middle, low, high, weaker)
