"""Directional derivatives by a step into the complex plane."""

from __future__ import annotations

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.holomorphic import complex_points, complex_step_length, continued
from estimators.registry import register
from estimators.reverse import gradient


@register(
    "complex_step",
    quantity="directional",
    orders=(1, 2),
    bias="vanishing",
    step="eps",
    bias_order=2,
    cost=Cost("T", memory="D + 2 L W", step_memory="D + 2 L W"),
    tags=("complex-step",),
    source="Squire, Trapp (1998), Using Complex Variables to Estimate Derivatives of Real Functions",
)
def complex_step(f, x: Tensor, v: Tensor, *, order: int, eps: float | None = None) -> Tensor:
    """Read the first derivative off the imaginary part at a complex point; the second off that of the gradient.

    D f(x)[v] ≈ Im f(x + i h v)/h, and D² f(x)[v, v] ≈ vᵀ Im ∇f(x + i h v)/h, with h = eps/‖v‖.

    Bias O(eps²). Nothing is subtracted, so rounding does not grow as eps shrinks, and eps can be so small that the
    bias is below rounding: at the default the estimate is exact to rounding.

    Cost: one complex evaluation (two to four real ones), and for order 2 one reverse pass through it; no factor D.

    Args:
        f: the function, (B, D) to (B,); every operation has to be holomorphic and take complex numbers. Real weights
            are promoted, softplus, silu and tanh-gelu are continued; relu, elu, erf, abs, norms and comparisons are
            refused.
        x: the points, (B, D), float32 or float64.
        v: the directions, (B, D), of any length.
        order: 1 or 2.
        eps: the length of the imaginary displacement, whatever the length of v. The default None takes 1e-12 in
            float32 and 1e-30 in float64: eps² vanishes beside one, and eps times a small derivative does not underflow.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: another order, eps ≤ 0, or v is not of x's shape, dtype and device.
        NotImplementedError: an operation of f takes no complex points, or is not holomorphic; it is named.

    Source: Squire, Trapp (1998), Using Complex Variables to Estimate Derivatives of Real Functions, SIAM Review 40.
    """
    create_graph = torch.is_grad_enabled()
    step = complex_step_length(x.dtype) if eps is None else eps
    length = torch.linalg.vector_norm(v, dim=-1, keepdim=True)
    unit = v / torch.where(length > 0, length, torch.ones_like(length))
    z = complex_points(x, step * unit)
    if order == 1:
        return continued(f)(z).imag / step * length.squeeze(-1)
    with torch.enable_grad():
        z = z if z.requires_grad else z.requires_grad_(True)
        g = gradient(continued(f)(z).real, z, create_graph=create_graph)  # torch returns the conjugate of ∇f(z)
        result = -(unit * g.imag).sum(-1) / step * length.squeeze(-1) ** 2
    return result if create_graph else result.detach()
