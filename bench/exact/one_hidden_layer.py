"""Score matching of f = a·φ(Wx + b) under Gaussian noise on x, by formula, for the φ with kinks: ELU and ReLU."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

NODES = 40


def score_matching(weight: Tensor, bias: Tensor, output: Tensor, x: Tensor, noise: float, activation: str) -> Tensor:
    """E[½‖s‖² + Δf] at x + σz, z ~ N(0, I), with what happens at the kinks: smooth in every parameter.

    With pre-activations u ~ N(Wx + b, σ²WWᵀ) and G = WWᵀ, E‖s‖² = Σ_jk a_j a_k G_jk E[φ′(u_j) φ′(u_k)] and E Δf =
    Σ_j a_j G_jj E[φ″(u_j)], φ″ of ReLU being Dirac's δ. All are orthant probabilities of two normal variables, for ELU
    tilted by exponentials.

    Args:
        weight: W, (K, D) float64, no two rows parallel.
        bias: b, (K,).
        output: a, (K,).
        x: (B, D).
        noise: σ > 0.
        activation: elu or relu.

    Returns:
        (B,). Time and memory O(B K²).
    """
    gram = weight @ weight.T
    mean = x @ weight.T + bias
    variance = noise**2 * torch.diagonal(gram)
    first, second = torch.triu_indices(len(weight), len(weight), 1)
    covariance = noise**2 * gram[first, second]
    products = _product(mean[:, first], mean[:, second], variance[first], variance[second], covariance, activation)
    squares, curvature = _square(mean, variance, activation), _curvature(mean, variance, activation)
    own = output.square() * torch.diagonal(gram)
    squared_norm = (squares * own).sum(-1) + 2 * (products * output[first] * output[second] * gram[first, second]).sum(
        -1
    )
    return 0.5 * squared_norm + (curvature * output * torch.diagonal(gram)).sum(-1)


def _square(mean: Tensor, variance: Tensor, activation: str) -> Tensor:
    """E φ′(u)²."""
    above = torch.special.ndtr(mean / variance.sqrt())
    if activation == "relu":
        return above
    return above + torch.exp(2 * mean + 2 * variance) * torch.special.ndtr(-(mean + 2 * variance) / variance.sqrt())


def _curvature(mean: Tensor, variance: Tensor, activation: str) -> Tensor:
    """E φ″(u)."""
    if activation == "relu":
        return torch.exp(-0.5 * mean.square() / variance) / (2 * math.pi * variance).sqrt()
    return torch.exp(mean + variance / 2) * torch.special.ndtr(-(mean + variance) / variance.sqrt())


def _product(m: Tensor, n: Tensor, v: Tensor, w: Tensor, c: Tensor, activation: str) -> Tensor:
    """E φ′(u₁)φ′(u₂), means m and n, variances v and w, covariance c: over the four quadrants."""
    deviations, correlation = (v.sqrt(), w.sqrt()), c / (v * w).sqrt()

    def quadrant(i: int, j: int) -> Tensor:
        """E[e^(i u₁ + j u₂)] on u₁ > 0 (< 0 for i = 1) and u₂ > 0 (< 0 for j = 1): the normal law, tilted."""
        tilted = (m + i * v + j * c, n + i * c + j * w)
        size = torch.exp(i * m + j * n + 0.5 * (i * v + j * w) + i * j * c)
        signs = (1 - 2 * i, 1 - 2 * j)
        h, k = (s * t / d for s, t, d in zip(signs, tilted, deviations, strict=True))
        return size * _both_below(h, k, signs[0] * signs[1] * correlation)

    if activation == "relu":
        return quadrant(0, 0)
    return quadrant(0, 0) + quadrant(0, 1) + quadrant(1, 0) + quadrant(1, 1)


def _both_below(h: Tensor, k: Tensor, correlation: Tensor) -> Tensor:
    """P(Z₁ ≤ h, Z₂ ≤ k) of standard normal variables of correlation ρ, by the integral of its density over ρ.

    Φ(h)Φ(k) + (1/2π) ∫₀^asin ρ exp(−(h² + k² − 2hk sin t)/(2 cos² t)) dt. Source: Plackett (1954), A reduction formula
    for normal multivariate integrals, Biometrika 41; Drezner and Wesolowsky (1990) for the quadrature.
    """
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(NODES))
    angle = torch.asin(correlation)
    integral = torch.zeros_like(h)
    for node, weight in zip(nodes, weights, strict=True):
        t = angle * (1 + node) / 2
        exponent = -(h * h + k * k - 2 * h * k * torch.sin(t)) / (2 * torch.cos(t).square())
        integral = integral + weight * torch.exp(exponent)
    return torch.special.ndtr(h) * torch.special.ndtr(k) + angle / 2 * integral / (2 * math.pi)
