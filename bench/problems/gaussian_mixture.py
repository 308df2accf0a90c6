"""`gaussian_mixture`: log Σ_k w_k N(μ_k, Σ_k), many-moded, normalised, and in closed form."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.point import ProblemSpec
from bench.problems.registry import register
from bench.problems.weights import normal

COMPONENTS = 5


class GaussianMixture(nn.Module):
    """log Σ_k w_k N(x; μ_k, diag(e^{−ℓ_k})), with w = softmax(logits) and ℓ_k the logarithms of the precisions."""

    closed_form_orders: ClassVar = {
        "directional": "any",
        "laplacian": (2,),
        "score_matching": "any",
        "log_likelihood": "any",
    }

    def __init__(self, logits: Tensor, means: Tensor, log_precisions: Tensor) -> None:
        super().__init__()
        self.logits, self.means = nn.Parameter(logits), nn.Parameter(means)
        self.log_precisions = nn.Parameter(log_precisions)

    def log_joint(self, x: Tensor) -> Tensor:
        """The logarithms of w_k N(x; μ_k, Σ_k), (B, K)."""
        deviation = x.unsqueeze(-2) - self.means
        square = (deviation.square() * self.log_precisions.exp()).sum(-1)
        constant = 0.5 * (self.log_precisions.sum(-1) - x.shape[-1] * math.log(2.0 * math.pi))
        return torch.log_softmax(self.logits, 0) + constant - 0.5 * square

    def log_density(self, x: Tensor, constant_log_dets: bool = True) -> Tensor:
        """(B, D) to (B,); nothing can be left out."""
        return torch.logsumexp(self.log_joint(x), -1)

    def closed_form(self, quantity: str, order: int, x: Tensor, v: Tensor) -> Tensor:
        """Exact values, (B,).

        With responsibilities r_k and s_k = −P_k(x − μ_k), s = Σ r_k s_k and Δ log p = Σ r_k(‖s_k‖² − tr P_k) − ‖s‖².
        Along a line every joint density is the exponential of a quadratic in t: derivatives of any order follow from
        the power series of their sum, and of its logarithm.
        """
        if quantity == "log_likelihood":
            joint = self.log_joint(x)
            top = joint.max(-1).values.detach()
            return -(top + (joint - top.unsqueeze(-1)).exp().sum(-1).log())
        weights = torch.softmax(self.log_joint(x), -1)
        precisions = self.log_precisions.exp()
        scores = -(x.unsqueeze(-2) - self.means) * precisions  # (B, K, D)
        if quantity == "directional":
            slope = (scores * v.unsqueeze(-2)).sum(-1)
            curvature = -(precisions * v.unsqueeze(-2).square()).sum(-1)
            return math.factorial(order) * _log_of_sum(weights, slope, curvature, order)
        score = (weights.unsqueeze(-1) * scores).sum(-2)
        squares = scores.square().sum(-1) - precisions.sum(-1)
        laplacian = (weights * squares).sum(-1) - score.square().sum(-1)
        return laplacian if quantity == "laplacian" else 0.5 * score.square().sum(-1) + laplacian


def _log_of_sum(weights: Tensor, slope: Tensor, curvature: Tensor, order: int) -> Tensor:
    """The coefficient of tᵀ in log Σ_k w_k exp(a_k t + ½ b_k t²), for Σ w_k = 1 and T ≥ 1."""
    terms = [weights, weights * slope]  # n·u_n = a·u_{n−1} + b·u_{n−2}
    for n in range(2, order + 1):
        terms.append((slope * terms[n - 1] + curvature * terms[n - 2]) / n)
    total = [term.sum(-1) for term in terms]
    logarithm = [torch.zeros_like(total[0])]
    for n in range(1, order + 1):
        inner = sum((j * logarithm[j] * total[n - j] for j in range(1, n)), torch.zeros_like(total[0]))
        logarithm.append((total[n] - inner / n) / total[0])
    return logarithm[order]


@register(
    "gaussian_mixture",
    quantities=("directional", "laplacian", "score_matching", "log_likelihood"),
    needs=("function", "score", "flow"),
    normalised=True,
)
def build_gaussian_mixture(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """Five components about two apart in any dimension, so that several matter at a point; precisions near one."""
    means = normal(generator, COMPONENTS, spec.dim) * (1.5 / math.sqrt(spec.dim))
    logits = 0.3 * normal(generator, COMPONENTS)
    log_precisions = normal(generator, COMPONENTS, spec.dim) * (0.5 / math.sqrt(spec.dim))
    return GaussianMixture(logits, means, log_precisions)
