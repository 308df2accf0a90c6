"""Directional derivatives by Cauchy's integral formula on a circle."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.holomorphic import complex_points, continued
from estimators.registry import register


@register(
    "complex_contour",
    quantity="directional",
    orders="any",
    bias="vanishing",
    step="eps",
    bias_order=16,
    cost=Cost("points/2 + 1", memory="points (D + 2 W)", step_memory="points (D + 2 L W)"),
    tags=("complex-step", "function-values"),
    source="Lyness, Moler (1967), Numerical Differentiation of Analytic Functions",
)
def complex_contour(f, x: Tensor, v: Tensor, *, order: int, eps: float | None = None, points: int = 16) -> Tensor:
    """Average f over n points on a complex circle around x, against the T-th harmonic.

    D^T f(x)[v, …, v] ≈ ‖v‖^T T!/(n r^T) Σ_{k<n} f(x + r e^{iφ_k} v/‖v‖) e^{−iTφ_k}, with φ_k = 2πk/n and r = eps.

    Bias O(r^n), the aliased (T+n)-th Taylor coefficient; the circle has to lie where f is analytic. Rounding grows as
    T! u/r^T.

    Cost: n/2 + 1 complex evaluations in one batch (the other half are conjugates), whatever T; the θ-gradient is one
    ordinary reverse pass through them. No factor D, and no nested differentiation.

    Args:
        f: the function, (B, D) to (B,), real on real points; every operation has to be holomorphic and take complex
            numbers (real weights are promoted, softplus, silu and tanh-gelu are continued).
        x: the points, (B, D), float32 or float64.
        v: the directions, (B, D), of any length.
        order: T, from 1 to n − 1.
        eps: the radius r of the circle, along v/‖v‖. The default None takes (T u/n)^(1/(T+n)) with u the unit roundoff,
            which balances rounding with aliasing for a function analytic within radius one (float32: 0.3 to 0.4,
            float64: 0.1 to 0.2). tanh has its poles at π/2: a direction that moves a unit by more than that needs a
                smaller radius.
        points: n, even; the harmonic T is only seen by n > T.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: T < 1, n odd or n ≤ T, eps ≤ 0, or v is not of x's shape, dtype and device.
        NotImplementedError: an operation of f takes no complex points, or is not holomorphic; it is named.

    Source: Lyness, Moler (1967), Numerical Differentiation of Analytic Functions, SIAM Journal on Numerical Analysis 4.
    """
    if not isinstance(points, int) or points % 2 or points <= order:
        raise ValueError(f"option points has to be an even number above the order, {order}; got {points!r}")
    unit_roundoff = torch.finfo(x.dtype).eps / 2
    radius = (order * unit_roundoff / points) ** (1 / (order + points)) if eps is None else eps
    length = torch.linalg.vector_norm(v, dim=-1, keepdim=True)
    unit = v / torch.where(length > 0, length, torch.ones_like(length))
    half = points // 2
    angles = [2 * math.pi * k / points for k in range(half + 1)]
    cosines, sines = (x.new_tensor([g(a) for a in angles]).view(-1, 1, 1) for g in (math.cos, math.sin))
    z = complex_points(x + radius * cosines * unit, radius * sines * unit)  # (n/2 + 1, B, D)
    values = continued(f)(z.flatten(0, 1)).view(half + 1, -1)
    weights = [(1 if k in (0, half) else 2) * math.factorial(order) / points for k in range(half + 1)]
    real = x.new_tensor([w * math.cos(order * a) for w, a in zip(weights, angles, strict=True)])
    imaginary = x.new_tensor([w * math.sin(order * a) for w, a in zip(weights, angles, strict=True)])
    return (real @ values.real + imaginary @ values.imag) * (length.squeeze(-1) / radius) ** order
