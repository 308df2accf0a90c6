"""True densities of the data whose score is known, in closed form and float64."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bench.problems.far_mode import far_mode


def _gaussian(x: Tensor) -> Tensor:
    return -0.5 * x.square().sum(-1)


def _eight_gaussians(x: Tensor) -> Tensor:
    angles = torch.arange(8, dtype=torch.float64) * (math.pi / 4)
    means = math.sqrt(2.0) * torch.stack([angles.cos(), angles.sin()], -1)
    return torch.logsumexp(-(x.unsqueeze(-2) - means).square().sum(-1) / (2 * 0.2**2), -1)


def _far_mode(sign: float) -> Callable[[Tensor], Tensor]:
    return lambda x: far_mode(x.shape[-1], sign).log_density(x)


LOG_DENSITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "gaussian": _gaussian,
    "eight_gaussians": _eight_gaussians,
    "far_mode_plus": _far_mode(1.0),
    "far_mode_minus": _far_mode(-1.0),
}
"""Data → log p up to a constant, (B, D) to (B,)."""


def true_score(data: str, x: Tensor) -> Tensor:
    """∇ log p at x, (B, D), of data in ``LOG_DENSITIES``."""
    points = x.detach().clone().requires_grad_(True)
    (score,) = torch.autograd.grad(LOG_DENSITIES[data](points).sum(), points)
    return score
