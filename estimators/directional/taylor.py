"""Directional derivatives by Taylor mode."""

import math

from torch import Tensor

from estimators.cost import Cost
from estimators.registry import register
from estimators.taylor import along


@register(
    "taylor",
    quantity="directional",
    cost=Cost("T + 1", memory="(T + 1) (D + 2 W)", step_memory="(T + 1) (D + 2 L W)"),
    tags=("taylor-mode",),
    source="Griewank, Walther (2008), Evaluating Derivatives, 2nd ed., ch. 13, tables 13.1-13.2",
)
def taylor(f, x: Tensor, v: Tensor, *, order: int) -> Tensor:
    """Push a truncated Taylor series through f, and read the derivative off its last coefficient.

    D^T f(x)[v, …, v] = T! · c_T, where f(x + t v) = Σ_{k ≤ T} c_k t^k + O(t^{T+1}).

    Exact, and so is its θ-gradient.

    Cost: one pass; T + 1 vectors through every linear map, O(T²) products through every nonlinear one, memory O(T) in
    units of one evaluation of f, with or without θ-gradient; no factor D.

    Args:
        f: the function, (B, D) to (B,), made of operations that have a Taylor rule (``estimators.taylor.rules()``).
        x: the points, (B, D), float32 or float64.
        v: the directions, (B, D).
        order: T ≥ 1.

    Returns:
        (B,), in the dtype of x.

    Raises:
        NotImplementedError: an operation of f has no Taylor rule; the message names it.

    Source: Griewank, Walther (2008), Evaluating Derivatives, 2nd ed., ch. 13.
    """
    return along(f, x, v.unsqueeze(0), order).coefficient(order)[0] * math.factorial(order)
