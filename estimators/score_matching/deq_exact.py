"""Exact score matching of equilibrium models by implicit differentiation."""

import torch
from torch import Tensor

from estimators.equilibrium import smooth_fixed_point
from estimators.implicit import Inverse, along_z, curvature, first_order, objective
from estimators.registry import register


@register(
    "deq_exact",
    quantity="score_matching",
    needs="equilibrium",
    tags=("exact", "taylor-mode", "forward-laplacian", "implicit"),
    source="Huang, Wang, Onwunta, Wang (2024), Efficient Score Matching with Deep Equilibrium Layers, proposition 1, "
    "with the trace taken at once, by one more solve",
)
def deq_exact(
    model, x: Tensor, *, solver: str = "picard", tolerance: float | None = None, iterations: int = 500
) -> Tensor:
    """The score and the trace of an equilibrium model from one factorisation at the fixed point.

    L(x) = ½ ‖s‖² + tr ∇s of log p(x) = head(z*, x), z* = layer(z*, x), by ∂z/∂x_i = (I − J)⁻¹ ∂layer/∂x_i =: u_i and
    Σ_i ∂²z/∂x_i² = (I − J)⁻¹ Σ_i D²layer[(u_i, e_i)²], J = ∂layer/∂z. For z* = φ(Wz* + Ux + b), q its argument and
    Λ = diag φ′(q): u_i = (I − ΛW)⁻¹ΛUe_i, and the sum is (I − ΛW)⁻¹(φ″(q) ⊙ Σ_i q_i²) with q_i = Wu_i + Ue_i.

    Exact up to the tolerance, and so is its θ-gradient (the first): each of z*, u_i and their sum goes through one more
    step t ← t + (I − J)⁻¹(image of t − t) with the inverse held constant, whose θ-derivative is the implicit one.

    Cost: the solver's applications of the layer without graph, its Jacobian J by one pass of W vectors, one LU of W × W
    for each row, and D + 2 solves; one pass of D vectors and one of D + 2 through the layer, with θ-gradient D + 3 more
    of each. Time O(W³ + (D + W)W²) a row, memory O(W² + DW) a row, whatever the effective depth.

    Args:
        model: ``initial(x) -> z``, ``layer(z, x) -> z``, ``head(z, x) -> (B,)`` of operations with a Taylor rule.
        x: the points, (B, D), float32 or float64.
        solver: ``picard`` or ``anderson``.
        tolerance: relative residual of the fixed point; None for sixteen units of rounding, 0 for all iterations.
        iterations: how many applications of the layer the solver may make.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ArithmeticError: the fixed point is not reached.
        NotImplementedError: the layer has kinks, or an operation has no Taylor rule; the message names it.

    Source: Huang, Wang, Onwunta, Wang (2024), ICLR, proposition 1 (first and second derivatives of the fixed point).
    """
    create_graph = torch.is_grad_enabled()
    layer = model.layer
    fixed = smooth_fixed_point(model, x, solver=solver, tolerance=tolerance, iterations=iterations)
    with torch.no_grad():
        inverse = Inverse(layer, fixed, x)
        first = inverse(first_order(layer, fixed, x, None))
    z = fixed + inverse(layer(fixed, x) - fixed)
    if create_graph:
        first = first + inverse(first_order(layer, z, x, first) - first)
    right = curvature(layer, z, x, first)
    second = inverse(right)
    if create_graph:
        second = second.detach()
        second = second + inverse(along_z(layer, z, x, second) + right - second)
    return objective(model.head, z, x, first, second)
