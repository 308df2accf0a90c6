"""Recurrences of the functions of one variable: each from its differential equation, in O(K²) products.

Float32 keeps its digits in the tails because nothing is formed as 1 minus a number close to 1: tanh' = sech² comes from
exponentials at |u|, and σ' = σ(u) σ(−u).
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from estimators.taylor.frame import Coefficients, Frame, accumulate, add, negate
from estimators.taylor.pointwise import Pointwise, chain, weighted
from estimators.taylor.series import Series, rule, unsupported


def sech2(u: Tensor) -> Tensor:
    """sech² u = 4 σ(2u) σ(−2u), to full relative accuracy in both tails and smooth at 0."""
    return torch.sigmoid(2 * u) * torch.sigmoid(-2 * u) * 4


def _orders(frame: Frame, last: bool) -> range:
    return range(1, frame.order + 1 if last else frame.order)


def _exp(u: Coefficients, frame: Frame, last: bool):
    """Z' = z u'."""
    z = [torch.exp(u[0])]
    for k in range(1, frame.order + 1):
        z.append(frame.integrate(u, z, k))
    return z, z


def _exp_derivatives(u0: Tensor):
    e = torch.exp(u0)
    return e, e, e


def _sine(u: Coefficients, frame: Frame):
    """S' = c u', c' = −s u'."""
    s, c = [torch.sin(u[0])], [torch.cos(u[0])]
    for k in range(1, frame.order + 1):
        s_k, c_k = frame.integrate(u, c, k), negate(frame.integrate(u, s, k))
        s.append(s_k)
        c.append(c_k)
    return s, c


def _sin(u: Coefficients, frame: Frame, last: bool):
    return _sine(u, frame)


def _cos(u: Coefficients, frame: Frame, last: bool):
    s, c = _sine(u, frame)
    return c, [negate(t) for t in s]


def _sin_derivatives(u0: Tensor):
    s, c = torch.sin(u0), torch.cos(u0)
    return c, -s, -c


def _cos_derivatives(u0: Tensor):
    s, c = torch.sin(u0), torch.cos(u0)
    return -s, -c, s


def _tanh(u: Coefficients, frame: Frame, last: bool):
    """Z' = s u' with s = 1 − z²; s_0 = sech² u_0."""
    z, s = [torch.tanh(u[0])], [sech2(u[0])]
    for k in range(1, frame.order + 1):
        z.append(frame.integrate(u, s, k))
        if k < frame.order or last:
            s.append(frame.square(z, k, scale=-1))
    return z, s


def _tanh_derivatives(u0: Tensor):
    z, s = torch.tanh(u0), sech2(u0)
    second = -2 * z * s
    return s, second, -2 * (s * s + z * second)


def _logistic(u: Coefficients, frame: Frame, last: bool):
    """σ' = q u' with q = σ(1 − σ): q_k = (1 − 2σ_0) σ_k − Σ_{0<i<k} σ_i σ_{k−i}, and 1 − 2σ_0 = −tanh(u_0/2)."""
    sigma = [torch.sigmoid(u[0])]
    q = [sigma[0] * torch.sigmoid(-u[0])]
    odd = -torch.tanh(u[0] / 2)
    for k in range(1, frame.order + 1):
        sigma.append(frame.integrate(u, q, k))
        if k < frame.order or last:
            q.append(add(weighted(sigma[k], odd), frame.square(sigma, k, scale=-1, ends=False)))
    return sigma, q


def _logistic_derivatives(u0: Tensor):
    q = torch.sigmoid(u0) * torch.sigmoid(-u0)
    odd = -torch.tanh(u0 / 2)
    return q, q * odd, q * (odd * odd - 2 * q)


def _softplus(u: Coefficients, frame: Frame, last: bool):
    """Z' = σ u'."""
    sigma, _ = _logistic(u, frame, False)
    return chain(u, sigma, frame, F.softplus(u[0])), sigma


def _softplus_derivatives(u0: Tensor):
    sigma = torch.sigmoid(u0)
    q = sigma * torch.sigmoid(-u0)
    return sigma, q, q * (1 - 2 * sigma)


def _times_argument(u: Coefficients, frame: Frame, p: Coefficients, dp: Coefficients, value: Tensor, last: bool):
    """Z = u p(u), with z' = (p + u p') u'."""
    z = [value, *(frame.convolve(u, p, k) for k in range(1, frame.order + 1))]
    slope = [add(p[k], frame.convolve(u, dp, k)) for k in (0, *_orders(frame, last))]
    return z, slope


def _silu(u: Coefficients, frame: Frame, last: bool):
    sigma, q = _logistic(u, frame, last)
    return _times_argument(u, frame, sigma, q, F.silu(u[0]), last)


def _silu_derivatives(u0: Tensor):
    sigma = torch.sigmoid(u0)
    q, dq, ddq = _logistic_derivatives(u0)
    return sigma + u0 * q, 2 * q + u0 * dq, 3 * dq + u0 * ddq


