"""Energies on the fixed point of an equilibrium layer whose contraction factor is set, in one of two norms.

`deq` and `deq_linear` set the spectral norm of W, which is the contraction factor; `deq_frobenius` and
`deq_linear_frobenius` set its Frobenius norm, as published models do: a bound that is loose by up to the root of W's
rank, so that such a layer contracts far more, and is nearly an explicit one.
"""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.exact.activations import ACTIVATIONS, Activation
from bench.point import ProblemSpec
from bench.problems.registry import register
from bench.problems.ridge import Ridge
from bench.problems.weights import linear, normal, orthogonal

PICARD_STEPS, NEWTON_STEPS, CHORD_STEPS = 20, 8, 6
LARGEST_SLOPE = {"softplus": 1.0, "tanh": 1.0, "silu": 1.09983933, "gelu": 1.1289043}  # sup |φ′|
NORMS = {"spectral": 2, "frobenius": "fro"}
SMOOTH = tuple(name for name, activation in ACTIVATIONS.items() if activation.smooth)


class Equilibrium(nn.Module):
    """f(x) = a·z*(x), z* = φ(W z* + U x + b).

    Attributes:
        contraction: a bound on ‖∂layer/∂z‖₂ = ‖diag(φ′)W‖₂ that `project` keeps.
        norm: the norm in which it keeps it, a key of `NORMS`.
    """

    closed_form_orders: ClassVar = {"directional": (1, 2), "laplacian": (2,), "score_matching": "any"}
    largest_order = CHORD_STEPS - 1  # with one more for the parameters

    def __init__(
        self, inner: Tensor, outer: Tensor, bias: Tensor, head: Tensor, activation: str, rho: float, norm: str
    ) -> None:
        super().__init__()
        self.norm = norm
        self.inner, self.outer = nn.Parameter(inner), nn.Parameter(outer)
        self.bias, self.weights = nn.Parameter(bias), nn.Parameter(head)
        self.activation: Activation = ACTIVATIONS[activation]
        self.contraction, self.largest_slope = rho, LARGEST_SLOPE[activation]

    def initial(self, x: Tensor) -> Tensor:
        """Zeros, (B, W)."""
        return x.new_zeros(*x.shape[:-1], len(self.weights))

    def preactivation(self, z: Tensor, x: Tensor) -> Tensor:
        """W z + U x + b, (B, W)."""
        return z @ self.inner.T + x @ self.outer.T + self.bias

    def layer(self, z: Tensor, x: Tensor) -> Tensor:
        """One application, (B, W)."""
        return self.activation.derivative(0, self.preactivation(z, x))

    def head(self, z: Tensor, x: Tensor) -> Tensor:
        """The log-density on top, a·z, (B,)."""
        return z @ self.weights

    def solved(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The fixed point without its history, and (I − ΛW)⁻¹ there: (B, W) and (B, W, W).

        Fixed numbers of Picard and Newton steps, so that no control flow depends on data.
        """
        x = x.detach()
        z = self.initial(x)
        with torch.no_grad():
            for _ in range(PICARD_STEPS):
                z = self.layer(z, x)
            for _ in range(NEWTON_STEPS):
                residual = (z - self.layer(z, x)).unsqueeze(-1)
                z = z - torch.linalg.solve(self._implicit(z, x), residual).squeeze(-1)
            return z, torch.linalg.inv(self._implicit(z, x))

    def fixed_point(self, x: Tensor) -> Tensor:
        """z*(x), (B, W), with derivatives right up to order ``CHORD_STEPS`` in x and the parameters together.

        From the fixed point without history, every chord step z ← z − (I − ΛW)⁻¹(z − layer(z, x)), with the inverse
        held constant, makes one more order of derivatives exact: the error e turns into O(δ·e) for a change δ.
        """
        z, inverse = self.solved(x)
        for _ in range(CHORD_STEPS):
            z = z - (inverse @ (z - self.layer(z, x)).unsqueeze(-1)).squeeze(-1)
        return z

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        return self.head(self.fixed_point(x), x)

    def _implicit(self, z: Tensor, x: Tensor) -> Tensor:
        """I − ΛW, (B, W, W)."""
        slope = self.activation.derivative(1, self.preactivation(z, x))
        return torch.eye(z.shape[-1], dtype=z.dtype, device=z.device) - slope.unsqueeze(-1) * self.inner

    def closed_form(self, quantity: str, order: int, x: Tensor, v: Tensor) -> Tensor:
        """Exact values by implicit differentiation, (B,).

        With q = Wz* + Ux + b and Λ = diag φ′(q): ∂_i z = (I − ΛW)⁻¹ΛU e_i, q_i = W∂_i z + Ue_i, and second derivatives
        sum to (I − ΛW)⁻¹(φ″(q) ⊙ Σ_i q_i²).
        """
        z = self.fixed_point(x)
        q = self.preactivation(z, x)
        slope, curvature = self.activation.derivative(1, q), self.activation.derivative(2, q)
        implicit = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device) - slope.unsqueeze(-1) * self.inner
        outer = self.outer @ v.unsqueeze(-1) if quantity == "directional" else self.outer.expand(len(x), -1, -1)
        first = torch.linalg.solve(implicit, slope.unsqueeze(-1) * outer)  # (B, W, D), or (B, W, 1)
        change = self.inner @ first + outer
        if quantity == "directional" and order == 1:
            return (first.squeeze(-1) * self.weights).sum(-1)
        sums = (curvature * change.square().sum(-1)).unsqueeze(-1)
        second = torch.linalg.solve(implicit, sums).squeeze(-1) @ self.weights
        if quantity != "score_matching":
            return second
        return 0.5 * (first * self.weights.unsqueeze(-1)).sum(-2).square().sum(-1) + second

    @torch.no_grad()
    def project(self) -> None:
        """Bring W back to its contraction factor where a training step has left it."""
        _keep(self.inner, self.contraction / self.largest_slope, self.norm)


class LinearEquilibrium(Ridge):
    """f(x) = a·z*, z* = W z* + φ(U x + b): z* = (I − W)⁻¹φ(Ux + b), a ridge function, so every derivative is known."""

    def __init__(
        self, inner: Tensor, first: nn.Linear, weights: Tensor, activation: str, rho: float, norm: str
    ) -> None:
        nn.Module.__init__(self)
        self.norm = norm
        self.derivative = ACTIVATIONS[activation].derivative
        self.inner, self.first, self.weights = nn.Parameter(inner), first, nn.Parameter(weights)
        self.contraction = rho

    def initial(self, x: Tensor) -> Tensor:
        """Zeros, (B, W)."""
        return x.new_zeros(*x.shape[:-1], len(self.weights))

    def layer(self, z: Tensor, x: Tensor) -> Tensor:
        """One application, (B, W)."""
        return z @ self.inner.T + self.derivative(0, self.first(x))

    def head(self, z: Tensor, x: Tensor) -> Tensor:
        """The log-density on top, a·z, (B,)."""
        return z @ self.weights

    def ridge_parameters(self) -> tuple[nn.Linear, Tensor]:
        """The inner affine map, and (I − W)⁻ᵀ a."""
        identity = torch.eye(len(self.weights), dtype=self.weights.dtype, device=self.weights.device)
        return self.first, torch.linalg.solve((identity - self.inner).T, self.weights)

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        first, outer = self.ridge_parameters()
        return self.derivative(0, first(x)) @ outer

    @torch.no_grad()
    def project(self) -> None:
        """Bring W back to its contraction factor where a training step has left it."""
        _keep(self.inner, self.contraction, self.norm)


def contraction(depth: int) -> float:
    """ρ = depth/(depth + 1): the Neumann series Σρᵏ, the effective number of layers, sums to depth + 1."""
    return depth / (depth + 1)


def _inner(width: int, size: float, norm: str, generator: torch.Generator) -> Tensor:
    """W with ``size`` as its norm: orthogonal, all singular values the same, or gaussian for the Frobenius norm."""
    if norm == "spectral":
        return size * orthogonal(width, width, generator)
    weight = normal(generator, width, width)
    return weight * (size / torch.linalg.matrix_norm(weight))


def _keep(inner: Tensor, bound: float, norm: str) -> None:
    """Divide W, in place, where its norm exceeds the bound."""
    inner.mul_(min(1.0, bound / float(torch.linalg.matrix_norm(inner, NORMS[norm]))))


def _dense(spec: ProblemSpec, rows: Tensor, generator: torch.Generator, norm: str) -> nn.Module:
    rho = contraction(spec.depth)
    inner = _inner(spec.width, rho / LARGEST_SLOPE[spec.activation], norm, generator)
    outer = normal(generator, spec.width, spec.dim)
    outer /= (rows @ outer.T).square().mean().sqrt()
    bias = 0.5 * normal(generator, spec.width)
    head = normal(generator, spec.width) / math.sqrt(spec.width)
    model = Equilibrium(inner, outer, bias, head, spec.activation, rho, norm)
    _scale(model, rows)
    return model


def _linear(spec: ProblemSpec, rows: Tensor, generator: torch.Generator, norm: str) -> nn.Module:
    rho = contraction(spec.depth)
    inner = _inner(spec.width, rho, norm, generator)
    outer = normal(generator, spec.width, spec.dim)
    outer /= (rows @ outer.T).square().mean().sqrt()
    first = linear(outer, 0.5 * normal(generator, spec.width))
    head = normal(generator, spec.width) / math.sqrt(spec.width)
    model = LinearEquilibrium(inner, first, head, spec.activation, rho, norm)
    _scale(model, rows)
    return model


def _scale(model: Equilibrium | LinearEquilibrium, rows: Tensor) -> None:
    """Divide the head, so that ‖∇f‖ has root mean square one."""
    x = rows.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(model.log_density(x).sum(), x)
    with torch.no_grad():
        model.weights.div_(gradient.square().sum(-1).mean().sqrt())


# Activations have to be smooth: at kinks the fixed point has no second derivative.
_family = partial(
    register,
    needs=("function", "score", "equilibrium"),
    reads=("depth", "width", "activation"),
    activations=SMOOTH,
)


@_family("deq")
def build_deq(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """A dense equilibrium layer of ``width`` units with ‖W‖₂·sup|φ′| = depth/(depth + 1)."""
    return _dense(spec, rows, generator, "spectral")


@_family("deq_frobenius")
def build_deq_frobenius(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """The same with ‖W‖_F·sup|φ′| = depth/(depth + 1), W gaussian."""
    return _dense(spec, rows, generator, "frobenius")


@_family("deq_linear")
def build_deq_linear(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """An equilibrium layer linear in z, with ‖W‖₂ = depth/(depth + 1)."""
    return _linear(spec, rows, generator, "spectral")


@_family("deq_linear_frobenius")
def build_deq_linear_frobenius(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """The same with ‖W‖_F = depth/(depth + 1), W gaussian."""
    return _linear(spec, rows, generator, "frobenius")
