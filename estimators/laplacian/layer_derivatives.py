"""First and second derivatives of every layer of a sequential network, for estimators that sweep back through it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

POINTWISE = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.Mish,
    nn.ReLU,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Softsign,
    nn.Tanh,
    nn.Tanhshrink,
)


@dataclass(frozen=True)
class Affine:
    """y = W h + b, with W: (out, in)."""

    weight: Tensor

    def pull(self, g: Tensor) -> Tensor:
        """Wᵀ g for (…, out) to (…, in)."""
        return g @ self.weight

    def pull_squared(self, h: Tensor) -> Tensor:
        """(W∘W)ᵀ h."""
        return h @ self.weight**2


@dataclass(frozen=True)
class Pointwise:
    """y = φ(h), entry by entry, with φ′(h) and φ″(h), each (B, width)."""

    slope: Tensor
    bend: Tensor


def layer_derivatives(layers: nn.Sequential, x: Tensor) -> list[Affine | Pointwise]:
    """Run the network on x, (B, D), and keep what a backward sweep needs of each layer, in order.

    The derivatives of a pointwise layer come from reverse mode through that layer alone, so any activation will do.
    They are differentiable in θ where gradients are enabled, and detached where not.

    Raises:
        NotImplementedError: a layer is neither affine nor pointwise, or the last one does not end in one output.
    """
    create_graph = torch.is_grad_enabled()
    steps: list[Affine | Pointwise] = []
    h = x
    for layer in layers:
        if isinstance(layer, nn.Linear):
            steps.append(Affine(layer.weight))
            h = layer(h)
        elif isinstance(layer, nn.Identity):
            continue
        elif isinstance(layer, POINTWISE) or getattr(layer, "pointwise", False):
            h, slope, bend = _pointwise(layer, h, create_graph)
            steps.append(Pointwise(slope, bend))
        else:
            raise NotImplementedError(
                f"needs layers that are nn.Linear or pointwise (an activation of torch.nn, or a module whose attribute "
                f"pointwise is true); got {type(layer).__name__}"
            )
    if h.shape != (x.shape[0], 1):
        raise NotImplementedError(f"needs layers that end in one output; these give {tuple(h.shape)}")
    return steps


def score(steps: list[Affine | Pointwise], x: Tensor) -> Tensor:
    """∇f by a backward sweep, (B, D)."""
    g = x.new_ones((x.shape[0], 1))
    for step in reversed(steps):
        g = step.pull(g) if isinstance(step, Affine) else step.slope * g
    return g


def _pointwise(layer: nn.Module, h: Tensor, create_graph: bool) -> tuple[Tensor, Tensor, Tensor]:
    with torch.enable_grad():
        h = h if create_graph and h.requires_grad else h.detach().requires_grad_(True)
        y = layer(h)
        (slope,) = torch.autograd.grad(y.sum(), h, create_graph=True)
        if slope.requires_grad:
            (bend,) = torch.autograd.grad(
                slope.sum(), h, create_graph=create_graph, retain_graph=True, materialize_grads=True
            )
        else:
            bend = torch.zeros_like(h)
    return (y, slope, bend) if create_graph else (y.detach(), slope.detach(), bend.detach())
