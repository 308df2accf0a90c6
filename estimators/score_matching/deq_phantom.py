"""Score matching of equilibrium models through a few applications of the layer after the fixed point."""

from torch import Tensor

from estimators.equilibrium import smooth_fixed_point
from estimators.registry import register
from estimators.unrolled import over_all_coordinates


@register(
    "deq_phantom",
    quantity="score_matching",
    needs="equilibrium",
    bias="fixed",
    tags=("taylor-mode", "forward-laplacian", "phantom-gradient"),
    source="Geng, Zhang, Bai, Wang, Lin (2021), On Training Implicit Models, in Huang, Wang, Onwunta, Wang (2024), "
    "Efficient Score Matching with Deep Equilibrium Layers",
)
def deq_phantom(
    model,
    x: Tensor,
    *,
    steps: int = 2,
    damping: float = 1.0,
    chunk: int | None = None,
    solver: str = "picard",
    tolerance: float | None = None,
    iterations: int = 500,
) -> Tensor:
    """Forget how the fixed point was found, apply the layer K times more, and differentiate those applications alone.

    L(x) = ½ ‖∇f‖² + Δf of f(x) = head(z_K, x), z_{k+1} = λ layer(z_k, x) + (1 − λ) z_k, z_0 = z* held constant, in x
    and in θ.

    Biased, and by a different amount in each part: with ρ = ‖(1 − λ)I + λ ∂layer/∂z‖ the score is off by O(ρᴷ), the
    trace by O(K ρᴷ) (every use of an early, wrong ∂z_k/∂x counts), and the θ-gradient of the two by O(K² ρᴷ⁻¹), since
    z* is held constant in θ: at K = 1 it is wrong however small ρ is. At given K and λ the bias is fixed, and falls
    geometrically in K.

    Cost: the solver's applications of the layer without graph, then one pass of D + 2 vectors through K layers, with
    one ordinary reverse pass for the θ-gradient. Time O(K D), memory O(K D W) with θ-gradient, independent of how many
    applications the solver made.

    Args:
        model: ``initial(x) -> z``, ``layer(z, x) -> z``, ``head(z, x) -> (B,)`` of operations with a Taylor rule.
        x: the points, (B, D), float32 or float64.
        steps: K ≥ 1.
        damping: λ, in (0, 1].
        chunk: how many coordinates to push at once; None for all.
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
    return over_all_coordinates(model, fixed, x, steps=steps, damping=damping, chunk=chunk)
