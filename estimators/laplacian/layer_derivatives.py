"""First and second derivatives of every layer of a sequential network, for estimators that sweep back through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from estimators.protocols import is_plain

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
    """y = W h + b, with W: (out, in), or (width,) for a diagonal one."""

    weight: Tensor

    def pull(self, g: Tensor) -> Tensor:
        """Wᵀ g for (…, out) to (…, in)."""
        return g @ self.weight if self.weight.dim() == 2 else g * self.weight

    def pull_squared(self, h: Tensor) -> Tensor:
        """(W∘W)ᵀ h."""
        return h @ self.weight**2 if self.weight.dim() == 2 else h * self.weight**2


@dataclass(frozen=True)
class Pointwise:
    """y = φ(h), entry by entry, with φ′(h) and φ″(h), each (B, width)."""

    slope: Tensor
    bend: Tensor

    def pull(self, g: Tensor) -> Tensor:
        """φ′ ∘ g."""
        return self.slope * g

    def pull_squared(self, h: Tensor) -> Tensor:
        """φ′² ∘ h."""
        return self.slope**2 * h


@dataclass(frozen=True)
class Skip:
    """y = h + b(h[source]) at the entries ``target``, with the derivatives of the layers of b."""

    steps: list[Affine | Pointwise | Skip]
    source: slice
    target: slice
    width: int

    def place(self, t: Tensor) -> Tensor:
        """Entries of ``source``, (…, its length), among zeros, (…, width)."""
        return _among_zeros(t, self.source, self.width)


Step = Affine | Pointwise | Skip
State = tuple[Tensor, ...]


def layer_derivatives(layers: nn.Sequential, x: Tensor) -> list[Step]:
    """Run the network on x, (B, D), and keep what a backward sweep needs of each layer, in order.

    The layers are those of the protocol ``layers`` (`estimators.protocols`). The derivatives of a pointwise one come
    from reverse mode through that layer alone, so any activation will do. They are differentiable in θ where gradients
    are enabled, and detached where not.

    Raises:
        NotImplementedError: a layer is neither affine, nor pointwise, nor a skip, or the last one does not end in one
            output.
    """
    h, steps = _run(layers, x, torch.is_grad_enabled())
    if h.shape != (x.shape[0], 1):
        raise NotImplementedError(f"needs layers that end in one output; these give {tuple(h.shape)}")
    return steps


def sweep_back(steps: list[Step], state: State, through: Callable[[Affine | Pointwise, State], State]) -> State:
    """Carry a state of tensors (…, width) from the output back to the input.

    Args:
        steps: the derivatives of the layers.
        state: what is carried, at the output.
        through: (layer, state at its output) → state at its input. At a skip, what comes back through its layers is
            added to what passes beside them: right for anything that is linear in the state but for what the layers
            themselves add to it.
    """
    for step in reversed(steps):
        if isinstance(step, Skip):
            inner = sweep_back(step.steps, tuple(t[..., step.target] for t in state), through)
            state = tuple(t + step.place(part) for t, part in zip(state, inner, strict=True))
        else:
            state = through(step, state)
    return state


def score(steps: list[Step], x: Tensor) -> Tensor:
    """∇f by a backward sweep, (B, D)."""
    (g,) = sweep_back(steps, (x.new_ones((x.shape[0], 1)),), lambda step, state: (step.pull(state[0]),))
    return g


def _run(layers: nn.Sequential, h: Tensor, create_graph: bool) -> tuple[Tensor, list[Step]]:
    steps: list[Step] = []
    for layer in layers:
        block = getattr(layer, "block", None)
        jacobian = layer.weight if is_plain(layer, nn.Linear) else getattr(layer, "jacobian", None)
        if isinstance(jacobian, Tensor):
            steps.append(Affine(jacobian))
            h = layer(h)
        elif isinstance(layer, nn.Identity):
            continue
        elif isinstance(layer, POINTWISE) or getattr(layer, "pointwise", False) is True:
            h, slope, bend = _pointwise(layer, h, create_graph)
            steps.append(Pointwise(slope, bend))
        elif getattr(layer, "skip", False) is True and isinstance(block, nn.Sequential) and is_plain(block):
            source, target = (_contiguous(layer, name) for name in ("source", "target"))
            out, inner = _run(block, h[..., source], create_graph)
            steps.append(Skip(inner, source, target, h.shape[-1]))
            h = h + _among_zeros(out, target, h.shape[-1])
        elif isinstance(layer, nn.Sequential) and is_plain(layer):
            h, inner = _run(layer, h, create_graph)
            steps += inner
        else:
            raise NotImplementedError(
                "needs layers that are nn.Linear or pointwise (an activation of torch.nn, or a module whose attribute "
                "pointwise is true), or skips (a module whose attribute skip is true, with an nn.Sequential as block); "
                f"got {type(layer).__name__}{_own_forward(layer)}"
            )
    return h, steps


def _own_forward(layer: nn.Module) -> str:
    return " with a forward of its own" if isinstance(layer, (nn.Linear, nn.Sequential)) else ""


def _contiguous(layer: nn.Module, name: str) -> slice:
    entries = getattr(layer, name, slice(None))
    if not isinstance(entries, slice) or entries.step not in (None, 1):
        raise NotImplementedError(f"{name} of a skip has to be a slice without a step; got {entries!r}")
    return entries


def _among_zeros(t: Tensor, entries: slice, width: int) -> Tensor:
    start, stop, _ = entries.indices(width)
    return nn.functional.pad(t, (start, width - stop))


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
