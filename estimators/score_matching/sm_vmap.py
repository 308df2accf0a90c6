"""Exact score matching, with the trace from batched reverse passes."""

from __future__ import annotations

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.protocols import leaf
from estimators.registry import register
from estimators.reverse import vector_jacobian


@register(
    "sm_vmap",
    quantity="score_matching",
    needs="score",
    cost=Cost("s (D + 1)", memory="D (D + 2 (L + 2) W)", step_memory="D (D + 2 L W)"),
    tags=("exact", "reverse-mode"),
    source="Hyvärinen (2005), Estimation of Non-Normalized Statistical Models by Score Matching, eq. 4; batched",
)
def sm_vmap(score, x: Tensor, *, chunk: int | None = None) -> Tensor:
    """Score matching with the trace of the score's Jacobian from reverse passes for many coordinates at a time.

    L(x) = ½ ‖s(x)‖² + Σ_i e_iᵀ ∇(e_iᵀ s(x)).

    Exact up to rounding.

    Cost: one score, and D reverse passes through it, ``chunk`` of them batched: time O(D), memory O(chunk · depth ·
    width) a row for the value and O(D · depth · width) with a θ-gradient.

    Args:
        score: the vector field s, (B, D) to (B, D); its operations need batching rules.
        x: the points, (B, D), float32 or float64.
        chunk: how many coordinates go through one batched pass; None for all. It changes no number.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: x is no floating-point tensor of shape (B, D).

    Source: Hyvärinen (2005), Estimation of Non-Normalized Statistical Models by Score Matching, JMLR 6, eq. 4.
    """
    create_graph = torch.is_grad_enabled()
    dim = x.shape[1]
    with torch.enable_grad():
        x = leaf(x)
        s = score(x)
        result = 0.5 * (s**2).sum(-1)
        for indices in torch.arange(dim, device=x.device).split(chunk or dim):
            basis = torch.nn.functional.one_hot(indices, dim).to(x.dtype)
            products = vector_jacobian(s, x, basis.unsqueeze(1).expand(-1, *x.shape), create_graph=create_graph)
            result = result + products[torch.arange(len(indices), device=x.device), :, indices].sum(0)
    return result if create_graph else result.detach()
