"""`sine_product`: A·Π_i sin(k_i x_i + φ_i), an eigenfunction of the Laplacian."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.point import ProblemSpec
from bench.problems.registry import register
from bench.problems.weights import normal


class SineProduct(nn.Module):
    """f(x) = A·Π_i sin(k_i x_i + φ_i), with Δᵐf = (−‖k‖²)ᵐ f."""

    closed_form_orders: ClassVar = {"directional": "any", "laplacian": "any", "score_matching": "any"}

    def __init__(self, amplitude: Tensor, frequencies: Tensor, phases: Tensor) -> None:
        super().__init__()
        self.amplitude, self.frequencies = nn.Parameter(amplitude), nn.Parameter(frequencies)
        self.phases = nn.Parameter(phases)

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        return self.amplitude * torch.sin(self.frequencies * x + self.phases).prod(-1)

    def closed_form(self, quantity: str, order: int, x: Tensor, v: Tensor) -> Tensor:
        """Exact values, (B,)."""
        angle = self.frequencies * x + self.phases
        if quantity == "directional":
            return math.factorial(order) * self.amplitude * _coefficient(angle, self.frequencies * v, order)
        f = self.amplitude * torch.sin(angle).prod(-1)
        eigenvalue = -self.frequencies.square().sum()
        if quantity == "laplacian":
            return eigenvalue ** (order // 2) * f
        logarithmic_slope = self.frequencies * torch.cos(angle) / torch.sin(angle)
        return 0.5 * f**2 * logarithmic_slope.square().sum(-1) + eigenvalue * f


def _coefficient(angle: Tensor, rate: Tensor, order: int) -> Tensor:
    """The coefficient of tᵀ in Π_i sin(angle_i + rate_i·t): power series multiplied in pairs, a tree over i."""
    series = [rate**n * torch.sin(angle + 0.5 * n * math.pi) / math.factorial(n) for n in range(order + 1)]
    while series[0].shape[-1] > 1:
        even, odd = [c[..., 0::2] for c in series], [c[..., 1::2] for c in series]
        if odd[0].shape[-1] < even[0].shape[-1]:  # pair the last factor with the constant one
            ones = torch.ones_like(even[0][..., :1])
            odd = [torch.cat([c, ones if n == 0 else 0.0 * ones], -1) for n, c in enumerate(odd)]
        series = [sum((even[j] * odd[n - j] for j in range(1, n + 1)), even[0] * odd[n]) for n in range(order + 1)]
    return series[order].squeeze(-1)


@register("sine_product")
def build_sine_product(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """Frequencies of about ½/√D and phases near π/2, so that the product neither vanishes nor oscillates with D.

    The amplitude makes the root mean square of ‖∇f‖ one on the rows.
    """
    frequencies = 0.5 * (0.5 + torch.rand(spec.dim, dtype=torch.float64, generator=generator)) / math.sqrt(spec.dim)
    spread = normal(generator, spec.dim) * (0.3 / math.sqrt(spec.dim))
    model = SineProduct(torch.ones((), dtype=torch.float64), frequencies, 0.5 * math.pi + spread)
    x = rows.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(model.log_density(x).sum(), x)
    with torch.no_grad():
        model.amplitude.div_(slope.square().sum(-1).mean().sqrt())
    return model
