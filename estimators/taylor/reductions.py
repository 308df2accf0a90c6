"""Rules for sums over dimensions of the series, and for norms and normalisations made of them."""

# ruff: noqa: D103 (a rule does what the operation it is named after does)

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from estimators.taylor.elementary import EXP, LOG
from estimators.taylor.piecewise import absolute, clamp_min
from estimators.taylor.powers import power
from estimators.taylor.series import Series, rule, unsupported
from estimators.taylor.shapes import row_dim, row_dims


@rule(torch.sum, Tensor.sum)
def sum_(x: Series, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Series:
    dims = row_dims(dim if dim is not None else list(range(x.ndim)))
    return x.map(lambda rows: rows.sum(dims, keepdim=keepdim, dtype=dtype)) if dims != [] else x


@rule(torch.mean, Tensor.mean)
def mean(x: Series, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Series:
    dims = row_dims(dim if dim is not None else list(range(x.ndim)))
    return x.map(lambda rows: rows.mean(dims, keepdim=keepdim, dtype=dtype)) if dims != [] else x


@rule(torch.cumsum, Tensor.cumsum)
def cumsum(x: Series, dim: int, *, dtype: Any = None) -> Series:
    return x.map(lambda rows: rows.cumsum(row_dim(dim), dtype=dtype))


@rule(torch.prod, Tensor.prod)
def prod(x: Series, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Series:
    """By halves: log₂ n Cauchy products."""
    parts = list((x.reshape(-1) if dim is None else x).unbind(0 if dim is None else dim))
    while len(parts) > 1:
        pairs = [a * b for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[len(pairs) * 2 :]
    return parts[0].unsqueeze(dim) if keepdim and dim is not None else parts[0]


@rule(torch.var, Tensor.var)
def var(
    x: Series, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: float | None = None
) -> Series:
    dims = [dim] if isinstance(dim, int) else list(range(x.ndim)) if dim is None else list(dim)
    count = math.prod(x.shape[d] for d in dims)
    centred = x - x.mean(dims, keepdim=True)
    return (centred * centred).sum(dims, keepdim=keepdim) / (
        count - (int(unbiased) if correction is None else correction)
    )


@rule(torch.std, Tensor.std)
def std(x: Series, *arguments: Any, **keywords: Any) -> Series:
    return power(0.5)(var(x, *arguments, **keywords))


@rule(torch.norm, Tensor.norm, torch.linalg.norm, torch.linalg.vector_norm)
def norm(x: Series, p: Any = 2, dim: Any = None, keepdim: bool = False, **keywords: Any) -> Series:
    """(Σ |x|^p)^(1/p) over the given dimensions, or over all of them."""
    p = keywords.pop("ord", p)
    keywords.pop("out", None)
    if keywords.pop("dtype", None) is not None or keywords:
        raise unsupported(torch.norm, "dtype")
    if p in (None, "fro", 2):
        return power(0.5)((x * x).sum(dim, keepdim))
    if p == 1:
        return absolute(x).sum(dim, keepdim)
    if not isinstance(p, (int, float)) or p in (math.inf, -math.inf, 0):
        raise unsupported(torch.norm, f"p={p!r}")
    return power(1 / p)((absolute(x) ** p).sum(dim, keepdim))


@rule(F.normalize)
def normalize(x: Series, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None) -> Series:
    return x / clamp_min(norm(x, p, dim, keepdim=True), eps)


def _shifted(x: Series, dim: Any) -> tuple[Series, Tensor]:
    """X less its largest entry, a constant, and that entry."""
    top = x.value.amax(dim, keepdim=True).detach()
    return x - top, top


@rule(torch.logsumexp, Tensor.logsumexp, torch.special.logsumexp)
def logsumexp(x: Series, dim: Any, keepdim: bool = False) -> Series:
    shifted, top = _shifted(x, dim)
    total = LOG(EXP(shifted).sum(dim, keepdim=True)) + top
    if keepdim:
        return total
    return total.squeeze(dim)


@rule(F.log_softmax, torch.log_softmax, Tensor.log_softmax, torch.special.log_softmax)
def log_softmax(x: Series, dim: int, _stacklevel: int = 3, dtype: Any = None) -> Series:
    shifted, _ = _shifted(x, dim)
    return shifted - LOG(EXP(shifted).sum(dim, keepdim=True))


@rule(F.softmax, torch.softmax, Tensor.softmax, torch.special.softmax)
def softmax(x: Series, dim: int, _stacklevel: int = 3, dtype: Any = None) -> Series:
    weights = EXP(_shifted(x, dim)[0])
    return weights / weights.sum(dim, keepdim=True)


@rule(torch.logaddexp)
def logaddexp(a: Any, b: Any) -> Series:
    return logsumexp(torch.stack([a, b]), 0)


@rule(F.layer_norm)
def layer_norm(x: Series, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5):
    dims = list(range(-len(tuple(normalized_shape)), 0))
    return _affine(_standardised(x, dims, eps), weight, bias)


@rule(F.rms_norm)
def rms_norm(x: Series, normalized_shape: Sequence[int], weight: Any = None, eps: float | None = None) -> Series:
    dims = list(range(-len(tuple(normalized_shape)), 0))
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    return _affine(x * power(-0.5)((x * x).mean(dims, keepdim=True) + eps), weight, None)


@rule(F.group_norm)
def group_norm(x: Series, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Series:
    groups = x.reshape(x.shape[0], num_groups, -1)
    shape = (1, -1, *(1,) * (x.ndim - 2))
    out = _standardised(groups, [-1], eps).reshape(x.shape)
    return _affine(out, *(None if p is None else p.view(shape) for p in (weight, bias)))


@rule(F.batch_norm)
def batch_norm(
    x: Series,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Series:
    if training:
        raise unsupported(F.batch_norm, "in training it mixes the rows of the batch; call model.eval()")
    shape = (1, -1, *(1,) * (x.ndim - 2))
    scale = torch.rsqrt(running_var + eps)
    out = (x - running_mean.view(shape)) * scale.view(shape)
    return _affine(out, *(None if p is None else p.view(shape) for p in (weight, bias)))


def _standardised(x: Series, dims: list[int], eps: float) -> Series:
    centred = x - x.mean(dims, keepdim=True)
    return centred * power(-0.5)((centred * centred).mean(dims, keepdim=True) + eps)


def _affine(x: Series, weight: Any, bias: Any) -> Series:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


@rule(F.dropout)
def dropout(x: Series, p: float = 0.5, training: bool = True, inplace: bool = False) -> Series:
    if training and p:
        raise unsupported(F.dropout, "in training it is no function of its input; call model.eval()")
    return x
