"""Rules for sums, products and quotients: Cauchy products of the coefficients."""

# ruff: noqa: D103 (a rule does what the operation it is named after does)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from estimators.taylor.coordinates import Coordinates
from estimators.taylor.frame import Coefficients, Frame, add
from estimators.taylor.series import Series, belongs, frame_of, rule, unsupported
from estimators.taylor.shapes import align, with_rank


def _rank(item: Any) -> int:
    return item.ndim if isinstance(item, (Tensor, Series)) else 0


def _ranked(x: Series, ndim: int) -> Series:
    return x.map(lambda rows: with_rank(rows, ndim)) if x.ndim < ndim else x


class _AddToValue(torch.autograd.Function):
    """rows with b, a tensor or a number, added to row 0: one copy forward, and backward none."""

    @staticmethod
    def forward(ctx, rows: Tensor, b: Any) -> Tensor:
        ctx.shape = getattr(b, "shape", None)
        out = rows.clone()
        out[0].add_(b)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor):
        return grad, grad[0].sum_to_size(ctx.shape) if ctx.needs_input_grad[1] else None


def add_constant(x: Series, b: Any) -> Series:
    """X + b, where only the value changes."""
    shape = torch.broadcast_shapes(x.shape, b.shape) if isinstance(b, (Tensor, Series)) else x.shape
    if isinstance(x, Coordinates) and shape == x.shape:
        return x.shift(b)
    x = _ranked(x, len(shape))
    if shape != x.shape or not isinstance(x.rows, Tensor) or isinstance(b, Series) or _widens(x.dtype, b):
        head = x.rows[:1] + b
        return Series(torch.cat([head, x.rows[1:].expand(-1, *shape).to(head.dtype)]), x.frame, x.present)
    return Series(_AddToValue.apply(x.rows, b), x.frame, x.present)


def _widens(dtype: torch.dtype, b: Any) -> bool:
    return isinstance(b, Tensor) and b.dim() > 0 and torch.promote_types(dtype, b.dtype) != dtype


@rule(torch.add, Tensor.add)
def add_series(a: Any, b: Any, *, alpha: float = 1) -> Series:
    frame = frame_of(a, b)
    if alpha != 1:
        b = b * alpha
    if not belongs(b, frame):
        return add_constant(a, b)
    if not belongs(a, frame):
        return add_constant(b, a)
    ndim = max(a.ndim, b.ndim)
    a, b = _ranked(a, ndim), _ranked(b, ndim)
    if a.present == b.present:
        return Series(a.rows + b.rows, frame, a.present)
    terms = [add(p, q) for p, q in zip(a.coefficients, b.coefficients, strict=True)]
    return Series.from_coefficients(terms, frame)


@rule(torch.neg, Tensor.neg, torch.negative)
def negate_series(x: Series) -> Series:
    return x.map_features(torch.neg)


@rule(torch.sub, Tensor.sub, torch.subtract, Tensor.subtract)
def subtract(a: Any, b: Any, *, alpha: float = 1) -> Series:
    if alpha != 1:
        b = b * alpha
    return add_series(a, -b)


@rule(torch.rsub)
def reverse_subtract(a: Any, b: Any, *, alpha: float = 1) -> Series:
    return subtract(b, a, alpha=alpha)


def bilinear(a: Series, b: Series, product: Callable[[Tensor, Tensor], Tensor]) -> Series:
    """Coefficients Σ_i product(a_i, b_{k−i}) of a bilinear operation that broadcasts over the leading row axis."""
    frame = frame_of(a, b)
    p, q = a.coefficients, b.coefficients
    terms: Coefficients = []
    for k in range(frame.order + 1):
        outer = [product(p[i], q[k - i]) for i in dict.fromkeys((0, k)) if p[i] is not None and q[k - i] is not None]
        mixed = [product(p[i], q[k - i]) for i in range(1, k) if p[i] is not None and q[k - i] is not None]
        inner = add(*mixed)
        terms.append(add(*outer, None if inner is None else frame.mixed(k, inner)))
    return Series.from_coefficients(terms, frame)


@rule(torch.mul, Tensor.mul, torch.multiply, Tensor.multiply)
def multiply(a: Any, b: Any) -> Series:
    frame = frame_of(a, b)
    if not belongs(a, frame):
        a, b = b, a
    if _rank(b) <= min(1, _rank(a)) and not belongs(b, frame):
        return a.map_features(lambda rows: rows * b)
    if not belongs(b, frame):
        return _ranked(a, _rank(b)).map(lambda rows: rows * b)
    ndim = max(a.ndim, b.ndim)
    a, b = _ranked(a, ndim), _ranked(b, ndim)
    if a is b:
        return square(a)
    p, q = a.coefficients, b.coefficients
    return Series.from_coefficients([frame.convolve(p, q, k) for k in range(frame.order + 1)], frame)


@rule(torch.square, Tensor.square)
def square(x: Series) -> Series:
    c = x.coefficients
    return Series.from_coefficients([x.frame.square(c, k) for k in range(x.frame.order + 1)], x.frame)


@rule(torch.div, Tensor.div, torch.true_divide, Tensor.true_divide, torch.divide, Tensor.divide)
def divide(a: Any, b: Any, *, rounding_mode: str | None = None) -> Series:
    if rounding_mode is not None:
        raise unsupported(torch.div, f"rounding_mode={rounding_mode!r}")
    frame = frame_of(a, b)
    if _rank(b) <= min(1, _rank(a)) and not belongs(b, frame):
        return a.map_features(lambda rows: rows / b)
    if not belongs(b, frame):
        return _ranked(a, _rank(b)).map(lambda rows: rows / b)
    if not belongs(a, frame):
        return multiply(reciprocal(b), a)
    ndim = max(a.ndim, b.ndim)
    return _quotient(frame, _ranked(a, ndim).coefficients, _ranked(b, ndim).coefficients)


def _quotient(frame: Frame, a: Coefficients, b: Coefficients) -> Series:
    """Q b = a: q_k = (a_k − Σ_{i≥1} b_i q_{k−i}) / b_0."""
    quotient: Coefficients = []
    for k in range(frame.order + 1):
        known = frame.convolve(b, [*quotient, None], k, start=1)
        rest = a[k] if known is None else -known if a[k] is None else a[k] - known
        quotient.append(None if rest is None else rest / b[0])
    return Series.from_coefficients(quotient, frame)


@rule(torch.reciprocal, Tensor.reciprocal)
def reciprocal(x: Series) -> Series:
    return _quotient(x.frame, [torch.ones_like(x.rows[:1]), *(None,) * x.frame.order], x.coefficients)


@rule(torch.where, Tensor.where)
def where(condition: Any, a: Any, b: Any) -> Series:
    if isinstance(condition, Series):  # Tensor.where(x, condition, y)
        condition, a = a, condition
    frame = frame_of(a, b)
    rows, present = align(frame, (a, b))
    ndim = max(_rank(condition), _rank(a), _rank(b))
    chosen, other = (with_rank(r, ndim) for r in rows)
    return Series(torch.where(condition, chosen, other), frame, present)


@rule(torch.lerp, Tensor.lerp)
def lerp(a: Any, b: Any, weight: Any) -> Series:
    return a + (b - a) * weight


@rule(torch.addcmul, Tensor.addcmul)
def addcmul(x: Any, a: Any, b: Any, *, value: float = 1) -> Series:
    return x + a * b * value


@rule(torch.addcdiv, Tensor.addcdiv)
def addcdiv(x: Any, a: Any, b: Any, *, value: float = 1) -> Series:
    return x + a / b * value
