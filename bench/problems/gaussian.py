"""`gaussian`: log N(μ, Σ), on which every finite difference and Taylor expansion is free of bias."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.point import ProblemSpec
from bench.problems.registry import register
from bench.problems.weights import normal
from estimators.estimator import QUANTITIES


class Gaussian(nn.Module):
    """log N(x; μ, (LLᵀ)⁻¹), L lower triangular with diagonal exp(d)."""

    closed_form_orders: ClassVar = dict.fromkeys(QUANTITIES, "any")

    def __init__(self, mean: Tensor, log_diagonal: Tensor, below: Tensor) -> None:
        super().__init__()
        self.mean, self.log_diagonal = nn.Parameter(mean), nn.Parameter(log_diagonal)
        self.below = nn.Parameter(below)

    @property
    def factor(self) -> Tensor:
        """L, (D, D)."""
        return torch.tril(self.below, -1) + torch.diag(self.log_diagonal.exp())

    def log_density(self, x: Tensor, constant_log_dets: bool = True) -> Tensor:
        """(B, D) to (B,); nothing can be left out."""
        whitened = (x - self.mean) @ self.factor
        constant = self.log_diagonal.sum() - 0.5 * self.mean.numel() * math.log(2.0 * math.pi)
        return constant - 0.5 * whitened.square().sum(-1)

    def closed_form(self, quantity: str, order: int, x: Tensor, v: Tensor) -> Tensor:
        """Exact values, (B,), with P = LLᵀ: score −P(x − μ), Hessian −P, nothing above."""
        precision = self.factor @ self.factor.T
        score = (self.mean - x) @ precision
        zero = 0.0 * score.sum(-1)
        if quantity == "log_likelihood":
            distance = -(score * (x - self.mean)).sum(-1)
            return 0.5 * (distance - torch.logdet(precision) + x.shape[1] * math.log(2.0 * math.pi))
        if quantity == "score_matching":
            return 0.5 * score.square().sum(-1) - torch.trace(precision)
        if quantity == "laplacian":
            return zero - torch.trace(precision) if order == 2 else zero
        if order == 1:
            return (score * v).sum(-1)
        return -((v @ precision) * v).sum(-1) if order == 2 else zero


@register(
    "gaussian",
    quantities=("directional", "laplacian", "score_matching", "log_likelihood"),
    needs=("function", "score", "flow"),
    normalised=True,
)
def build_gaussian(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """μ ~ N(0, 0.1² I); L the identity with its diagonal and what is below it disturbed, columns by about 0.3."""
    mean = 0.1 * normal(generator, spec.dim)
    log_diagonal = 0.1 * normal(generator, spec.dim)
    below = torch.tril(normal(generator, spec.dim, spec.dim), -1) * (0.3 / math.sqrt(spec.dim))
    return Gaussian(mean, log_diagonal, below)
