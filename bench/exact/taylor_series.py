"""Truncated power series through affine and pointwise layers: directional derivatives of any order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.exact.couplings import Coupling, DiagonalScale, NegativeHalfSquare, Total
from bench.exact.residual import Residual

Series = list[Tensor]  # the coefficients of t⁰, t¹, …, tᵀ


def directional(layers: nn.Sequential, x: Tensor, v: Tensor, order: int) -> Tensor:
    """D^T f(x)[v, …, v] of layers with one output, (B,): T! times the coefficient of tᵀ in f(x + tv)."""
    series = _through(layers, [x, v, *(torch.zeros_like(x) for _ in range(order - 1))])
    return math.factorial(order) * series[order].squeeze(-1)


def bilaplacian_terms(layers: nn.Sequential) -> Any:
    """Δ²f = Σ_i ∂_i⁴f + 2 Σ_{i<j} ∂_i²∂_j²f, by fourth derivatives along e_i, e_i + e_j and e_i − e_j.

    12 ∂_i²∂_j² = D⁴[e_i + e_j] + D⁴[e_i − e_j] − 2∂_i⁴ − 2∂_j⁴; collected, ∂_i⁴ has the weight 1 − (D − 1)/3 and either
    mixed one 1/6.
    """

    def terms(model: nn.Module, x: Tensor, v: Tensor) -> Iterator[Tensor]:
        dim = x.shape[1]
        eye = torch.eye(dim, dtype=x.dtype, device=x.device)
        for i in range(dim):
            others = eye[i + 1 :]
            directions = torch.cat([eye[i : i + 1], eye[i] + others, eye[i] - others])
            weights = torch.full((len(directions), 1), 1.0 / 6.0, dtype=x.dtype, device=x.device)
            weights[0] = 1.0 - (dim - 1) / 3.0
            count = len(directions)
            points = x.repeat(count, 1)
            along = directions.repeat_interleave(len(x), 0)
            yield (weights * directional(layers, points, along, 4).view(count, len(x))).sum(0)

    return terms


def _through(module: nn.Module, u: Series) -> Series:
    if isinstance(module, nn.Sequential):
        for inner in module:
            u = _through(inner, u)
        return u
    if isinstance(module, Residual):
        return [a + b for a, b in zip(u, _through(module.block, u), strict=True)]
    if isinstance(module, Coupling):
        branch = _through(module.block, [c[..., module.source] for c in u])
        return [a + module.placed(b, a.shape[-1]) for a, b in zip(u, branch, strict=True)]
    if isinstance(module, (DiagonalScale, Total)):  # linear
        return [module(c) for c in u]
    if isinstance(module, NegativeHalfSquare):
        return [-0.5 * _product(u, u, k) for k in range(len(u))]
    if isinstance(module, nn.Linear):
        return [module(u[0]), *(c @ module.weight.T for c in u[1:])]
    if type(module) not in _RULES:
        raise NotImplementedError(f"no power series through {type(module).__name__}")
    return _RULES[type(module)](u)


def _product(a: Series, b: Series, k: int) -> Tensor:
    """The coefficient of tᵏ in a·b."""
    return sum((a[j] * b[k - j] for j in range(1, k + 1)), a[0] * b[k])


def _integrate(slope: Series, z: Series, k: int) -> Tensor:
    """The coefficient of tᵏ in the y with y′(t) = slope·z′(t): (1/k) Σ_j j z_j slope_{k−j}."""
    return sum((j * z[j] * slope[k - j] for j in range(2, k + 1)), z[1] * slope[k - 1]) / k


def _sigmoid(z: Series) -> Series:
    s = [torch.sigmoid(z[0])]
    slope: Series = []
    for k in range(1, len(z)):
        slope.append(s[k - 1] - _product(s, s, k - 1))
        s.append(_integrate(slope, z, k))
    return s


def _tanh(z: Series) -> Series:
    t = [torch.tanh(z[0])]
    slope: Series = []
    for k in range(1, len(z)):
        slope.append((1.0 if k == 1 else 0.0) - _product(t, t, k - 1))
        t.append(_integrate(slope, z, k))
    return t


def _softplus(z: Series) -> Series:
    s = _sigmoid(z)
    return [nn.functional.softplus(z[0]), *(_integrate(s, z, k) for k in range(1, len(z)))]


def _silu(z: Series) -> Series:
    s = _sigmoid(z)
    return [_product(z, s, k) for k in range(len(z))]


def _exp(z: Series) -> Series:
    e = [torch.exp(z[0])]
    for k in range(1, len(z)):
        e.append(_integrate(e, z, k))
    return e


def _gelu(z: Series) -> Series:
    density = [c / math.sqrt(2.0 * math.pi) for c in _exp([-0.5 * _product(z, z, k) for k in range(len(z))])]
    cdf = [0.5 * torch.erfc(-z[0] / math.sqrt(2.0)), *(_integrate(density, z, k) for k in range(1, len(z)))]
    return [_product(z, cdf, k) for k in range(len(z))]


def _relu(z: Series) -> Series:
    return [torch.where(z[0] > 0, c, torch.zeros_like(c)) for c in z]


def _elu(z: Series) -> Series:
    below = _exp([torch.clamp(z[0], max=0.0), *z[1:]])
    below[0] = below[0] - 1.0
    return [torch.where(z[0] > 0, above, c) for above, c in zip(z, below, strict=True)]


_RULES = {
    nn.Tanh: _tanh,
    nn.Softplus: _softplus,
    nn.SiLU: _silu,
    nn.GELU: _gelu,
    nn.ReLU: _relu,
    nn.ELU: _elu,
}
