"""`ridge`: Σ_j a_j φ(w_j·x + b_j), whose derivatives of every order and in any dimension have a formula."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.exact.activations import ACTIVATIONS
from bench.point import ProblemSpec
from bench.problems.energy import LayeredEnergy
from bench.problems.registry import register
from bench.problems.weights import linear, normal


class Ridge(LayeredEnergy):
    """One hidden layer, with its derivatives by formula.

    D^T f[v,…,v] = Σ_j a_j φ⁽ᵀ⁾(z_j)(w_j·v)ᵀ and Δᵐf = Σ_j a_j φ⁽²ᵐ⁾(z_j)‖w_j‖²ᵐ, with z = Wx + b.
    """

    closed_form_orders: ClassVar = {"directional": "any", "laplacian": "any", "score_matching": "any"}

    def __init__(self, layers: nn.Sequential, activation: str) -> None:
        super().__init__(layers)
        self.derivative = ACTIVATIONS[activation].derivative

    def ridge_parameters(self) -> tuple[nn.Linear, Tensor]:
        """The inner affine map, and the outer weights a, (W,)."""
        inner, _, outer = self.layers
        assert isinstance(inner, nn.Linear) and isinstance(outer, nn.Linear)
        return inner, outer.weight[0]

    def closed_form(self, quantity: str, order: int, x: Tensor, v: Tensor) -> Tensor:
        """The exact values by formula, (B,)."""
        inner, outer = self.ridge_parameters()
        z = inner(x)
        if quantity == "directional":
            return (outer * self.derivative(order, z) * (v @ inner.weight.T) ** order).sum(-1)
        squared_norms = inner.weight.square().sum(-1)
        if quantity == "laplacian":
            return (outer * self.derivative(order, z) * squared_norms ** (order // 2)).sum(-1)
        score = (outer * self.derivative(1, z)) @ inner.weight
        return 0.5 * score.square().sum(-1) + (outer * self.derivative(2, z) * squared_norms).sum(-1)


@register("ridge", needs=("function", "score", "layers"), reads=("width", "activation"))
def build_ridge(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """One hidden layer, whatever the depth: w_j·x of root mean square one on the rows, b_j ~ N(0, ½²).

    The output weights are sized so that ‖∇f‖ has root mean square one on the rows.
    """
    weight = normal(generator, spec.width, spec.dim)
    weight /= (rows @ weight.T).square().mean().sqrt()
    bias = 0.5 * normal(generator, spec.width)
    outer = normal(generator, 1, spec.width) / math.sqrt(spec.width)
    activation = ACTIVATIONS[spec.activation]
    slopes = activation.derivative(1, rows @ weight.T + bias)
    outer /= ((outer * slopes) @ weight).square().sum(-1).mean().sqrt()
    zero = torch.zeros(1, dtype=torch.float64)
    return Ridge(nn.Sequential(linear(weight, bias), activation.module(), linear(outer, zero)), spec.activation)
