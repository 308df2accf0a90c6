"""`quadratic`: xᵀAx + b·x, the simplest energy with curvature of either sign."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.point import ProblemSpec
from bench.problems.registry import register
from bench.problems.weights import normal


class Quadratic(nn.Module):
    """f(x) = xᵀAx + b·x, with any square A."""

    closed_form_orders: ClassVar = {"directional": "any", "laplacian": "any", "score_matching": "any"}

    def __init__(self, matrix: Tensor, slope: Tensor) -> None:
        super().__init__()
        self.matrix, self.slope = nn.Parameter(matrix), nn.Parameter(slope)

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        return ((x @ self.matrix) * x).sum(-1) + x @ self.slope

    def closed_form(self, quantity: str, order: int, x: Tensor, v: Tensor) -> Tensor:
        """Exact values, (B,), with H = A + Aᵀ: score Hx + b, Hessian H, nothing above."""
        hessian = self.matrix + self.matrix.T
        score = x @ hessian + self.slope
        zero = 0.0 * score.sum(-1)
        if quantity == "score_matching":
            return 0.5 * score.square().sum(-1) + torch.trace(hessian)
        if quantity == "laplacian":
            return zero + torch.trace(hessian) if order == 2 else zero
        if order == 1:
            return (score * v).sum(-1)
        return ((v @ hessian) * v).sum(-1) if order == 2 else zero


@register("quadratic")
def build_quadratic(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """A and b random, with a multiple of the identity: tr H of order one, and ‖∇f‖ of root mean square one."""
    matrix = normal(generator, spec.dim, spec.dim) / (2.0 * math.sqrt(spec.dim))
    slope = normal(generator, spec.dim)
    slope /= torch.linalg.vector_norm(slope)
    matrix /= (rows @ (matrix + matrix.T) + slope).square().sum(-1).mean().sqrt()
    matrix += (0.5 - matrix.trace()) / spec.dim * torch.eye(spec.dim, dtype=torch.float64)
    scale = (rows @ (matrix + matrix.T) + slope).square().sum(-1).mean().sqrt()
    return Quadratic(matrix / scale, slope / scale)
