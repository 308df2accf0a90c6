"""What one step does, from declared passes and its model's evaluation: no clock, no tensors, microseconds a point.

A pass counts the FLOPs of one evaluation (`estimators.cost`). Of an equilibrium model's own solver, which keeps no
graph, only evaluations repeat the work: one pass in six, as in a reverse pass over a reverse pass.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import estimators
from bench import problems
from bench.forecast.evaluation import Evaluation, evaluation
from bench.point import Point, ProblemSpec
from estimators.cost import with_symbols

SOLVER_SHARE = 1 / 6
UNDECLARED_PASSES = 12.0
CONVOLUTION_SLOWDOWN = 10.0
"""FLOPs of convolutions of few channels count so many times: they reached 2 to 5 GFLOP/s where products reached 30."""
SOLVER_SLOWDOWN = 3.0
"""Likewise those of a solver without a graph: factorisations of one small matrix a row."""
TAYLOR_OPERATIONS = 60
"""Launched for one layer with first and second derivatives, and the reverse pass for θ."""


class Work(NamedTuple):
    """FLOPs, each worth as much as one of a large product, and operations launched."""

    flops: float
    operations: float


def step_work(point: Point) -> Work:
    """One step: value and parameter gradient."""
    family = _IMPLICIT.get(point.estimator)
    if family is not None:
        return family(point.problem, point.options)
    launched = _LAUNCHED.get(point.estimator)
    work = passes_over(point, step_passes(point))
    return work if launched is None else Work(work.flops, launched * evaluation(point.problem).operations)


def step_passes(point: Point) -> float:
    """Passes of a step: as declared, or counted for what cannot declare any."""
    spec = point.problem
    counted = _COUNTED.get(point.estimator)
    if counted is not None:
        return counted(spec.dim, point.options)
    cost = estimators.get(point.estimator).cost
    if cost is None:
        return UNDECLARED_PASSES
    sizes = {"D": spec.dim, "L": spec.depth, "W": spec.width, "T": point.order, "s": _of_a_score(spec.model)}
    return cost.step_passes.at(**sizes, **with_symbols(point.options))


def passes_over(point: Point, passes: float) -> Work:
    """So many passes of a point's model."""
    one = evaluation(point.problem)
    solved = passes * SOLVER_SHARE
    flops = passes * (_flops(one, point) - one.solver_flops * point.problem.batch)
    flops += SOLVER_SLOWDOWN * solved * one.solver_flops * point.problem.batch
    operations = passes * (one.operations - one.solver_operations) + solved * one.solver_operations
    return Work(flops * (CONVOLUTION_SLOWDOWN if one.convolutions else 1.0), operations)


def _flops(one: Evaluation, point: Point) -> float:
    likelihood = one.likelihood_flops if point.quantity == "log_likelihood" else 0.0
    return one.row_flops * point.problem.batch + one.fixed_flops + likelihood


@functools.lru_cache(maxsize=4096)
def _of_a_score(model: str) -> int:
    """Evaluations of one score: through a log-density two."""
    return 2 if "function" in problems.needs(model) else 1


# Of estimators that declare no passes, since these depend on the model. Counted on traced steps of `score_pinn` at
# D = 4 and 16, M = 2, 4 and 16; a likelihood is one evaluation with its reverse pass.
_COUNTED: Mapping[str, Callable[[int, Mapping[str, Any]], float]] = {
    "mle": lambda dim, options: 3.0,
    "pinn_exact": lambda dim, options: 6.8 * dim + 26,
    "pinn_squared": lambda dim, options: 6.9 * options["probes"] + 24,
    "pinn_two_halves": lambda dim, options: 6.9 * options["probes"] + 48,
}

# The same steps take 2.5 to 3.3 ms (5.3 to 6.7 with two halves) whatever D and M: in evaluations' worth of launching.
_LAUNCHED: Mapping[str, float] = {"pinn_exact": 135.0, "pinn_squared": 135.0, "pinn_two_halves": 270.0}


def _layers(spec: ProblemSpec, columns: float, layers: float, solver: float) -> Work:
    """So many vectors through the layer in all, in so many applications, after a solver's without a graph."""
    application = 2 * spec.batch * spec.width**2
    return Work(application * (columns + solver), TAYLOR_OPERATIONS * layers + 5 * solver)


def _solver_applications(depth: int) -> float:
    """Until rounding is left, at two thirds of the bound ρ = L/(L + 1), since slopes are below their largest."""
    return 13.0 / -math.log(0.65 * depth / (depth + 1))


def _exact(spec: ProblemSpec, options: Mapping[str, Any]) -> Work:
    return _layers(spec, 4 * spec.width / 3 + 6 * (spec.dim + 2), 4, _solver_applications(spec.depth))


def _neumann(spec: ProblemSpec, options: Mapping[str, Any]) -> Work:
    terms = options["terms"]
    columns = 4 * terms * spec.dim + 3 * (spec.dim + 2)
    return _layers(spec, columns, 2 * terms + 1, _solver_applications(spec.depth))


def _phantom(spec: ProblemSpec, options: Mapping[str, Any]) -> Work:
    steps, vectors = options["steps"], options.get("probes", spec.dim) + 2
    return _layers(spec, 3 * steps * vectors, steps, _solver_applications(spec.depth))


def _unrolled(spec: ProblemSpec, options: Mapping[str, Any]) -> Work:
    steps = options["steps"] or 1.5 * _solver_applications(spec.depth)
    return _layers(spec, 3 * steps * (spec.dim + 2), steps, _solver_applications(spec.depth))


_IMPLICIT: Mapping[str, Callable[[ProblemSpec, Mapping[str, Any]], Work]] = {
    "deq_exact": _exact,
    "deq_neumann": _neumann,
    "deq_phantom": _phantom,
    "deq_phantom_ssm": _phantom,
    "deq_unrolled": _unrolled,
}
