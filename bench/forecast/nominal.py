"""Seconds on a nominal machine, from the point alone: declared passes, sizes, and three rates that are written here.

Nothing is looked at but the sweep: no store, no clock, no model. So all jobs of a sharded sweep agree on it, and a
hundred thousand points take a second or two. It is meant for comparing points, for balance and for order, not for the
clock: a run scales it by what its own points took.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import estimators
from bench import problems, timing
from bench.point import Point, ProblemSpec
from estimators.cost import with_symbols

FLOPS_PER_S = 3e10
PASS_S = 4e-6
"""For each layer of a pass, whatever its size: launching its operations."""
STEP_S = 5e-5
POINT_S = 0.15
"""Starting its processes, asking them, and tracing the step."""
SOLO_STEPS = 12
"""First call, memory, FLOPs and rounding."""
UNDECLARED_PASSES = 12.0
REFERENCE_PASSES = 12.0
"""Of an exact parameter gradient in float64, for each coordinate of the input."""
_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2}


def step_s(point: Point) -> float:
    """One step: value and parameter gradient."""
    passes = _passes(point)
    layers = _layers(point.problem)
    flops = passes * 2 * point.problem.batch * _weights(point.problem) * _BYTES.get(point.dtype, 4) / 4
    return STEP_S + passes * layers * PASS_S + flops / FLOPS_PER_S


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
    spec = point.problem
    evaluations = REFERENCE_PASSES * max(1, point.order / 2) * (1 if point.quantity == "directional" else spec.dim)
    flops = evaluations * 2 * spec.batch * _weights(spec) * _BYTES["float64"] / 4
    return evaluations * _layers(spec) * PASS_S + flops / FLOPS_PER_S


@functools.lru_cache(maxsize=4096)
def _evaluations(model: str) -> int:
    """Passes of one score: through a log-density two."""
    return 2 if "function" in problems.needs(model) else 1


def _passes(point: Point) -> float:
    cost = estimators.get(point.estimator).cost
    if cost is None:
        return UNDECLARED_PASSES
    spec = point.problem
    sizes = {"D": spec.dim, "L": spec.depth, "W": spec.width, "T": point.order, "s": _evaluations(spec.model)}
    return cost.step_passes.at(**sizes, **with_symbols(point.options))


def _layers(spec: ProblemSpec) -> int:
    return spec.depth if "depth" in problems.MODELS[spec.model].reads else 1


def _weights(spec: ProblemSpec) -> float:
    """Of a dense network of this width and depth; a model without a width has layers of D."""
    width = spec.width if "width" in problems.MODELS[spec.model].reads else spec.dim
    return spec.dim * width + (_layers(spec) - 1) * width**2
