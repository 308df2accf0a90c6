"""Activation functions: recurrences from their differential equations, in O(K²) products.

Float32 keeps its digits in the tails because nothing is formed as 1 minus a number close to 1: tanh' = sech² comes from
two sigmoids, and σ' = σ(u) σ(−u).
"""

# ruff: noqa: D103 (a rule does what the operation it is named after does)

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from estimators.taylor.frame import Coefficients, Frame, add, negate
from estimators.taylor.pointwise import Pointwise, chain, weighted
from estimators.taylor.series import Series, rule


def sech2(u: Tensor) -> Tensor:
    """sech² u = 4 σ(2u) σ(−2u), to full relative accuracy in both tails and smooth at 0."""
    twice = 2 * u
    return torch.sigmoid(twice) * torch.sigmoid(-twice) * 4


def _tanh(u: Coefficients, frame: Frame, last: bool):
    """Z' = s u' with s = 1 − z²; s_0 = sech² u_0."""
    z: Coefficients = [torch.tanh(u[0])]
    s: Coefficients = [sech2(u[0])]
    for k in range(1, frame.order + 1):
        z.append(frame.integrate(u, s, k))
        if k < frame.order or last:
            s.append(frame.square(z, k, scale=-1))
    return z, s


def _tanh_derivatives(u0: Tensor):
    z, s = torch.tanh(u0), sech2(u0)
    second = -2 * z * s
    return s, second, lambda: -2 * (s * s + z * second)


def _logistic(u: Coefficients, frame: Frame, last: bool):
    """σ' = q u' with q = σ(1 − σ): q_k = (1 − 2σ_0) σ_k − Σ_{0<i<k} σ_i σ_{k−i}, and 1 − 2σ_0 = −tanh(u_0/2)."""
    sigma: Coefficients = [torch.sigmoid(u[0])]
    q: Coefficients = [sigma[0] * torch.sigmoid(-u[0])]
    odd = -torch.tanh(u[0] / 2)
    for k in range(1, frame.order + 1):
        sigma.append(frame.integrate(u, q, k))
        if k < frame.order or last:
            q.append(add(weighted(sigma[k], odd), frame.square(sigma, k, scale=-1, ends=False)))
    return sigma, q


def _logistic_derivatives(u0: Tensor):
    q = torch.sigmoid(u0) * torch.sigmoid(-u0)
    odd = -torch.tanh(u0 / 2)
    return q, q * odd, lambda: q * (odd * odd - 2 * q)


def _softplus(u: Coefficients, frame: Frame, last: bool):
    """Z' = σ u'."""
    sigma, _ = _logistic(u, frame, False)
    return chain(u, sigma, frame, F.softplus(u[0])), sigma


def _softplus_derivatives(u0: Tensor):
    sigma = torch.sigmoid(u0)
    q = torch.sigmoid(-u0).mul_(sigma)
    return sigma, q, lambda: torch.addcmul(q, q, sigma, value=-2)


def _times_argument(u: Coefficients, frame: Frame, p: Coefficients, dp: Coefficients, value: Tensor, last: bool):
    """Z = u p(u), with z' = (p + u p') u'."""
    z = [value, *(frame.convolve(u, p, k) for k in range(1, frame.order + 1))]
    slope = [add(p[k], frame.convolve(u, dp, k)) for k in (0, *frame.orders(last))]
    return z, slope


def _silu(u: Coefficients, frame: Frame, last: bool):
    sigma, q = _logistic(u, frame, last)
    return _times_argument(u, frame, sigma, q, F.silu(u[0]), last)


def _silu_derivatives(u0: Tensor):
    sigma = torch.sigmoid(u0)
    q, dq, ddq = _logistic_derivatives(u0)
    return sigma + u0 * q, 2 * q + u0 * dq, lambda: 3 * dq + u0 * ddq()


