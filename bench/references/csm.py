"""Target ``csm``: composite score matching, Σ_d ½s_d² + ∂s_d/∂x_d with every s_d given the coordinates before d.

Each ∂s_d/∂x_d by a derivative of its own, through context and tail: by reverse mode (D gradients) or forward mode (D
dual numbers). Estimators take all of them from one pass with a leaf apart, which the reference does not rely on.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from bench import problems
from bench.exact.gradient import exact_gradient
from bench.point import ProblemSpec
from bench.references.recipe import Recipe

ROUTES = ("reverse", "forward")


class _Field(nn.Module):
    """The conditional scores as one vector field of x, its Jacobian lower triangular."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def score(self, x: Tensor) -> Tensor:
        return self.model.conditional_score(self.model.context(x), x)


def _check(spec: ProblemSpec, quantity: str) -> None:
    if "conditional_scores" not in problems.needs(spec.model):
        raise NotImplementedError(f"model {spec.model!r} has no conditional scores to match")


def _routes(model: nn.Module, quantity: str, order: int) -> tuple[str, ...]:
    return ROUTES


def _exact(
    model: nn.Module, quantity: str, order: int, x: Tensor, v: Tensor, route: str
) -> tuple[Tensor, list[Tensor]]:
    return exact_gradient(_Field(model), "score_matching", order, x, v, route)


CSM = Recipe(lambda spec, quantity: "exact csm", kept_as="csm", check=_check, routes=_routes, exact=_exact)
