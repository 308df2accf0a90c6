"""The exact Laplacian in one forward pass."""

import functools

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.registry import register
from estimators.taylor.coordinates import over_coordinates


@register(
    "forward_laplacian",
    quantity="laplacian",
    cost=Cost("min(D, W) + 2", memory="(min(D, W) + 2) W", step_memory="(min(D, W) + 2) L W"),
    tags=("taylor-mode", "forward-laplacian"),
    source="Li, Ye, Zhang, et al. (2024), A computational framework for neural network-based variational Monte Carlo "
    "with Forward Laplacian, Nature Machine Intelligence",
)
def forward_laplacian(f, x: Tensor, *, order: int = 2, compress: bool = True, chunk: int | None = None) -> Tensor:
    """Carry the value, the Jacobian's columns and the Laplacian of every intermediate through f together.

    h ↦ φ(h): J ↦ φ' J, Δ ↦ φ' Δ + φ'' Σ_i J_i²; affine maps act on all three. It is the Taylor series of order 2 along
    all coordinates, with the D second-order terms carried as their sum.

    Exact, and so is its θ-gradient (the first; with `compress`, differentiating that once more raises).

    Cost: one pass of D + 2 vectors, or min(D, W₁) + 2 where the first operation is affine of width W₁: only the Gram
    matrix of the Jacobian's columns matters, so a QR decomposition of the first weight, shared by all points,
    compresses D columns to W₁. Memory O(min(D, W₁) · width) without and O(min(D, W₁) · depth · width) with θ-gradient.

    Args:
        f: the function, (B, D) to (B,), made of operations that have a Taylor rule (``estimators.taylor.rules()``).
        x: the points, (B, D), float32 or float64.
        order: 2.
        compress: whether to compress the columns; f is run twice if it uses its input again after the first affine map.
        chunk: how many columns to push at once, after compression, against memory; None for all.

    Returns:
        (B,), in the dtype of x.

    Raises:
        NotImplementedError: an operation of f has no Taylor rule; the message names it.

    Source: Li, Ye, Zhang, et al. (2024), Nature Machine Intelligence; collapsed Taylor mode: Dangel, Siebert,
    Zeinhofer, Walther (2025), NeurIPS.
    """
    passes = over_coordinates(f, x, chunk=chunk, compress=compress)
    return functools.reduce(torch.add, (2 * series.coefficient(2)[0] for series in passes))