def _normal(u: Coefficients, frame: Frame, last: bool):
    """Φ' = φ u', φ' = −u φ u': the normal distribution function and its density."""
    density = torch.exp(-0.5 * u[0] * u[0]) * (1 / math.sqrt(2 * math.pi))
    exponent = [frame.square(u, k, scale=-0.5) for k in range(frame.order + 1)]
    phi: Coefficients = [density]
    for k in frame.orders(last):
        phi.append(frame.integrate(exponent, phi, k))
    distribution = 0.5 * torch.erfc(-u[0] * math.sqrt(0.5))
    return chain(u, phi, frame, distribution), phi


def _gelu(u: Coefficients, frame: Frame, last: bool):
    distribution, density = _normal(u, frame, last)
    return _times_argument(u, frame, distribution, density, F.gelu(u[0]), last)


def _gelu_derivatives(u0: Tensor):
    density = torch.exp(-0.5 * u0 * u0) * (1 / math.sqrt(2 * math.pi))
    distribution = 0.5 * torch.erfc(-u0 * math.sqrt(0.5))
    return distribution + u0 * density, density * (2 - u0 * u0), lambda: density * u0 * (u0 * u0 - 4)


def _erf(u: Coefficients, frame: Frame, last: bool):
    """Erf(u) = 2Φ(√2 u) − 1."""
    scaled = [None if c is None else c * math.sqrt(2) for c in u]
    distribution, density = _normal(scaled, frame, last)
    z = [torch.erf(u[0]), *(None if c is None else 2 * c for c in distribution[1:])]
    return z, [None if c is None else c * (2 * math.sqrt(2)) for c in density]


def _erf_derivatives(u0: Tensor):
    first = torch.exp(-u0 * u0) * (2 / math.sqrt(math.pi))
    return first, -2 * u0 * first, lambda: first * (4 * u0 * u0 - 2)


def _erfc(u: Coefficients, frame: Frame, last: bool):
    z, d = _erf(u, frame, last)
    return [torch.erfc(u[0]), *(negate(c) for c in z[1:])], [negate(c) for c in d]


TANH = Pointwise("tanh", torch.tanh, _tanh, _tanh_derivatives)
SIGMOID = Pointwise("sigmoid", torch.sigmoid, _logistic, _logistic_derivatives)
SOFTPLUS = Pointwise("softplus", F.softplus, _softplus, _softplus_derivatives)
SILU = Pointwise("silu", F.silu, _silu, _silu_derivatives)
GELU = Pointwise("gelu", F.gelu, _gelu, _gelu_derivatives)
ERF = Pointwise("erf", torch.erf, _erf, _erf_derivatives)
ERFC = Pointwise("erfc", torch.erfc, _erfc)

rule(torch.tanh, torch.Tensor.tanh, F.tanh)(TANH.__call__)
rule(torch.sigmoid, torch.Tensor.sigmoid, F.sigmoid, torch.special.expit)(SIGMOID.__call__)
rule(torch.erf, torch.Tensor.erf, torch.special.erf)(ERF.__call__)
rule(torch.erfc, torch.Tensor.erfc, torch.special.erfc)(ERFC.__call__)


@rule(F.softplus)
def softplus(x: Series, beta: float = 1, threshold: float = 20) -> Series:
    """The smooth function everywhere: beyond `threshold` torch drops e^{−βu} < 2e-9, derivatives keep it."""
    return SOFTPLUS(x) if beta == 1 else SOFTPLUS(x * beta) / beta


@rule(F.logsigmoid)
def logsigmoid(x: Series) -> Series:
    return -SOFTPLUS(-x)


@rule(F.mish)
def mish(x: Series, inplace: bool = False) -> Series:
    return x * TANH(SOFTPLUS(x))


@rule(F.softsign)
def softsign(x: Series) -> Series:
    return x / (1 + abs(x))


@rule(F.silu)
def silu(x: Series, inplace: bool = False) -> Series:
    return SILU(x)


@rule(F.gelu)
def gelu(x: Series, approximate: str = "none") -> Series:
    """The tanh form is u σ(2y) with y = √(2/π)(u + 0.044715 u³): ½(1 + tanh y) would lose the left tail."""
    if approximate == "none":
        return GELU(x)
    return x * SIGMOID((x + 0.044715 * x * x * x) * (2 * math.sqrt(2 / math.pi)))