def _normal(u: Coefficients, frame: Frame, last: bool):
    """Φ' = φ u', φ' = −u φ u': the normal distribution function and its density."""
    density = torch.exp(-0.5 * u[0] * u[0]) * (1 / math.sqrt(2 * math.pi))
    exponent = [frame.square(u, k, scale=-0.5) for k in range(frame.order + 1)]
    phi = [density]
    for k in _orders(frame, last):
        phi.append(frame.integrate(exponent, phi, k))
    distribution = 0.5 * torch.erfc(-u[0] * math.sqrt(0.5))
    return chain(u, phi, frame, distribution), phi


def _gelu(u: Coefficients, frame: Frame, last: bool):
    distribution, density = _normal(u, frame, last)
    return _times_argument(u, frame, distribution, density, F.gelu(u[0]), last)


def _gelu_derivatives(u0: Tensor):
    density = torch.exp(-0.5 * u0 * u0) * (1 / math.sqrt(2 * math.pi))
    distribution = 0.5 * torch.erfc(-u0 * math.sqrt(0.5))
    return distribution + u0 * density, density * (2 - u0 * u0), density * u0 * (u0 * u0 - 4)


def _erf(u: Coefficients, frame: Frame, last: bool):
    """Erf(u) = 2Φ(√2 u) − 1."""
    scaled = [None if c is None else c * math.sqrt(2) for c in u]
    distribution, density = _normal(scaled, frame, last)
    z = [torch.erf(u[0]), *(None if c is None else 2 * c for c in distribution[1:])]
    return z, [None if c is None else c * (2 * math.sqrt(2)) for c in density]


def _erf_derivatives(u0: Tensor):
    first = torch.exp(-u0 * u0) * (2 / math.sqrt(math.pi))
    return first, -2 * u0 * first, first * (4 * u0 * u0 - 2)


def _erfc(u: Coefficients, frame: Frame, last: bool):
    z, d = _erf(u, frame, last)
    return [torch.erfc(u[0]), *(negate(c) for c in z[1:])], [negate(c) for c in d]


def _reciprocal(u: Coefficients, frame: Frame, last: bool) -> Coefficients:
    """R u = 1: r_k = −r_0 Σ_{i≥1} u_i r_{k−i}."""
    r = [1 / u[0]]
    for k in _orders(frame, last):
        r.append(weighted(negate(frame.convolve(u, [*r, None], k, start=1)), r[0]))
    return r


def _log(u: Coefficients, frame: Frame, last: bool):
    """Z' = u'/u."""
    r = _reciprocal(u, frame, last)
    return chain(u, r, frame, torch.log(u[0])), r


def _log_derivatives(u0: Tensor):
    r = 1 / u0
    return r, -r * r, 2 * r**3


def _log1p(u: Coefficients, frame: Frame, last: bool):
    shifted = [1 + u[0], *u[1:]]
    z, r = _log(shifted, frame, last)
    return [torch.log1p(u[0]), *z[1:]], r


def _expm1(u: Coefficients, frame: Frame, last: bool):
    z, d = _exp(u, frame, last)
    return [torch.expm1(u[0]), *z[1:]], d


def _power(p: float):
    def series(exponent: float, value: Tensor, u: Coefficients, r: Tensor, frame: Frame, stop: int) -> Coefficients:
        """u z' = p z u': z_k = (1/u_0) [p u_k z_0 + Σ_{0<j<k} ((p + 1) j/k − 1) u_j z_{k−j}]."""
        z: Coefficients = [value]
        for k in range(1, stop + 1):
            outer = None if u[k] is None else u[k] * (value * exponent)
            mixed = None
            for j in range(1, k):
                if u[j] is not None and z[k - j] is not None:
                    mixed = accumulate(mixed, u[j], z[k - j], (exponent + 1) * j / k - 1)
            total = add(outer, None if mixed is None else frame.mixed(k, mixed))
            z.append(None if total is None else total * r)
        return z

    def recurrence(u: Coefficients, frame: Frame, last: bool):
        r = 1 / u[0]
        z = series(p, u[0] ** p, u, r, frame, frame.order)
        return z, series(p - 1, p * u[0] ** (p - 1), u, r, frame, frame.order if last else frame.order - 1)

    return recurrence


def _hyperbolic(u: Coefficients, frame: Frame):
    """S' = c u', c' = s u'."""
    s, c = [torch.sinh(u[0])], [torch.cosh(u[0])]
    for k in range(1, frame.order + 1):
        s_k, c_k = frame.integrate(u, c, k), frame.integrate(u, s, k)
        s.append(s_k)
        c.append(c_k)
    return s, c


def _sinh(u: Coefficients, frame: Frame, last: bool):
    return _hyperbolic(u, frame)


def _cosh(u: Coefficients, frame: Frame, last: bool):
    return _hyperbolic(u, frame)[::-1]


