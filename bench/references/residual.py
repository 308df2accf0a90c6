"""Target ``residual``: ½‖r‖² of the model's own equation, with an exact Laplacian inside the residual.

By reverse mode, D second derivatives with their graphs kept, or by forward mode over reverse: both can be
differentiated in x once more, as a residual of third order asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bench import problems
from bench.point import ProblemSpec
from bench.problems.score_pinn import every_second_derivative, squared_residual
from bench.references.recipe import Recipe

ROUTES = ("reverse", "forward")


def forward_laplacian(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Δf, (B,): the trace of a Jacobian by forward mode, of a gradient by reverse mode, row by row."""

    def row(point: Tensor) -> Tensor:
        return f(point[None])[0]

    return torch.func.vmap(lambda point: torch.func.jacfwd(torch.func.grad(row))(point).trace())(x)


def _check(spec: ProblemSpec, quantity: str) -> None:
    if "residual" not in problems.needs(spec.model):
        raise NotImplementedError(f"model {spec.model!r} has no equation to leave a residual in")


def _routes(model: nn.Module, quantity: str, order: int) -> tuple[str, ...]:
    return ROUTES


def _exact(model: Any, quantity: str, order: int, x: Tensor, v: Tensor, route: str) -> tuple[Tensor, list[Tensor]]:
    return squared_residual(model, x, {"reverse": every_second_derivative, "forward": forward_laplacian}[route])


RESIDUAL = Recipe(
    lambda spec, quantity: "exact squared residual", kept_as="residual", check=_check, routes=_routes, exact=_exact
)
