"""A recipe: how the reference of one target is had, exactly or by draws. One file a target beside this holds them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from bench.exact.gradient import exact_gradient, serving
from bench.point import ProblemSpec

Values = tuple[Tensor, list[Tensor]]  # at the rows, (B,); and the gradient of their mean, one tensor a parameter
Exact = Callable[[nn.Module, str, int, Tensor, Tensor, str], Values]
Draw = Callable[[Tensor, Tensor, Tensor], Values]


def _nothing_to_refuse(spec: ProblemSpec, quantity: str) -> None:
    return None


@dataclass(frozen=True)
class Recipe:
    """What one target is held against.

    Attributes:
        label: (spec, quantity) → what the reference is, in words; the column ``reference``.
        kept_as: the name its numbers have in the cache; recipes that give the same numbers share it.
        check: (spec, quantity) → None; raises NotImplementedError, saying why, where there is no such reference.
        routes: (model, quantity, order) → names of the ways that serve, the cheapest first; raises NotImplementedError.
        exact: (model, quantity, order, x, v, route) → the values at the rows, (B,), and the gradient of their mean, one
            tensor for each parameter that requires one. The model, x (B, D) and v (B, D) are float64 on the CPU.
        sampler: where there is no exact way: (model, quantity, order, x) → a function (x, v, z) → values and gradient
            of one draw, unbiased over z, (B, D) standard normal. It is averaged until its error is small.
        noise: σ; estimators held against this are run at x + σz, a fresh z each draw. 0 for the points as they are.
        rows: the fewest rows a draw takes, several z a row of a smaller batch.
        error: the relative standard error at which averaging ends.
        limit_s: what averaging may take, seconds of the processor; it ends with the error it has reached by then.
    """

    label: Callable[[ProblemSpec, str], str]
    kept_as: str = "exact"
    check: Callable[[ProblemSpec, str], None] = _nothing_to_refuse
    routes: Callable[[nn.Module, str, int], tuple[str, ...]] = serving
    exact: Exact = exact_gradient
    sampler: Callable[[nn.Module, str, int, Tensor], Draw] | None = None
    noise: float = 0.0
    rows: int = 512
    error: float = 0.01
    limit_s: float = math.inf
