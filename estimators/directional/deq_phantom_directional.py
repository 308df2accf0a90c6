"""Directional derivatives of equilibrium models through a few applications of the layer after the fixed point."""

import math

from torch import Tensor

from estimators.equilibrium import smooth_fixed_point
from estimators.registry import register
from estimators.taylor import along
from estimators.unrolled import continued


@register(
    "deq_phantom_directional",
    quantity="directional",
    needs="equilibrium",
    orders=(1, 2),
    bias="fixed",
    tags=("taylor-mode", "phantom-gradient"),
    source="Geng, Zhang, Bai, Wang, Lin (2021), On Training Implicit Models, in Huang, Wang, Onwunta, Wang (2024), "
    "Efficient Score Matching with Deep Equilibrium Layers",
)
def deq_phantom_directional(
    model,
    x: Tensor,
    v: Tensor,
    *,
    order: int,
    steps: int = 2,
    damping: float = 1.0,
    solver: str = "picard",
    tolerance: float | None = None,
    iterations: int = 500,
) -> Tensor:
    """The parts of ``deq_phantom`` along a direction: order one is of the score, order two of the trace.

    D^T f(x)[v, …, v] = T! · c_T of f(x + t v) = c₀ + c₁ t + c₂ t² + O(t³), f(x) = head(z_K, x), z_{k+1} =
    λ layer(z_k, x) + (1 − λ) z_k, z_0 = z* held constant, in x and in θ.

    Biased: with ρ = ‖(1 − λ)I + λ ∂layer/∂z‖ order one is off by O(ρᴷ), order two by O(K ρᴷ), and the θ-gradients of
    either by more, since z* is held constant in θ. At given K and λ the bias is fixed, and falls geometrically in K.

    Cost: the solver's applications of the layer without graph, then one pass of T + 1 vectors through K layers, with
    one ordinary reverse pass for the θ-gradient. Time O(K), memory O(K W) with θ-gradient; no factor D.

    Args:
        model: ``initial(x) -> z``, ``layer(z, x) -> z``, ``head(z, x) -> (B,)`` of operations with a Taylor rule.
        x: the points, (B, D), float32 or float64.
        v: the directions, (B, D).
        order: T, one or two.
        steps: K ≥ 1.
        damping: λ, in (0, 1].
        solver: ``picard`` or ``anderson``.
        tolerance: relative residual of the fixed point; None for sixteen units of rounding, 0 for all iterations.
        iterations: how many applications of the layer the solver may make.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ArithmeticError: the fixed point is not reached.
        NotImplementedError: the layer has kinks, or an operation has no Taylor rule; the message names it.

    Source: Geng, Zhang, Bai, Wang, Lin (2021), On Training Implicit Models, NeurIPS; Huang, Wang, Onwunta, Wang
    (2024), ICLR, with K = 2 and λ = 1.
    """
    fixed = smooth_fixed_point(model, x, solver=solver, tolerance=tolerance, iterations=iterations)
    f = continued(model, fixed, steps, damping)
    return along(f, x, v.unsqueeze(0), order).coefficient(order)[0] * math.factorial(order)
