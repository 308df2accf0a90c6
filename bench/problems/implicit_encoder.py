"""An implicit encoder whose entropy gradient uses a learned score; linear and Gaussian, so that both are known exactly.

z = W x + L ε with x ~ N(0, I_D) and ε ~ N(0, I_K) has the density N(0, S), S = WWᵀ + LLᵀ, with the score −S⁻¹z and the
entropy H = ½ log det(2πe S); ∇_W H = S⁻¹W and ∇_L H = S⁻¹L. An encoder that only gives samples has no density: its
entropy's gradient is had from the score of its codes, ∇_φ H = −E[(∂z/∂φ)ᵀ s(z)], and that score is learned.

Source: Song, Garg, Shi, Ermon (2019), Sliced Score Matching, section on implicit encoders; the identity is that of Li,
Turner (2018), Gradient Estimators for Implicit Models.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.data.source import Source, register
from bench.problems.weights import normal, orthogonal

INPUTS_PER_CODE = 4
SEED = 2019


class LinearEncoder(nn.Module):
    """z = W x + L ε, (B, D) and (B, K) to (B, K)."""

    def __init__(self, weight: Tensor, noise: Tensor) -> None:
        super().__init__()
        self.weight, self.noise = nn.Parameter(weight), nn.Parameter(noise)

    def forward(self, x: Tensor, epsilon: Tensor) -> Tensor:
        """The codes."""
        return x @ self.weight.T + epsilon @ self.noise.T

    def draw(self, batch: int, generator: torch.Generator) -> Tensor:
        """Codes of ``batch`` fresh inputs, (batch, K)."""
        numbers = normal(generator, batch, self.weight.shape[1] + len(self.noise)).to(self.weight)
        return self(numbers[:, : self.weight.shape[1]], numbers[:, self.weight.shape[1] :])

    @property
    def covariance(self) -> Tensor:
        """S, (K, K)."""
        return self.weight @ self.weight.T + self.noise @ self.noise.T

    def score(self, z: Tensor) -> Tensor:
        """The exact score of the codes, −S⁻¹z."""
        return -torch.linalg.solve(self.covariance, z.T).T

    def entropy(self) -> Tensor:
        """½ log det(2πe S), in nats; its θ-gradient is the closed form."""
        return 0.5 * (torch.logdet(self.covariance) + len(self.noise) * math.log(2 * math.pi * math.e))


def encoder(codes: int) -> LinearEncoder:
    """One of K codes from 4K inputs, float64, from a fixed seed: variances of codes between about ½ and 2."""
    generator = torch.Generator().manual_seed(SEED + codes)
    inputs = INPUTS_PER_CODE * codes
    weight = torch.linspace(0.5, 1.3, codes, dtype=torch.float64).unsqueeze(-1) * orthogonal(codes, inputs, generator)
    return LinearEncoder(weight, 0.4 * torch.eye(codes) + 0.2 / math.sqrt(codes) * normal(generator, codes, codes))


def entropy_surrogate(z: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    """−z·s(z) row by row with s(z) held fixed, (B,): ∇φ of its mean estimates ∇φ H.

    Only the gradient means anything. Differentiating through s as well would add −E[(∂s/∂φ)ᵀz], which for a linear
    score is as much again.
    """
    return -(z * score(z.detach()).detach()).sum(-1)


def _draw(dim: int, batch: int, generator: torch.Generator) -> Tensor:
    with torch.no_grad():
        return encoder(dim).draw(batch, generator)


register(Source("encoder_codes", draw=_draw))
