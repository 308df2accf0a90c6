"""Exponential, trigonometric and hyperbolic functions and the logarithm, from their differential equations."""

# ruff: noqa: D103 (a rule does what the operation it is named after does)

from __future__ import annotations

import torch
from torch import Tensor

from estimators.taylor.frame import Coefficients, Frame, negate
from estimators.taylor.pointwise import Pointwise, chain, weighted
from estimators.taylor.series import Series, rule


def _exp(u: Coefficients, frame: Frame, last: bool):
    """Z' = z u'."""
    z: Coefficients = [torch.exp(u[0])]
    for k in range(1, frame.order + 1):
        z.append(frame.integrate(u, z, k))
    return z, z


def _exp_derivatives(u0: Tensor):
    e = torch.exp(u0)
    return e, e, lambda: e


def _sine(u: Coefficients, frame: Frame):
    """S' = c u', c' = −s u'."""
    s: Coefficients = [torch.sin(u[0])]
    c: Coefficients = [torch.cos(u[0])]
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
    return c, -s, lambda: -c


def _cos_derivatives(u0: Tensor):
    s, c = torch.sin(u0), torch.cos(u0)
    return -s, -c, lambda: s


def _reciprocal(u: Coefficients, frame: Frame, last: bool) -> Coefficients:
    """R u = 1: r_k = −r_0 Σ_{i≥1} u_i r_{k−i}."""
    r = [1 / u[0]]
    for k in frame.orders(last):
        r.append(weighted(negate(frame.convolve(u, [*r, None], k, start=1)), r[0]))
    return r


def _log(u: Coefficients, frame: Frame, last: bool):
    """Z' = u'/u."""
    r = _reciprocal(u, frame, last)
    return chain(u, r, frame, torch.log(u[0])), r


def _log_derivatives(u0: Tensor):
    r = 1 / u0
    return r, -r * r, lambda: 2 * r**3


def _log1p(u: Coefficients, frame: Frame, last: bool):
    shifted = [1 + u[0], *u[1:]]
    z, r = _log(shifted, frame, last)
    return [torch.log1p(u[0]), *z[1:]], r


def _expm1(u: Coefficients, frame: Frame, last: bool):
    z, d = _exp(u, frame, last)
    return [torch.expm1(u[0]), *z[1:]], d


def _hyperbolic(u: Coefficients, frame: Frame):
    """S' = c u', c' = s u'."""
    s: Coefficients = [torch.sinh(u[0])]
    c: Coefficients = [torch.cosh(u[0])]
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
SINH = Pointwise("sinh", torch.sinh, _sinh)
COSH = Pointwise("cosh", torch.cosh, _cosh)
ATAN = Pointwise("atan", torch.atan, _atan)
LOG = Pointwise("log", torch.log, _log, _log_derivatives)
LOG1P = Pointwise("log1p", torch.log1p, _log1p)

rule(torch.exp, torch.Tensor.exp)(EXP.__call__)
rule(torch.expm1, torch.Tensor.expm1)(EXPM1.__call__)
rule(torch.sin, torch.Tensor.sin)(SIN.__call__)
rule(torch.cos, torch.Tensor.cos)(COS.__call__)
rule(torch.sinh, torch.Tensor.sinh)(SINH.__call__)
rule(torch.cosh, torch.Tensor.cosh)(COSH.__call__)
rule(torch.atan, torch.Tensor.atan, torch.arctan, torch.Tensor.arctan)(ATAN.__call__)
rule(torch.log, torch.Tensor.log)(LOG.__call__)
rule(torch.log1p, torch.Tensor.log1p)(LOG1P.__call__)


@rule(torch.tan, torch.Tensor.tan)
def tan(x: Series) -> Series:
    return SIN(x) / COS(x)
