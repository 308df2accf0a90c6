"""Rules for functions that are smooth in pieces: the value chooses the piece, and the piece's series is taken."""

# ruff: noqa: D103 (a rule does what the operation it is named after does)

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from estimators.taylor.arithmetic import where
from estimators.taylor.elementary import EXPM1
from estimators.taylor.series import Series, belongs, frame_of, rule, unsupported
from estimators.taylor.shapes import row_dim, squeeze


@rule(F.relu, torch.relu, Tensor.relu)
def relu(x: Series, inplace: bool = False) -> Series:
    return x * (x.value > 0).to(x.dtype)


@rule(F.leaky_relu)
def leaky_relu(x: Series, negative_slope: float = 0.01, inplace: bool = False) -> Series:
    positive = (x.value > 0).to(x.dtype)
    return x * (positive + negative_slope * (1 - positive))


@rule(F.elu)
def elu(x: Series, alpha: float = 1.0, inplace: bool = False) -> Series:
    """The exponential is taken of min(x, 0), so that the piece that is not chosen cannot overflow."""
    positive = x.value > 0
    return where(positive, x, EXPM1(where(positive, 0.0, x)) * alpha)


@rule(F.selu, torch.selu)
def selu(x: Series, inplace: bool = False) -> Series:
    return elu(x, 1.6732632423543772848170429916717) * 1.0507009873554804934193349852946


@rule(F.celu, torch.celu)
def celu(x: Series, alpha: float = 1.0, inplace: bool = False) -> Series:
    return elu(x / alpha) * alpha


@rule(torch.abs, Tensor.abs, torch.absolute, Tensor.absolute)
def absolute(x: Series) -> Series:
    return x * torch.sign(x.value)


@rule(torch.clamp, Tensor.clamp, torch.clip, Tensor.clip)
def clamp(x: Series, min: Any = None, max: Any = None) -> Series:
    """Bounds may be numbers, tensors or series."""
    if min is not None:
        x = where(x.value >= _value(min), x, min)
    return x if max is None else where(x.value <= _value(max), x, max)


@rule(torch.clamp_min, Tensor.clamp_min)
def clamp_min(x: Series, min: Any) -> Series:
    return clamp(x, min=min)


@rule(torch.clamp_max, Tensor.clamp_max)
def clamp_max(x: Series, max: Any) -> Series:
    return clamp(x, max=max)


@rule(F.hardtanh)
def hardtanh(x: Series, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Series:
    return clamp(x, min_val, max_val)


@rule(F.relu6)
def relu6(x: Series, inplace: bool = False) -> Series:
    return clamp(x, 0.0, 6.0)


@rule(torch.maximum, torch.fmax, Tensor.maximum)
def maximum(a: Any, b: Any) -> Series:
    return where(_value(a) >= _value(b), a, b)


@rule(torch.minimum, torch.fmin, Tensor.minimum)
def minimum(a: Any, b: Any) -> Series:
    return where(_value(a) <= _value(b), a, b)


@rule(torch.amax, Tensor.amax)
def amax(x: Series, dim: int, keepdim: bool = False) -> Series:
    """The series of the (first) largest entry."""
    return _entry(x, dim, x.value.argmax(dim, keepdim=True), keepdim)


@rule(torch.amin, Tensor.amin)
def amin(x: Series, dim: int, keepdim: bool = False) -> Series:
    """The series of the (first) smallest entry."""
    return _entry(x, dim, x.value.argmin(dim, keepdim=True), keepdim)


@rule(torch.max, Tensor.max)
def max_(x: Series, dim: Any = None, keepdim: bool = False) -> Any:
    return _extreme(x, dim, keepdim, amax, maximum, "argmax")


@rule(torch.min, Tensor.min)
def min_(x: Series, dim: Any = None, keepdim: bool = False) -> Any:
    return _extreme(x, dim, keepdim, amin, minimum, "argmin")


def _extreme(x, dim, keepdim, along, pairwise, argument):
    """The three forms of max and min: of everything, of two tensors, and (values, indices) along a dimension."""
    if dim is None:
        return along(x.reshape(-1), 0)
    if isinstance(dim, (Tensor, Series)):
        return pairwise(x, dim)
    named = torch.return_types.max if argument == "argmax" else torch.return_types.min
    return named((along(x, dim, keepdim), getattr(x.value, argument)(dim, keepdim=keepdim)))


def _entry(x: Series, dim: int, index: Tensor, keepdim: bool) -> Series:
    if not isinstance(dim, int):
        raise unsupported(torch.amax, "several dimensions")
    entry = x.map(lambda rows: rows.gather(row_dim(dim), index.expand(rows.shape[0], *index.shape)))
    return entry if keepdim else squeeze(entry, dim)


@rule(F.max_pool2d, torch.max_pool2d, F.max_pool2d_with_indices)
def max_pool2d(x: Series, *arguments: Any, return_indices: bool = False, **keywords: Any) -> Any:
    values, index = F.max_pool2d(x.value, *arguments, return_indices=True, **keywords)
    flat = x.map(lambda rows: rows.flatten(-2))
    pooled = flat.map(lambda rows: rows.gather(-1, index.flatten(-2).expand(rows.shape[0], *(-1,) * (index.ndim - 1))))
    pooled = pooled.map(lambda rows: rows.unflatten(-1, values.shape[-2:]))
    return (pooled, index) if return_indices else pooled


def _value(item: Any) -> Any:
    return item.value if isinstance(item, Series) else item


def _on_values(operation):
    def compare(*arguments: Any, **keywords: Any) -> Any:
        frame = frame_of(*arguments)
        values = tuple(a.value if belongs(a, frame) else a for a in arguments)
        outer = any(isinstance(value, Series) for value in values)  # methods of Tensor take no series of an outer pass
        return compare(*values, **keywords) if outer else operation(*values, **keywords)

    return compare


CONSTANT_BETWEEN_JUMPS = (
    *("lt", "le", "gt", "ge", "eq", "ne", "isfinite", "isnan", "isinf", "logical_not", "argmax", "argmin", "argsort"),
    *("sign", "floor", "ceil", "round", "trunc", "zeros_like", "ones_like", "full_like", "empty_like"),
    *("detach", "new_zeros", "new_ones", "new_full", "new_tensor", "new_empty", "item", "tolist", "type_as"),
)
for _name in CONSTANT_BETWEEN_JUMPS:
    for _home in (torch, Tensor):
        if hasattr(_home, _name):
            rule(getattr(_home, _name))(_on_values(getattr(_home, _name)))
