"""Two-dimensional densities of the field: eight Gaussians, two spirals, a checkerboard, rings; each of about unit size.

Every row is a function of its own uniform numbers, so that the first rows of a larger batch are those of a smaller one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bench.data.source import Source, register


def uniform(batch: int, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """``count`` columns of uniform numbers in [0, 1), each (batch,) float64."""
    return torch.rand(batch, count, dtype=torch.float64, generator=generator).unbind(-1)


def normal_pair(u: Tensor, w: Tensor) -> Tensor:
    """Two independent standard normal columns, (batch, 2), from two uniform ones."""
    radius = torch.sqrt(-2.0 * torch.log1p(-u))
    return torch.stack([radius * torch.cos(2 * math.pi * w), radius * torch.sin(2 * math.pi * w)], -1)


def circle(angle: Tensor) -> Tensor:
    """(cos, sin), (batch, 2)."""
    return torch.stack([torch.cos(angle), torch.sin(angle)], -1)


def eight_gaussians(dim: int, batch: int, generator: torch.Generator) -> Tensor:
    """Eight modes of standard deviation 0.2 on a circle of radius √2."""
    which, u, w = uniform(batch, 3, generator)
    angle = torch.floor(8 * which) * (math.pi / 4)
    return math.sqrt(2.0) * circle(angle) + 0.2 * normal_pair(u, w)


def two_spirals(dim: int, batch: int, generator: torch.Generator) -> Tensor:
    """Two arms of one and a half turns, with noise of standard deviation 0.05."""
    arm, along, u, w = uniform(batch, 4, generator)
    angle = 3 * math.pi * torch.sqrt(along)
    radius = 2.0 * angle / (3 * math.pi)
    return radius.unsqueeze(-1) * circle(angle + math.pi * torch.floor(2 * arm)) + 0.05 * normal_pair(u, w)


def checkerboard(dim: int, batch: int, generator: torch.Generator) -> Tensor:
    """Uniform on the eight dark fields of a board of 4 by 4 on [−2, 2]²."""
    column, across, row, up = uniform(batch, 4, generator)
    column = torch.floor(4 * column)
    row = 2 * torch.floor(2 * row) + column.remainder(2)
    return torch.stack([column + across, row + up], -1) - 2.0


def rings(dim: int, batch: int, generator: torch.Generator) -> Tensor:
    """Four circles of radii ½, 1, 1½ and 2 with noise of standard deviation 0.05."""
    which, angle, u, w = uniform(batch, 4, generator)
    radius = 0.5 * (1 + torch.floor(4 * which))
    return radius.unsqueeze(-1) * circle(2 * math.pi * angle) + 0.05 * normal_pair(u, w)


for _draw in (eight_gaussians, two_spirals, checkerboard, rings):
    register(Source(_draw.__name__, draw=_draw, dims=(2,)))
