"""Pointwise nonlinearities, with derivatives of every order by formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

Derivative = Callable[[int, Tensor], Tensor]


@dataclass(frozen=True)
class Activation:
    """A nonlinearity φ.

    Attributes:
        module: makes the layer.
        derivative: (n, z) → φ⁽ⁿ⁾(z), n ≥ 0, differentiable in z.
        continuous: how many derivatives of φ are continuous. Beyond those, differentiation in θ leaves out what happens
            at the kinks, and is not the derivative of the objective.
    """

    module: Callable[[], nn.Module]
    derivative: Derivative
    continuous: float = math.inf

    @property
    def smooth(self) -> bool:
        """Whether φ has all derivatives."""
        return self.continuous == math.inf


def polynomial(coefficients: list[float], t: Tensor) -> Tensor:
    """Σ_k c_k tᵏ by Horner's rule."""
    value = torch.zeros_like(t)
    for c in reversed(coefficients):
        value = value * t + c
    return value


def _times(p: list[float], q: list[float]) -> list[float]:
    product = [0.0] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            product[i + j] += a * b
    return product


def _slope(p: list[float]) -> list[float]:
    return [k * c for k, c in enumerate(p)][1:] or [0.0]


def sigmoid_derivative(n: int, z: Tensor) -> Tensor:
    """σ⁽ⁿ⁾ as a polynomial in σ: p₀(s) = s, pₙ₊₁ = pₙ′·s(1 − s)."""
    p = [0.0, 1.0]
    for _ in range(n):
        p = _times(_slope(p), [0.0, 1.0, -1.0])
    return polynomial(p, torch.sigmoid(z))


def tanh_derivative(n: int, z: Tensor) -> Tensor:
    """tanh⁽ⁿ⁾ as a polynomial in tanh: p₀(t) = t, pₙ₊₁ = pₙ′·(1 − t²)."""
    p = [0.0, 1.0]
    for _ in range(n):
        p = _times(_slope(p), [1.0, 0.0, -1.0])
    return polynomial(p, torch.tanh(z))


def softplus_derivative(n: int, z: Tensor) -> Tensor:
    """log(1 + eᶻ), whose derivative is the sigmoid."""
    return sigmoid_derivative(n - 1, z) if n else torch.nn.functional.softplus(z)


def silu_derivative(n: int, z: Tensor) -> Tensor:
    """(z·σ)⁽ⁿ⁾ = z·σ⁽ⁿ⁾ + n·σ⁽ⁿ⁻¹⁾."""
    value = z * sigmoid_derivative(n, z)
    return value + n * sigmoid_derivative(n - 1, z) if n else value


def normal_cdf_derivative(n: int, z: Tensor) -> Tensor:
    """Φ⁽ⁿ⁾ = p(z)·e^(−z²/2)/√(2π), with p₁ = 1 and pₙ₊₁ = pₙ′ − z·pₙ."""
    if n == 0:
        return 0.5 * (1.0 + torch.erf(z / math.sqrt(2.0)))
    p = [1.0]
    for _ in range(n - 1):
        shifted = [0.0, *p]
        p = [a - b for a, b in zip([*_slope(p), *[0.0] * len(shifted)], shifted, strict=False)]
    return polynomial(p, z) * torch.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def gelu_derivative(n: int, z: Tensor) -> Tensor:
    """(z·Φ)⁽ⁿ⁾ = z·Φ⁽ⁿ⁾ + n·Φ⁽ⁿ⁻¹⁾."""
    value = z * normal_cdf_derivative(n, z)
    return value + n * normal_cdf_derivative(n - 1, z) if n else value


def elu_derivative(n: int, z: Tensor) -> Tensor:
    """The identity and its derivatives where z > 0, else eᶻ − 1 and its derivatives."""
    below = torch.exp(torch.clamp(z, max=0.0)) - (1.0 if n == 0 else 0.0)
    above = z if n == 0 else torch.full_like(z, 1.0 if n == 1 else 0.0)
    return torch.where(z > 0, above, below)


def relu_derivative(n: int, z: Tensor) -> Tensor:
    """max(z, 0), its step, and zero; nothing at the kink."""
    if n == 0:
        return torch.relu(z)
    return (z > 0).to(z.dtype) if n == 1 else torch.zeros_like(z)


ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "softplus": Activation(nn.Softplus, softplus_derivative),
        "tanh": Activation(nn.Tanh, tanh_derivative),
        "silu": Activation(nn.SiLU, silu_derivative),
        "gelu": Activation(nn.GELU, gelu_derivative),
        "elu": Activation(nn.ELU, elu_derivative, continuous=1),
        "relu": Activation(nn.ReLU, relu_derivative, continuous=0),
    }
)

_BY_MODULE = {activation.module: activation for activation in ACTIVATIONS.values()}


def of_module(module: nn.Module) -> Activation | None:
    """The activation that ``module`` computes with its default settings, or None."""
    activation = _BY_MODULE.get(type(module))
    return activation if activation is not None and str(module) == str(activation.module()) else None
