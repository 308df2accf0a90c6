"""Derivatives of functions with kinks, under Gaussian noise on x, by Stein's identity: kinks are counted rightly.

For ELU and ReLU the derivative in θ that automatic differentiation gives is not that of the expected objective: φ″ (or
φ′ already) jumps, the surface on which it does moves with θ, and what moves across it is missing. At given points there
is nothing to be right about: the objective of a finite batch jumps in θ. Under noise on the rows, however small, it is
smooth, and Stein's identity moves the derivatives in x that are too many from f to the noise:

    E[∂ᵀ f(x + σz)[v…v]] = E[v·∇f(x + σz) He_{T−1}(v·z)] / σ^{T−1},    E[Δf(x + σz)] = E[∇f(x + σz)·z] / σ.

What is left to differentiate in θ, ∇f, is continuous for ELU, so automatic differentiation is right. For ReLU it jumps:
there φ is convolved with a normal density, h = ``WIDTH`` times as wide as the noise that reaches the pre-activation,
and once more with one of twice that, and the O(h²) is extrapolated away. On nets of one hidden layer, where
`bench.exact.one_hidden_layer` has a formula, what is left of it is below 1 % (h alone: 3 %).
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

WIDTH = 0.1
WIDENING_ERROR = 0.01  # relative, of the gradient


class WideReLU(nn.Module):
    """E max(z + hξ, 0) = zΦ(z/h) + h p(z/h), ξ and p standard normal."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.width = width

    def forward(self, z: Tensor) -> Tensor:
        """Pointwise."""
        t = z / self.width
        return z * torch.special.ndtr(t) + self.width * torch.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi)


def widened(model: nn.Module, x: Tensor, noise: float, width: float = WIDTH) -> nn.Module:
    """The model with every ReLU widened, on the same parameters.

    Args:
        model: its kinks are all in ``nn.ReLU`` modules.
        x: rows, (B, D), at which the noise that reaches each ReLU is measured.
        noise: σ.
        width: h, as a part of that noise; of the least, for a module that is called several times.

    Raises:
        NotImplementedError: it has no such modules.
    """
    z = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    names = [name for name, module in model.named_modules() if isinstance(module, nn.ReLU)]
    if not names:
        raise NotImplementedError(f"{type(model).__name__} has kinks that are in no nn.ReLU module: no reference")
    first, second = (_inputs(model, names, x + side * noise * z) for side in (1.0, -1.0))
    spreads = {
        name: min(float((a - b).square().mean().sqrt() / 2) for a, b in zip(first[name], second[name], strict=True))
        for name in names
        if first[name]
    }
    places = [name for name, module in model.named_modules(remove_duplicate=False) if isinstance(module, nn.ReLU)]
    names_of = {id(model.get_submodule(name)): name for name in names}
    copied = copy.deepcopy(model, {id(p): p for p in (*model.parameters(), *model.buffers())})  # shares the tensors
    for place in places:  # a shared module has several
        name = names_of[id(model.get_submodule(place))]
        if name in spreads:
            parent = copied.get_submodule(place.rpartition(".")[0])
            setattr(parent, place.rpartition(".")[2], WideReLU(width * spreads[name]))
    return copied


def _inputs(model: Any, names: list[str], x: Tensor) -> dict[str, list[Tensor]]:
    """What reaches the named modules, call by call."""
    found: dict[str, list[Tensor]] = {name: [] for name in names}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            found[name].append(arguments[0].detach())

        return hook

    hooks = [model.get_submodule(name).register_forward_pre_hook(keep(name)) for name in names]
    try:
        with torch.no_grad():
            (model.log_density if hasattr(model, "log_density") else model.score)(x)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def draw(model: Any, quantity: str, order: int, x: Tensor, v: Tensor, noise: float, z: Tensor) -> Tensor:
    """One draw of the values, (B,), whose mean over z is the quantity at x + σz, and differentiable in θ rightly.

    ±z are taken together, which removes the O(1/σ) part of the noise.

    Args:
        model: with a continuous score: ELU, or widened ReLU; or a vector field that is continuous.
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
        hermite = _hermite(order - 1, (v * z).sum(-1)) / noise ** (order - 1)
        if order % 2 == 0:
            return 0.5 * (along - mirrored) * hermite
        centre = (_score(model, x) * v).sum(-1) if order > 1 else 0.0
        return (0.5 * (along + mirrored) - centre) * hermite
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


def _hermite(n: int, r: Tensor) -> Tensor:
    """He_n(r) by He_{n+1} = r He_n − n He_{n−1}."""
    before, value = torch.zeros_like(r), torch.ones_like(r)
    for k in range(n):
        before, value = value, r * value - k * before
    return value
