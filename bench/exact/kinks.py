"""Derivatives of functions with kinks, under Gaussian noise on x, by Stein's identity: kinks are counted rightly.

For ELU and ReLU the derivative in θ that automatic differentiation gives is not that of the expected objective: φ″ (or
φ′ already) jumps, the surface on which it does moves with θ, and what moves across it is missing. At given points there
is nothing to be right about: the objective of a finite batch jumps in θ. Under noise on the rows, however small, it is
smooth, and Stein's identity moves the derivatives in x that are too many from f to the noise:

    E[∂ᵀ f(x + σz)[v…v]] = E[v·∇f(x + σz) He_{T−1}(v·z)] / σ^{T−1},    E[Δf(x + σz)] = E[∇f(x + σz)·z] / σ.

What is left to differentiate in θ, ∇f, is continuous for ELU, so automatic differentiation is right. For ReLU it jumps,
and `bench.exact.lines` takes the mean along lines, where its pieces are known.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bench.exact.lines import hermite


def draw(model: Any, quantity: str, order: int, x: Tensor, v: Tensor, noise: float, z: Tensor) -> Tensor:
    """One draw of the values, (B,), whose mean over z is the quantity at x + σz, and differentiable in θ rightly.

    ±z are taken together, which removes the O(1/σ) part of the noise.

    Args:
        model: with a continuous score: an energy of ELU, or a vector field of ReLU.
        quantity: directional, laplacian (order 2) or score_matching.
        order: T.
        x: (B, D).
        v: (B, D), for a directional derivative.
        noise: σ.
        z: (B, D), standard normal.

    Raises:
        NotImplementedError: another quantity or order.
    """
    here, there = _score(model, x + noise * z), _score(model, x - noise * z)
    if quantity == "directional" and order >= 1:
        along, mirrored = (here * v).sum(-1), (there * v).sum(-1)
        polynomial = hermite(order - 1, (v * z).sum(-1)) / noise ** (order - 1)
        if order % 2 == 0:
            return 0.5 * (along - mirrored) * polynomial
        centre = (_score(model, x) * v).sum(-1) if order > 1 else 0.0
        return (0.5 * (along + mirrored) - centre) * polynomial
    trace = ((here - there) * z).sum(-1) / (2 * noise)
    if quantity == "laplacian" and order == 2:
        return trace
    if quantity == "score_matching":
        return 0.25 * (here.square() + there.square()).sum(-1) + trace
    raise NotImplementedError(f"no {quantity} of order {order} of a function with kinks")


def _score(model: Any, x: Tensor) -> Tensor:
    if hasattr(model, "score"):
        return model.score(x)
    x = x.detach().requires_grad_(True)
    (s,) = torch.autograd.grad(model.log_density(x).sum(), x, create_graph=True)
    return s
