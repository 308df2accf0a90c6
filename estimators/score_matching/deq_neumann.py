"""Score matching of equilibrium models with every inverse replaced by a truncated Neumann series."""

from torch import Tensor

from estimators.equilibrium import smooth_fixed_point
from estimators.implicit import along_z, curvature, first_order, objective
from estimators.registry import register


@register(
    "deq_neumann",
    quantity="score_matching",
    needs="equilibrium",
    bias="fixed",
    tags=("taylor-mode", "forward-laplacian", "implicit"),
    source="Huang, Wang, Onwunta, Wang (2024), Efficient Score Matching with Deep Equilibrium Layers, proposition 2",
)
def deq_neumann(
    model,
    x: Tensor,
    *,
    terms: int = 5,
    solver: str = "picard",
    tolerance: float | None = None,
    iterations: int = 500,
) -> Tensor:
    """Implicit differentiation without factorisations: (I − J)⁻¹ ≈ Σ_{k<K} Jᵏ at the fixed point.

    L(x) = ½ ‖s‖² + tr ∇s with u_i = Σ_{k<K} Jᵏ ∂layer/∂x_i for ∂z/∂x_i and Σ_{k<K} Jᵏ Σ_i D²layer[(u_i, e_i)²] for
    Σ_i ∂²z/∂x_i², J = ∂layer/∂z at z* = layer(z*, x).

    Biased, with ρ = ‖J‖: by O(ρᴷ/(1 − ρ)) in score and trace, and by O(K ρᴷ⁻¹/(1 − ρ)) in the θ-gradient, where the
    truncated sums are differentiated as they stand and the ∂Jᵏ/∂θ of what is left out, k ≥ K, are missing: at K = 1 it
    is wrong however small ρ is. At given K the bias is fixed, and it falls geometrically in K.

    Cost: the solver's applications of the layer without graph, K without and K passes of D vectors, one of D + 2, and
    K − 1 of one. Time O(K D), memory O(K D W) with θ-gradient; no factor of the effective depth, no W × W matrix.

    Args:
        model: ``initial(x) -> z``, ``layer(z, x) -> z``, ``head(z, x) -> (B,)`` of operations with a Taylor rule.
        x: the points, (B, D), float32 or float64.
        terms: K ≥ 1.
        solver: ``picard`` or ``anderson``.
        tolerance: relative residual of the fixed point; None for sixteen units of rounding, 0 for all iterations.
        iterations: how many applications of the layer the solver may make.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ArithmeticError: the fixed point is not reached.
        NotImplementedError: the layer has kinks, or an operation has no Taylor rule; the message names it.

    Source: Huang, Wang, Onwunta, Wang (2024), ICLR, proposition 2.
    """
    layer = model.layer
    z = smooth_fixed_point(model, x, solver=solver, tolerance=tolerance, iterations=iterations)
    for _ in range(terms):
        z = layer(z, x)  # its θ-derivative is Σ_{k<K} Jᵏ ∂layer/∂θ
    first = first_order(layer, z, x, None)
    for _ in range(terms - 1):
        first = first_order(layer, z, x, first)
    right = curvature(layer, z, x, first)
    second = right
    for _ in range(terms - 1):
        second = along_z(layer, z, x, second) + right
    return objective(model.head, z, x, first, second)
