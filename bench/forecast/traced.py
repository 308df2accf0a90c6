"""What one step does and holds, for any size: traced on fake tensors, or where that takes too long, from smaller sizes.

FLOPs, bytes, operations and the peak are polynomials of the dimension and of min(dimension, width), and are known
without noise: fitted to dimensions that are quickly traced, they hold far outside of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from bench import problems
from bench.measure import Bench
from bench.meters.prediction import TOO_LONG, Prediction
from bench.point import Point
from bench.recommend.scaling import Law, exact_law

SMALLER = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 192, 256, 384)
FEWEST = 5


@dataclass(frozen=True)
class Traced:
    """What a step comes to, or why nothing says it.

    Attributes:
        work: the step; None where nothing predicts it.
        reason: why not.
        up_to: the largest dimension that was traced where the point's own was not; 0 where it was.
    """

    work: Prediction | None
    reason: str = ""
    up_to: int = 0


def traced(point: Point, bench: Bench) -> Traced:
    """The step of a point."""
    work, reason = bench.prediction(point)
    if work is not None or not reason.startswith(TOO_LONG):
        return Traced(work, reason)
    return _from_smaller(point, bench) or Traced(None, reason)


def _from_smaller(point: Point, bench: Bench) -> Traced | None:
    found: dict[int, Prediction] = {}
    for dim in SMALLER:
        if dim >= point.problem.dim:
            break
        smaller = replace(point, problem=replace(point.problem, dim=dim, data=_data(point)))
        try:
            problems.prepare(smaller.problem)
        except (ValueError, OSError):
            continue  # a model or its data has no such dimension
        work, _ = bench.prediction(smaller)
        if work is None:
            break
        found[dim] = work
    if len(found) < FEWEST:
        return None
    amounts = {}
    for kind in (field.name for field in fields(Prediction)):
        law = _law(point, found, kind)
        if law is None:
            return None
        amounts[kind] = math.ceil(law(point.problem.dim, point.problem.depth))
    return Traced(Prediction(**amounts), up_to=max(found))


def _law(point: Point, found: dict[int, Prediction], kind: str) -> Law | None:
    depths = [point.problem.depth] * len(found)
    return exact_law(list(found), depths, [getattr(work, kind) for work in found.values()], point.problem.width)


def _data(point: Point) -> str:
    """Work does not depend on the data: rows of any dimension, where the model takes them."""
    return "gaussian" if problems.MODELS[point.problem.model].data is None else point.problem.data
