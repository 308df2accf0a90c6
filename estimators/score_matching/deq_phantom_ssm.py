"""Sliced score matching of equilibrium models through a few applications of the layer after the fixed point."""

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.equilibrium import smooth_fixed_point
from estimators.registry import register
from estimators.unrolled import over_directions


@register(
    "deq_phantom_ssm",
    quantity="score_matching",
    needs="equilibrium",
    bias="fixed",
    tags=("sliced", "taylor-mode", "phantom-gradient"),
    source="Huang, Wang, Onwunta, Wang (2024), Efficient Score Matching with Deep Equilibrium Layers: sliced score "
    "matching with phantom gradients",
)
def deq_phantom_ssm(
    model,
    x: Tensor,
    *,
    generator: torch.Generator,
    probes: int = 1,
    law: str = "rademacher",
    steps: int = 2,
    damping: float = 1.0,
    solver: str = "picard",
    tolerance: float | None = None,
    iterations: int = 500,
) -> Tensor:
    """``deq_phantom`` along random directions instead of all coordinates.

    L(x) = (1/M) Σ_m [ ½ c₁² + 2 c₂ ] of f(x + t v_m) = c₀ + c₁ t + c₂ t² + O(t³), f(x) = head(z_K, x), z_{k+1} =
    λ layer(z_k, x) + (1 − λ) z_k, z_0 = z* held constant, in x and in θ.

    Unbiased for ``deq_phantom``, and so biased as that is: O(K ρᴷ) in the trace at a contraction ρ, fixed at given K.

    Cost: the solver's applications of the layer without graph, then one pass of M + 2 vectors through K layers, with
    one ordinary reverse pass for the θ-gradient. Time O(K M), memory O(K M W) with θ-gradient: no factor D, and
    independent of how many applications the solver made.

    Args:
        model: ``initial(x) -> z``, ``layer(z, x) -> z``, ``head(z, x) -> (B,)`` of operations with a Taylor rule.
        x: the points, (B, D), float32 or float64.
        generator: the source of the probes.
        probes: M, how many directions a row.
        law: the probes' law, one of ``estimators.probes.LAWS``.
        steps: K ≥ 1.
        damping: λ, in (0, 1].
        solver: ``picard`` or ``anderson``.
        tolerance: relative residual of the fixed point; None for sixteen units of rounding, 0 for all iterations.
        iterations: how many applications of the layer the solver may make.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M < 1, an unknown law, or M > D for ``orthonormal``.
        ArithmeticError: the fixed point is not reached.
        NotImplementedError: the layer has kinks, or an operation has no Taylor rule; the message names it.

    Source: Huang, Wang, Onwunta, Wang (2024), ICLR; Geng, Zhang, Bai, Wang, Lin (2021), NeurIPS.
    """
    v = probe_laws.draw(law, probes, x, generator)
    fixed = smooth_fixed_point(model, x, solver=solver, tolerance=tolerance, iterations=iterations)
    return over_directions(model, fixed, x, v, steps=steps, damping=damping)
