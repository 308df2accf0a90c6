"""Powers of a series."""

# ruff: noqa: D103 (a rule does what the operation it is named after does)

from __future__ import annotations

import math
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor

from estimators.taylor.frame import Coefficients, Frame, accumulate, add
from estimators.taylor.pointwise import Pointwise
from estimators.taylor.series import Series, rule, unsupported


def _power(p: float):
    def series(exponent: float, value: Tensor, u: Coefficients, r: Tensor, frame: Frame, stop: int) -> Coefficients:
        """U z' = p z u': z_k = (1/u_0) [p u_k z_0 + Σ_{0<j<k} ((p + 1) j/k − 1) u_j z_{k−j}]."""
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


@cache
def power(p: float) -> Pointwise:
    """The function u ↦ u^p, for u ≠ 0."""
    return Pointwise(f"pow {p}", lambda u: u**p, _power(p))


@rule(torch.sqrt, torch.Tensor.sqrt)
def sqrt(x: Series) -> Series:
    return power(0.5)(x)


@rule(torch.rsqrt, torch.Tensor.rsqrt)
def rsqrt(x: Series) -> Series:
    return power(-0.5)(x)


@rule(torch.pow, torch.Tensor.pow, torch.Tensor.__pow__)
def pow_(x: Any, exponent: Any) -> Series:
    """Small whole exponents by products, which are right at 0 too; others need u_0 ≠ 0."""
    if not isinstance(x, Series) or not isinstance(exponent, (int, float)):
        if isinstance(exponent, (Series, torch.Tensor)):
            base = math.log(x) if isinstance(x, (int, float)) else torch.log(x)
            return cast(Series, torch.exp(exponent * base))
        raise unsupported(torch.pow, f"an exponent {exponent!r}")
    if exponent == 0:
        return x * 0 + 1
    if exponent == int(exponent) and 1 <= exponent <= 16:
        return _whole_power(x, int(exponent))
    return power(float(exponent))(x)


@rule(torch.Tensor.__rpow__)
def rpow(exponent: Series, base: Any) -> Series:
    return pow_(base, exponent)


def _whole_power(x: Series, n: int) -> Series:
    if n == 1:
        return x
    half = _whole_power(x, n // 2)
    squared = half * half
    return squared * x if n % 2 else squared
