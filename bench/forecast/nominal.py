"""Seconds on a nominal machine, from the point alone: declared passes, sizes, and three rates that are written here.

Nothing is looked at but the sweep: no store, no clock, no tensor. So all jobs of a sharded sweep agree on it, and a
hundred thousand points take a second or two. It is meant for comparing points, for balance and for order, not for the
clock: a run scales it by what its own points took.
"""

from __future__ import annotations

from collections.abc import Iterable

import estimators
from bench import timing
from bench.forecast.work import Work, passes_over, step_work
from bench.point import Point

FLOPS_PER_S = 3e10
OPERATION_S = 2e-6
"""For each operation of a pass, whatever its size: launching it."""
STEP_S = 5e-5
POINT_S = 0.15
"""Starting its processes, asking them, and tracing the step."""
SOLO_STEPS = 12
"""First call, memory, FLOPs and rounding."""
REFERENCE_PASSES = 12.0
"""Of an exact parameter gradient in float64, for each coordinate of the input."""
_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2}


def step_s(point: Point) -> float:
    """One step: value and parameter gradient."""
    return STEP_S + _seconds(step_work(point), point.dtype)


def point_s(point: Point) -> float:
    """The whole point; references apart."""
    return point_at(point, step_s(point))


def point_at(point: Point, step: float) -> float:
    """A whole point of which one step takes so many seconds: the solo pass with its draws, its part of a window."""
    estimator = estimators.get(point.estimator)
    draws = point.draws if estimator.stochastic else 1
    pair = 3 if estimator.pair else 1  # the pair runs in float64, twice the work
    return POINT_S + (SOLO_STEPS + draws * pair) * step + timing_s(step)


def timing_s(step: float) -> float:
    """An entry's part of a window: warm-up and rounds of step and value."""
    rounds = min(timing.ROUNDS, max(timing.FEWEST_ROUNDS, int(timing.BUDGET_S / max(step, 1e-9))))
    return 1.5 * (max(timing.WARM_UP_S, step) + rounds * max(timing.BLOCK_S, step))


def references_s(points: Iterable[Point]) -> float:
    """The exact references that points of one problem share, each once."""
    points = list(points)
    once = {(point.quantity, point.order, point.target): point for point in points}
    return sum(_reference_s(point) for point in once.values())


def group_s(points: Iterable[Point], referenced: Iterable[Point] | None = None) -> float:
    """Points of one problem and the references they share; or those alone that ``referenced`` points need."""
    points = list(points)
    return references_s(points if referenced is None else referenced) + sum(map(point_s, points))


def window_s(points: Iterable[Point]) -> float:
    """Timing points side by side."""
    return sum(timing_s(step_s(point)) for point in points)


def _reference_s(point: Point) -> float:
    evaluations = max(1, point.order / 2) * (1 if point.quantity == "directional" else point.problem.dim)
    return _seconds(passes_over(point, REFERENCE_PASSES * evaluations), "float64")


def _seconds(work: Work, dtype: str) -> float:
    return work.operations * OPERATION_S + work.flops * _BYTES.get(dtype, 4) / 4 / FLOPS_PER_S
