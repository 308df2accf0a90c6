"""Hutchinson's estimator with Hessian-vector products by a complex step."""

from __future__ import annotations

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.holomorphic import complex_points, complex_step_length, continued
from estimators.registry import register
from estimators.reverse import gradient


@register(
    "complex_step_hutchinson",
    quantity="laplacian",
    bias="vanishing",
    step="eps",
    bias_order=2,
    pair="hutchinson",
    cost=Cost("2 M", memory="M (D + 2 L W)", step_memory="M (D + 2 L W)"),
    tags=("stochastic-trace", "complex-step"),
    source="Hutchinson (1989), with the product by a complex step: Squire, Trapp (1998), Using Complex Variables to "
    "Estimate Derivatives of Real Functions",
)
def complex_step_hutchinson(
    f,
    x: Tensor,
    *,
    order: int,
    generator: torch.Generator,
    eps: float | None = None,
    probes: int = 1,
    law: str = "rademacher",
) -> Tensor:
    """Read Hessian-vector products off the imaginary part of the gradient at complex points.

    Δf(x) ≈ (1/M) Σ_m v_mᵀ Im ∇f(x + i h v_m)/h, with h = eps/√D and E[v vᵀ] = I.

    Bias O(eps²) against ``hutchinson`` on the same probes. Nothing is subtracted, so that at the default eps the bias
    is below rounding. Variance that of ``hutchinson``.

    Cost: M complex gradients in one batch, each two to four real ones; with a θ-gradient a second differentiation, as
    for
    ``hutchinson``. Time and memory O(M), with no factor D.

    Args:
        f: the function, (B, D) to (B,); every operation has to be holomorphic and take complex numbers. Real weights
            are promoted, softplus, silu and tanh-gelu are continued.
        x: the points, (B, D), float32 or float64.
        order: 2.
        generator: the source of the probes.
        eps: the length of the imaginary displacement. The default None takes 1e-12 in float32 and 1e-30 in float64.
        probes: M, how many directions a row.
        law: the probes' law, one of ``estimators.probes.LAWS``.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: eps ≤ 0, M < 1, an unknown law, M > D for ``orthonormal``, or another order.
        NotImplementedError: an operation of f takes no complex points, or is not holomorphic; it is named.

    Source: Squire, Trapp (1998), Using Complex Variables to Estimate Derivatives of Real Functions, SIAM Review 40.
    """
    create_graph = torch.is_grad_enabled()
    step = (complex_step_length(x.dtype) if eps is None else eps) / x.shape[1] ** 0.5
    v = probe_laws.draw(law, probes, x, generator)
    with torch.enable_grad():
        z = complex_points(x.expand_as(v), step * v).flatten(0, 1)
        z = z if z.requires_grad else z.requires_grad_(True)
        g = gradient(continued(f)(z).real, z, create_graph=create_graph)  # torch returns the conjugate of ∇f(z)
        result = -(v * g.imag.view_as(v)).sum(-1).mean(0) / step
    return result if create_graph else result.detach()