def _atan(u: Coefficients, frame: Frame, last: bool):
    """Z' = u' / (1 + u²)."""
    denominator = [1 + u[0] * u[0], *(frame.square(u, k) for k in range(1, frame.order + 1))]
    r = _reciprocal(denominator, frame, last)
    return chain(u, r, frame, torch.atan(u[0])), r


EXP = Pointwise("exp", torch.exp, _exp, _exp_derivatives)
EXPM1 = Pointwise("expm1", torch.expm1, _expm1, _exp_derivatives)
SIN = Pointwise("sin", torch.sin, _sin, _sin_derivatives)
COS = Pointwise("cos", torch.cos, _cos, _cos_derivatives)
TANH = Pointwise("tanh", torch.tanh, _tanh, _tanh_derivatives)
SIGMOID = Pointwise("sigmoid", torch.sigmoid, _logistic, _logistic_derivatives)
SOFTPLUS = Pointwise("softplus", F.softplus, _softplus, _softplus_derivatives)
SILU = Pointwise("silu", F.silu, _silu, _silu_derivatives)
GELU = Pointwise("gelu", F.gelu, _gelu, _gelu_derivatives)
ERF = Pointwise("erf", torch.erf, _erf, _erf_derivatives)
SINH = Pointwise("sinh", torch.sinh, _sinh)
COSH = Pointwise("cosh", torch.cosh, _cosh)
ATAN = Pointwise("atan", torch.atan, _atan)
ERFC = Pointwise("erfc", torch.erfc, _erfc)
LOG = Pointwise("log", torch.log, _log, _log_derivatives)
LOG1P = Pointwise("log1p", torch.log1p, _log1p)


@cache
def power(p: float) -> Pointwise:
    """The function u ↦ u^p, for u ≠ 0."""
    return Pointwise(f"pow {p}", lambda u: u**p, _power(p))


rule(torch.exp, torch.Tensor.exp)(EXP.__call__)
rule(torch.expm1, torch.Tensor.expm1)(EXPM1.__call__)
rule(torch.sin, torch.Tensor.sin)(SIN.__call__)
rule(torch.cos, torch.Tensor.cos)(COS.__call__)
rule(torch.tanh, torch.Tensor.tanh, F.tanh)(TANH.__call__)
rule(torch.sigmoid, torch.Tensor.sigmoid, F.sigmoid, torch.special.expit)(SIGMOID.__call__)
rule(torch.erf, torch.Tensor.erf, torch.special.erf)(ERF.__call__)
rule(torch.sinh, torch.Tensor.sinh)(SINH.__call__)
rule(torch.cosh, torch.Tensor.cosh)(COSH.__call__)
rule(torch.atan, torch.Tensor.atan, torch.arctan, torch.Tensor.arctan)(ATAN.__call__)
rule(torch.erfc, torch.Tensor.erfc, torch.special.erfc)(ERFC.__call__)
rule(torch.log, torch.Tensor.log)(LOG.__call__)
rule(torch.log1p, torch.Tensor.log1p)(LOG1P.__call__)


@rule(torch.sqrt, torch.Tensor.sqrt)
def sqrt(x: Series) -> Series:
    return power(0.5)(x)


@rule(torch.rsqrt, torch.Tensor.rsqrt)
def rsqrt(x: Series) -> Series:
    return power(-0.5)(x)


@rule(F.softplus)
def softplus(x: Series, beta: float = 1, threshold: float = 20) -> Series:
    """The smooth function everywhere: beyond `threshold` torch drops e^{−βu} < 2e-9, derivatives keep it."""
    return SOFTPLUS(x) if beta == 1 else SOFTPLUS(x * beta) / beta


@rule(F.logsigmoid)
def logsigmoid(x: Series) -> Series:
    return -SOFTPLUS(-x)


@rule(torch.tan, torch.Tensor.tan)
def tan(x: Series) -> Series:
    return SIN(x) / COS(x)


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


@rule(torch.pow, torch.Tensor.pow)
def pow_(x: Series, exponent: float) -> Series:
    """Small whole exponents by products, which are right at 0 too; others need u_0 ≠ 0."""
    if isinstance(x, Series) and isinstance(exponent, torch.Tensor) and exponent.dim() == 0:
        exponent = float(exponent)
    if not isinstance(x, Series) or not isinstance(exponent, (int, float)):
        if isinstance(exponent, Series):
            return EXP(exponent * (LOG(x) if isinstance(x, Series) else math.log(x)))
        raise unsupported(torch.pow, "an exponent that is a tensor")
    if exponent == int(exponent) and 1 <= exponent <= 16:
        return _whole_power(x, int(exponent))
    return power(float(exponent))(x)


def _whole_power(x: Series, n: int) -> Series:
    if n == 1:
        return x
    half = _whole_power(x, n // 2)
    squared = half * half
    return squared * x if n % 2 else squared
