"""Directional derivatives by forward mode nested T times."""

from collections.abc import Callable

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.registry import register


@register(
    "nested_forward",
    quantity="directional",
    orders="any",
    cost=Cost("3^T", step_passes="2 3^T + 2^T", memory="2^T W", step_memory="3^T L W"),
    tags=("forward-mode", "nested", "torch.func"),
    source="Griewank, Walther (2008), Evaluating Derivatives, 2nd ed., ch. 3 (forward mode); torch.func.jvp, nested",
)
def nested_forward(f, x: Tensor, v: Tensor, *, order: int) -> Tensor:
    """Push the tangent v forward through f, and through that, T times over.

    D^T f(x)[v, …, v] = g_T(x), with g_0 = f and g_k(x) = ∂g_{k−1}(x) v.

    Exact up to rounding.

    Cost: 3^T evaluations, counted: dual numbers need 2^T, but a nested level of torch.func.jvp also differentiates the
    rules of the level below. Memory for the value, O(2^T · width), does not grow with depth; with a θ-gradient it is
    O(3^T · depth · width). No factor D.

    Args:
        f: the function, (B, D) to (B,); every operation needs a forward derivative that itself has one.
        x: the points, (B, D), float32 or float64.
        v: the directions, (B, D), of any length.
        order: T ≥ 1.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: T < 1, or v is not of x's shape, dtype and device.

    Source: Griewank, Walther (2008), Evaluating Derivatives, 2nd edition, chapter 3; PyTorch, torch.func.jvp.
    """
    g: Callable[[Tensor], Tensor] = f
    for _ in range(order):
        g = _tangent(g, v)
    return g(x)


def _tangent(g: Callable[[Tensor], Tensor], v: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.func.jvp(g, (x,), (v,))[1]
