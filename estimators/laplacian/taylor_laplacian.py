"""The exact Laplacian by standard, uncollapsed Taylor mode."""

import functools

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.registry import register
from estimators.taylor import along


@register(
    "taylor_laplacian",
    quantity="laplacian",
    cost=Cost("2 D + 1", memory="(2 D + 1) (D + 2 W)", step_memory="(2 D + 1) (D + 2 L W)"),
    tags=("taylor-mode",),
    source="Griewank, Walther (2008), Evaluating Derivatives, 2nd ed., ch. 13; as 'standard Taylor mode' in Dangel, "
    "Siebert, Zeinhofer, Walther (2025), Collapsing Taylor Mode Automatic Differentiation",
)
def taylor_laplacian(f, x: Tensor, *, order: int = 2, chunk: int | None = None) -> Tensor:
    """Push a series of order 2 along every coordinate, each with a second-order term of its own.

    Δf(x) = Σ_i 2 c₂^(i), with f(x + t e_i) = c₀ + c₁^(i) t + c₂^(i) t² + O(t³).

    Exact, and so is its θ-gradient. It is here to show what collapsing is worth: ``forward_laplacian`` sums the D
    second-order terms as soon as they arise.

    Cost: one pass of 2D + 1 vectors; memory O(D · width) without and O(D · depth · width) with θ-gradient; ``chunk``
    bounds it for the value.

    Args:
        f: the function, (B, D) to (B,), made of operations that have a Taylor rule (``estimators.taylor.rules()``).
        x: the points, (B, D), float32 or float64.
        order: 2.
        chunk: how many coordinates to push at once; None for all.

    Returns:
        (B,), in the dtype of x.

    Raises:
        NotImplementedError: an operation of f has no Taylor rule; the message names it.

    Source: Griewank, Walther (2008), ch. 13; Dangel, Siebert, Zeinhofer, Walther (2025), NeurIPS.
    """
    coordinates = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).unsqueeze(1)
    parts = coordinates.split(chunk or x.shape[1])
    return functools.reduce(torch.add, (2 * along(f, x, part, 2).coefficient(2).sum(0) for part in parts))
