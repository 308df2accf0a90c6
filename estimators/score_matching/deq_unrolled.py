"""Score matching of equilibrium models through the whole fixed-point iteration."""

from torch import Tensor

from estimators.equilibrium import solve
from estimators.kinks import refuse_kinks
from estimators.registry import register
from estimators.unrolled import over_all_coordinates


@register(
    "deq_unrolled",
    quantity="score_matching",
    needs="equilibrium",
    tags=("exact", "taylor-mode", "forward-laplacian", "unrolled"),
    source="Bai, Kolter, Koltun (2019), Deep Equilibrium Models, §3: the weight-tied network that the layer stands for",
)
def deq_unrolled(
    model,
    x: Tensor,
    *,
    steps: int | None = None,
    chunk: int | None = None,
    tolerance: float | None = None,
    iterations: int = 500,
) -> Tensor:
    """Differentiate all of Picard's applications of the layer, from the initial z on, as of a deep network.

    L(x) = ½ ‖∇f‖² + Δf of f(x) = head(z_N, x), z_{k+1} = layer(z_k, x), z_0 = initial(x) held constant.

    Exact up to the tolerance with the default N: the applications that reach it, counted in a first run without graph,
    and half as many more, because derivatives lag behind (first ones converge as Nρᴺ, second ones as N²ρᴺ, ρ the
    contraction factor). A smaller N has the bias that is left at it.

    Cost: one pass of D + 2 vectors through N layers, with one ordinary reverse pass for the θ-gradient. Time O(N D),
    memory O(N D W) with θ-gradient: both grow with the effective depth, N ≈ log tolerance / log ρ.

    Args:
        model: ``initial(x) -> z``, ``layer(z, x) -> z``, ``head(z, x) -> (B,)`` of operations with a Taylor rule.
        x: the points, (B, D), float32 or float64.
        steps: N ≥ 1; None for one and a half times as many as reach the tolerance.
        chunk: how many coordinates to push at once; None for all.
        tolerance: relative residual of the fixed point; None for sixteen units of rounding, 0 to unroll one and
            a half times ``iterations`` whatever the residual. Not looked at where ``steps`` is given.
        iterations: how many applications there may be.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ArithmeticError: the fixed point is not reached.
        NotImplementedError: the layer has kinks, or an operation has no Taylor rule; the message names it.

    Source: Bai, Kolter, Koltun (2019), Deep Equilibrium Models, NeurIPS, §3.
    """
    start = model.initial(x.detach()).detach()
    refuse_kinks(model, x, start)
    if steps is None:
        reached = solve(model, x, solver="picard", tolerance=tolerance, iterations=iterations).applications
        steps = reached + -(-reached // 2)
    return over_all_coordinates(model, start, x, steps=steps, chunk=chunk)
