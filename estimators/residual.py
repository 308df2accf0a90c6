"""The residual of an equation with a Laplacian in it, and the square of one that is random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Laplacian = Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]  # (f, x) → an estimate of Δf, (B,)


def residual(model: Any, x: Tensor, laplacian: Laplacian) -> Tensor:
    """r(x), (B, R), differentiable in θ; unbiased if ``laplacian`` is, since r is affine in it.

    Args:
        model: ``residual(x, laplacian) -> (B, R)``, which may differentiate what ``laplacian`` returns.
        x: the points, (B, D).
        laplacian: (f, x) → (B,), differentiable in x and in θ.

    Raises:
        ValueError: the residual is not one row of numbers a point.
    """
    r = model.residual(x, laplacian)
    if r.dim() != 2 or len(r) != len(x):
        raise ValueError(f"residual has to map {tuple(x.shape)} to (B, R); it returned {tuple(r.shape)}")
    return r


def half_product(model: Any, x: Tensor, first: Laplacian, second: Laplacian | None = None) -> Tensor:
    """½ r₁·r₂ row by row, (B,), of the residuals by two Laplacians; ½‖r₁‖² with one."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        r = residual(model, x, first)
        result = 0.5 * (r * (r if second is None else residual(model, x, second))).sum(-1)
    return result if create_graph else result.detach()
