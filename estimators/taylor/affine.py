"""Rules for linear maps: one call on the rows of all coefficients, so a layer is one GEMM for the whole series."""

# ruff: noqa: D103 (a rule does what the operation it is named after does)

from __future__ import annotations

import string
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from estimators.taylor.arithmetic import add_constant, bilinear
from estimators.taylor.coordinates import Coordinates
from estimators.taylor.series import Series, belongs, frame_of, rule, unsupported
from estimators.taylor.shapes import with_rank


class _Linear(torch.autograd.Function):
    """rows Wᵀ, with b added to row 0 in place: through F.linear the bias would cost another copy of all rows.

    Without ``setup_context``, with which every call would inspect the signature of forward, for 30 µs.
    """

    @staticmethod
    def forward(ctx, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return _linear(rows, weight, bias)

    @staticmethod
    def backward(ctx, grad: Tensor):
        rows, weight = ctx.saved_tensors
        to_rows = grad @ weight if ctx.needs_input_grad[0] else None
        to_weight = None
        if ctx.needs_input_grad[1]:
            to_weight = grad.reshape(-1, grad.shape[-1]).T @ rows.reshape(-1, rows.shape[-1])
        return to_rows, to_weight, grad[0].reshape(-1, grad.shape[-1]).sum(0) if ctx.needs_input_grad[2] else None


def _linear(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    out = F.linear(rows, weight)
    out[0].add_(bias)
    return out


@rule(F.linear)
def linear(x: Any, weight: Any, bias: Any = None) -> Series:
    frame = frame_of(x, weight, bias)
    if belongs(weight, frame) or not belongs(x, frame) or belongs(bias, frame):
        product = matmul(x, weight.mT)
        return product if bias is None else product + bias
    if isinstance(x, Coordinates):
        return x.affine(weight, bias)
    if bias is None:
        return x.map(lambda rows: F.linear(rows, weight))
    if all(isinstance(item, Tensor) for item in (x.rows, weight, bias)):
        return x.map(lambda rows: (_Linear.apply if torch.is_grad_enabled() else _linear)(rows, weight, bias))
    return add_constant(x.map(lambda rows: F.linear(rows, weight)), bias)


@rule(torch.matmul, Tensor.matmul, torch.mm, Tensor.mm, torch.bmm, Tensor.bmm, torch.mv, Tensor.mv)
def matmul(a: Any, b: Any) -> Series:
    """Vectors become matrices first, as in torch, so that all the rules below have to know are matrices."""
    frame = frame_of(a, b)
    if a.ndim == 1:
        return matmul(a.unsqueeze(0), b.unsqueeze(-1) if b.ndim == 1 else b).squeeze(-1 if b.ndim == 1 else -2)
    if not belongs(b, frame) and b.ndim <= 2:  # also where the input is not materialised yet
        return a.map_features(lambda rows: rows @ b) if b.ndim == 2 else a.map(lambda rows: rows @ b)
    if b.ndim == 1:
        return matmul(a, b.unsqueeze(-1)).squeeze(-1)
    ndim = max(a.ndim, b.ndim)
    if not belongs(b, frame):
        return a.map(lambda rows: with_rank(rows, ndim) @ b)
    if not belongs(a, frame):
        return b.map(lambda rows: a @ with_rank(rows, ndim))
    a, b = (s.map(lambda rows: with_rank(rows, ndim)) for s in (a, b))
    return bilinear(a, b, torch.matmul)


@rule(torch.addmm, Tensor.addmm)
def addmm(x: Any, a: Any, b: Any, *, beta: float = 1, alpha: float = 1) -> Series:
    return x * beta + matmul(a, b) * alpha


@rule(torch.dot, Tensor.dot, torch.inner, Tensor.inner)
def dot(a: Any, b: Any) -> Series:
    if a.ndim != 1 or b.ndim != 1:
        raise unsupported(torch.inner, "more than one dimension; use einsum")
    return (a * b).sum()


def _convolution(operation):
    def convolve(x: Any, weight: Any, bias: Any = None, *arguments: Any, **keywords: Any) -> Series:
        frame = frame_of(x, weight, bias)
        if not belongs(x, frame) or belongs(weight, frame):
            raise unsupported(operation, "a weight that depends on the input")
        batched = x.ndim == weight.ndim

        def apply(rows: Tensor) -> Tensor:
            flat = rows.flatten(0, 1) if batched else rows
            out = operation(flat, weight, None, *arguments, **keywords)
            return out.unflatten(0, rows.shape[:2]) if batched else out

        out = x.map(apply)
        return out if bias is None else add_constant(out, bias.view(-1, *(1,) * (weight.ndim - 2)))

    return convolve


for _operation in (F.conv1d, F.conv2d, F.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d):
    rule(_operation)(_convolution(_operation))


@rule(F.avg_pool2d)
def avg_pool2d(x: Series, *arguments: Any, **keywords: Any) -> Series:
    def apply(rows: Tensor) -> Tensor:
        flat = rows.flatten(0, 1) if rows.ndim == 5 else rows
        out = F.avg_pool2d(flat, *arguments, **keywords)
        return out.unflatten(0, rows.shape[:2]) if rows.ndim == 5 else out

    return x.map(apply)


@rule(torch.einsum)
def einsum(equation: str, *operands: Any) -> Series:
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    frame = frame_of(*operands)
    inputs, output = _explicit(equation)
    if "..." in equation:
        raise unsupported(torch.einsum, "an ellipsis")
    row = next(letter for letter in string.ascii_letters if letter not in equation)
    series = [i for i, item in enumerate(operands) if belongs(item, frame)]
    if len(series) > 2:
        raise unsupported(torch.einsum, "more than two operands that depend on the input; contract them pairwise")
    labels = [row + label if i in series else label for i, label in enumerate(inputs)]
    rowed = ",".join(labels) + "->" + row + output

    def contract(*rows: Tensor) -> Tensor:
        filled = list(operands)
        for i, tensor in zip(series, rows, strict=True):
            filled[i] = tensor
        return torch.einsum(rowed, *filled)

    if len(series) == 1:
        return operands[series[0]].map(contract)
    return bilinear(operands[series[0]], operands[series[1]], contract)


def _explicit(equation: str) -> tuple[list[str], str]:
    equation = equation.replace(" ", "")
    left, arrow, right = equation.partition("->")
    if not arrow:
        letters = left.replace(",", "")
        right = "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    return left.split(","), right
