"""The exact biharmonic: a forward Laplacian of a forward Laplacian."""

import functools

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.registry import register
from estimators.taylor.coordinates import over_coordinates


@register(
    "nested_forward_laplacian",
    quantity="laplacian",
    orders=(4,),
    cost=Cost("(min(D, W) + 2)^2", memory="(min(D, W) + 2)^2 W", step_memory="(min(D, W) + 2)^2 L W"),
    tags=("taylor-mode", "forward-laplacian"),
    source="Dangel, Siebert, Zeinhofer, Walther (2025), Collapsing Taylor Mode Automatic Differentiation, appendix; "
    "Li, Ye, Zhang, et al. (2024), Forward Laplacian",
)
def nested_forward_laplacian(
    f, x: Tensor, *, order: int = 4, compress: bool = True, chunk: int | None = None
) -> Tensor:
    """Run the forward Laplacian on the function that a forward Laplacian computes.

    Δ²f = Δ(Δf) = Σ_i Σ_j ∂⁴f/∂x_i²∂x_j².

    Exact, and so is its θ-gradient (the first; with `compress`, differentiating that once more raises).

    Cost: one pass of (R + 2)² vectors with R = D, or R = min(D, W₁) where the first operation is affine of width W₁;
    memory O(R² · width) without and O(R² · depth · width) with θ-gradient; ``chunk`` bounds the outer factor.

    Args:
        f: the function, (B, D) to (B,), made of operations that have a Taylor rule (``estimators.taylor.rules()``).
        x: the points, (B, D), float32 or float64.
        order: 4.
        compress: whether to compress the Jacobians' columns, as ``forward_laplacian`` does.
        chunk: how many columns of the outer Laplacian to push at once; None for all.

    Returns:
        (B,), in the dtype of x.

    Raises:
        NotImplementedError: an operation of f has no Taylor rule; the message names it.

    Source: Dangel, Siebert, Zeinhofer, Walther (2025), NeurIPS, appendix; Li, Ye, Zhang, et al. (2024), Nature Machine
    Intelligence.
    """

    def laplacian(points):
        return sum(2 * series.coefficient(2)[0] for series in over_coordinates(f, points, compress=compress))

    passes = over_coordinates(laplacian, x, chunk=chunk, compress=compress)
    return functools.reduce(torch.add, (2 * series.coefficient(2)[0] for series in passes))
