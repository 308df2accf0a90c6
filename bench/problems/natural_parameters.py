"""The natural parameters of a kernel exponential family in closed form: score matching is quadratic in them.

For log p = f₀ + Σ_m α_m k_m every objective here is the mean over rows of ½ Σ_r (D_r log p)² + Σ_r D²_r log p, with
derivatives along directions r. So α = −(G + λI)⁻¹ b, G = E Σ_r D_r k D_r kᵀ and b = E Σ_r (D_r k D_r f₀ + D²_r k).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

RIDGE = 1e-2


@dataclass(frozen=True)
class Derivatives:
    """Along R directions at N rows, the second ones summed over directions.

    Attributes:
        kernel: D_r k, (N, M, R).
        base: D_r f₀, (N, R).
        second: Σ_r D²_r k, (N, M).
    """

    kernel: Tensor
    base: Tensor
    second: Tensor


def natural_parameters(derivatives: Derivatives) -> Tensor:
    """α, (M,), with λ a hundredth of the mean diagonal of G; differentiable in everything."""
    rows = len(derivatives.second)
    gram = torch.einsum("nmr,nkr->mk", derivatives.kernel, derivatives.kernel) / rows
    right = (torch.einsum("nmr,nr->nm", derivatives.kernel, derivatives.base) + derivatives.second).mean(0)
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    return -torch.linalg.solve(gram + ridge, right)


def by_differences(kernel: Callable[[Tensor], Tensor], base: Callable[[Tensor], Tensor], x: Tensor, v: Tensor):
    """`Derivatives` along one direction a row, (N, D), from values at x and x ± hv alone.

    h = u^¼, u the dtype's machine epsilon, balances the error h² of the second difference with rounding u/h².
    """
    step = torch.finfo(x.dtype).eps ** 0.25
    points = torch.cat([x, x + step * v, x - step * v])
    k, k_plus, k_minus = kernel(points).chunk(3)
    _, f_plus, f_minus = base(points).chunk(3)
    return Derivatives(
        kernel=((k_plus - k_minus) / (2 * step)).unsqueeze(-1),
        base=((f_plus - f_minus) / (2 * step)).unsqueeze(-1),
        second=(k_plus + k_minus - 2 * k) / step**2,
    )
