"""Values, Jacobians and Laplacians pushed forward together through affine and pointwise layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.exact.activations import of_module
from bench.exact.couplings import Coupling, DiagonalScale, NegativeHalfSquare, Total
from bench.exact.residual import Residual


@dataclass(frozen=True)
class Pushed:
    """What has been pushed to a layer: h, its Jacobian's columns and its Laplacian.

    Attributes:
        h: (B, W), the layer.
        columns: (B, W, C), or (W, C) while they do not depend on the row: ∂h/∂x = columns · basis.
        laplacian: (B, W), Σ_i ∂²h/∂x_i².
        gram: (C, C), basis · basisᵀ; None for an orthonormal basis.
    """

    h: Tensor
    columns: Tensor
    laplacian: Tensor
    gram: Tensor | None

    @property
    def squared_norms(self) -> Tensor:
        """Σ_i (∂h/∂x_i)², (B, W) or (W,)."""
        if self.gram is None:
            return self.columns.square().sum(-1)
        return ((self.columns @ self.gram) * self.columns).sum(-1)


def passes(module: nn.Module) -> bool:
    """Whether there is a rule for the module and all that is in it."""
    if isinstance(module, nn.Sequential):
        return all(passes(inner) for inner in module)
    if isinstance(module, (Residual, Coupling)):
        return passes(module.block)
    known = isinstance(module, (nn.Linear, DiagonalScale, NegativeHalfSquare, Total))
    return known or of_module(module) is not None


def push(layers: nn.Sequential, x: Tensor, directions: Tensor | None = None) -> Pushed:
    """Push (h, J, Δh) through the layers.

    Affine W: h ← Wh + b, J ← WJ, Δ ← WΔ. Pointwise φ: Δ ← φ′Δ + φ″ Σ_i J_i², J ← φ′J, h ← φ(h).

    Where D exceeds the width W₁ of a first affine layer, J = J₁·W₁ is held as its W₁ columns J₁, with the Gram matrix
    W₁W₁ᵀ giving norms: W₁ + 2 vectors a unit instead of D + 2. No factorisation, so any weight, rank-deficient ones
    too, differentiates rightly.

    Args:
        layers: affine and pointwise layers and residual blocks of them.
        x: (B, D).
        directions: (D, M); then the "Laplacian" is Σ_m of second derivatives along them, and not exact.

    Returns:
        The pushed state at the output.

    Raises:
        NotImplementedError: a layer is none of these.
    """
    modules = list(layers)
    zeros = torch.zeros_like(x)
    first = modules[0]
    if directions is not None:
        state = Pushed(x, directions, zeros, None)
    elif isinstance(first, nn.Linear) and first.out_features < x.shape[1]:
        h = first(x)
        identity = torch.eye(h.shape[1], dtype=x.dtype, device=x.device)
        state = Pushed(h, identity, torch.zeros_like(h), first.weight @ first.weight.T)
        modules = modules[1:]
    else:
        state = Pushed(x, torch.eye(x.shape[1], dtype=x.dtype, device=x.device), zeros, None)
    for module in modules:
        state = _through(module, state)
    return state


def _through(module: nn.Module, state: Pushed) -> Pushed:
    if isinstance(module, nn.Sequential):
        for inner in module:
            state = _through(inner, state)
        return state
    if isinstance(module, Residual):
        branch = _through(module.block, state)
        return Pushed(
            state.h + branch.h, state.columns + branch.columns, state.laplacian + branch.laplacian, state.gram
        )
    if isinstance(module, nn.Linear):
        return Pushed(module(state.h), module.weight @ state.columns, state.laplacian @ module.weight.T, state.gram)
    if isinstance(module, Coupling):
        source, width = module.source, state.h.shape[-1]
        part = Pushed(state.h[..., source], state.columns[..., source, :], state.laplacian[..., source], state.gram)
        branch = _through(module.block, part)
        return Pushed(
            state.h + module.placed(branch.h, width),
            state.columns + module.placed(branch.columns, width, dim=-2),
            state.laplacian + module.placed(branch.laplacian, width),
            state.gram,
        )
    if isinstance(module, DiagonalScale):
        a = module.jacobian
        return Pushed(state.h * a, state.columns * a.unsqueeze(-1), state.laplacian * a, state.gram)
    if isinstance(module, NegativeHalfSquare):
        laplacian = -state.h * state.laplacian - state.squared_norms
        return Pushed(module(state.h), -state.h.unsqueeze(-1) * state.columns, laplacian, state.gram)
    if isinstance(module, Total):
        return Pushed(module(state.h), state.columns.sum(-2, True), module(state.laplacian), state.gram)
    activation = of_module(module)
    if activation is None:
        raise NotImplementedError(f"no forward Laplacian through {type(module).__name__}")
    slope, curvature = activation.derivative(1, state.h), activation.derivative(2, state.h)
    laplacian = slope * state.laplacian + curvature * state.squared_norms
    return Pushed(activation.derivative(0, state.h), slope.unsqueeze(-1) * state.columns, laplacian, state.gram)


def laplacian(layers: nn.Sequential, x: Tensor) -> Tensor:
    """Δf of layers with one output, (B,)."""
    return push(layers, x).laplacian.squeeze(-1)


def score_matching_of_energy(layers: nn.Sequential, x: Tensor) -> Tensor:
    """½‖∇f‖² + Δf of layers with one output, (B,)."""
    state = push(layers, x)
    return (0.5 * state.squared_norms + state.laplacian).squeeze(-1)


def score_matching_of_field(layers: nn.Sequential, x: Tensor) -> Tensor:
    """½‖s‖² + tr ∂s/∂x of layers with D outputs, (B,), for first and last layers that are affine.

    Where D exceeds the first layer's width, tr(W_out A W_in) = Σ_jk A_jk (W_in W_out)_kj with A = ∂h_last/∂z_first;
    else the trace of the pushed Jacobian.
    """
    modules = list(layers)
    first, last = modules[0], modules[-1]
    if not isinstance(first, nn.Linear) or not isinstance(last, nn.Linear):
        raise NotImplementedError("a trace by layers needs affine first and last layers")
    if first.out_features >= x.shape[1]:
        s, columns = jacobian(modules, x, torch.eye(x.shape[1], dtype=x.dtype, device=x.device))
        return 0.5 * s.square().sum(-1) + torch.diagonal(columns, dim1=-2, dim2=-1).sum(-1)
    z = first(x)
    h, columns = jacobian(modules[1:-1], z, torch.eye(z.shape[1], dtype=x.dtype, device=x.device))
    trace = (columns * (first.weight @ last.weight).T).sum((-2, -1))
    return 0.5 * last(h).square().sum(-1) + trace


def jacobian(modules: Iterable[nn.Module], h: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """The output of layers, and its Jacobian in h times ``columns``, (B, W, C)."""
    for module in modules:
        if isinstance(module, nn.Sequential):
            h, columns = jacobian(module, h, columns)
        elif isinstance(module, Residual):
            branch, branch_columns = jacobian([module.block], h, columns)
            h, columns = h + branch, columns + branch_columns
        elif isinstance(module, nn.Linear):
            h, columns = module(h), module.weight @ columns
        elif (activation := of_module(module)) is not None:
            columns = activation.derivative(1, h).unsqueeze(-1) * columns
            h = activation.derivative(0, h)
        else:
            raise NotImplementedError(f"no Jacobian by layers through {type(module).__name__}")
    return h, columns
