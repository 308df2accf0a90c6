"""One reverse pass: the gradient of row-wise values in the points, and Hessian-vector products from it."""

from __future__ import annotations

import torch
from torch import Tensor


def gradient(y: Tensor, x: Tensor, *, create_graph: bool, retain_graph: bool | None = None) -> Tensor:
    """∇ₓ Σ y, of x's shape; zeros where y does not depend on x, as the derivatives of a linear f do not.

    Args:
        y: any tensor computed from x.
        x: the tensor to differentiate in.
        create_graph: whether the result is to be differentiable.
        retain_graph: whether y's graph is needed again; by default as ``create_graph``.
    """
    if not y.requires_grad:
        return torch.zeros_like(x)
    (g,) = torch.autograd.grad(
        y.sum(), x, create_graph=create_graph, retain_graph=retain_graph, allow_unused=True, materialize_grads=True
    )
    return g


def vector_jacobian(y: Tensor, x: Tensor, vectors: Tensor, *, create_graph: bool) -> Tensor:
    """vᵀ ∂y/∂x for each of M stacked vectors, (M, *y.shape) to (M, *x.shape), in one batched reverse pass.

    One vector goes through an ordinary reverse pass, which needs no batching rule of the operations. y's graph stays.
    """
    if not y.requires_grad:
        return x.new_zeros((vectors.shape[0], *x.shape))
    options = {"create_graph": create_graph, "retain_graph": True, "allow_unused": True, "materialize_grads": True}
    if vectors.shape[0] == 1:
        (g,) = torch.autograd.grad(y, x, vectors[0], **options)
        return g.unsqueeze(0)
    (g,) = torch.autograd.grad(y, x, vectors, is_grads_batched=True, **options)
    return g
