"""`trace_gradient`: the gradient of a trace along one direction, v·∇Δq of a network q, for every Laplacian estimator.

Derivatives commute: v·∇Δq = Δ(v·∇q). So an estimator of Laplacians, run on f = v·∇q instead of q, gives that
third-order term, which a Score-PINN's residual contains, and which is linear in what it estimates.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.exact.activations import ACTIVATIONS
from bench.point import ProblemSpec
from bench.problems.energy import LayeredEnergy
from bench.problems.mlp import build_mlp
from bench.problems.registry import register
from bench.problems.weights import normal

SMOOTH = tuple(name for name, activation in ACTIVATIONS.items() if activation.smooth)


class DirectionalEnergy(nn.Module):
    """f(x) = v·∇q(x), by forward mode through the layers of q: a plain function, of plain operations."""

    direction: Tensor

    def __init__(self, energy: nn.Sequential, activation: str, direction: Tensor) -> None:
        super().__init__()
        self.energy, self.activation = energy, activation
        self.register_buffer("direction", direction)

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        derivative = ACTIVATIONS[self.activation].derivative
        tangent = self.direction
        for layer in self.energy:
            if isinstance(layer, nn.Linear):
                x, tangent = layer(x), tangent @ layer.weight.T
            else:
                x, tangent = layer(x), derivative(1, x) * tangent
        return tangent.squeeze(-1)


@register(
    "trace_gradient",
    quantities=("directional", "laplacian"),
    needs=("function",),
    reads=("depth", "width", "activation"),
    activations=SMOOTH,
)
def build_trace_gradient(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """The energy of `mlp`, and one direction v ~ N(0, I): v·∇Δq has the mean square ‖∇Δq‖² over directions."""
    energy = build_mlp(spec, rows, generator)
    assert isinstance(energy, LayeredEnergy)
    return DirectionalEnergy(energy.layers, spec.activation, normal(generator, spec.dim))
