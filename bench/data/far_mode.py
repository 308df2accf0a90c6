"""Two densities that few samples cannot tell apart, though their scores differ much in mean square.

p± = (1 − η)·N(0, I) + η·N(±R e₁, I) with η = 10⁻³ and R = 10³. Source: Gupta, Parulekar, Price, Xun (2024), Improved
Sample Complexity Bounds for Diffusion Model Training.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.data.source import Source, register

WEIGHT, DISTANCE = 1e-3, 1e3


def draw(
    sign: float,
    dim: int,
    batch: int,
    generator: torch.Generator,
    weight: float = WEIGHT,
    distance: float = DISTANCE,
) -> Tensor:
    """Rows of p₊ or p₋, (batch, dim)."""
    numbers = torch.rand(batch, dim + dim % 2 + 1, dtype=torch.float64, generator=generator)
    u, w = numbers[:, 1:].chunk(2, -1)
    radius = torch.sqrt(-2.0 * torch.log1p(-u))
    x = torch.cat([radius * torch.cos(2 * torch.pi * w), radius * torch.sin(2 * torch.pi * w)], -1)[:, :dim].clone()
    x[:, 0] += sign * distance * (numbers[:, 0] < weight)
    return x


register(Source("far_mode_plus", draw=lambda dim, batch, generator: draw(1.0, dim, batch, generator)))
register(Source("far_mode_minus", draw=lambda dim, batch, generator: draw(-1.0, dim, batch, generator)))
