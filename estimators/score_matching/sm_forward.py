"""Exact score matching in one forward pass."""

import functools

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.registry import register
from estimators.taylor.coordinates import over_coordinates


@register(
    "sm_forward",
    quantity="score_matching",
    needs="function",
    cost=Cost("min(D, W) + 2", memory="(min(D, W) + 2) W", step_memory="(min(D, W) + 2) L W"),
    tags=("exact", "taylor-mode", "forward-laplacian"),
    source="Hyvärinen (2005), Estimation of Non-Normalized Statistical Models by Score Matching, theorem 1, by the "
    "forward Laplacian of Li, Ye, Zhang, et al. (2024)",
)
def sm_forward(f, x: Tensor, *, compress: bool = True, chunk: int | None = None) -> Tensor:
    """The exact objective from a forward Laplacian: the Jacobian's columns give the score, the top row the Laplacian.

    L(x) = ½ ‖∇f‖² + Δf = ½ Σ_r c₁^(r)² + 2 c₂, with f = log p + const, c₁ and c₂ the coefficients along all coordinates
    (or along fewer columns with the same Gram matrix, which keep the norm).

    Exact, and so is its θ-gradient (the first; with `compress`, differentiating that once more raises).

    Cost: one pass of D + 2 vectors, or min(D, W₁) + 2 where the first operation is affine of width W₁; the θ-gradient
    is one ordinary backward pass. Memory O(min(D, W₁) · width), times depth with θ-gradient.

    Args:
        f: the log-density, (B, D) to (B,), made of operations that have a Taylor rule.
        x: the points, (B, D), float32 or float64.
        compress: whether to compress the columns, as ``forward_laplacian`` does.
        chunk: how many columns to push at once, after compression, against memory; None for all.

    Returns:
        (B,), in the dtype of x.

    Raises:
        NotImplementedError: an operation of f has no Taylor rule; the message names it.

    Source: Hyvärinen (2005), JMLR 6, theorem 1; Li, Ye, Zhang, et al. (2024), Nature Machine Intelligence.
    """
    passes = over_coordinates(f, x, chunk=chunk, compress=compress)
    return functools.reduce(
        torch.add, (0.5 * (series.coefficient(1) ** 2).sum(0) + 2 * series.coefficient(2)[0] for series in passes)
    )
