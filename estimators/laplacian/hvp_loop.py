"""The Laplacian by one Hessian-vector product for each coordinate, in a loop."""

import torch
from torch import Tensor

from estimators.protocols import leaf
from estimators.registry import register
from estimators.reverse import gradient


@register(
    "hvp_loop",
    quantity="laplacian",
    tags=("exact", "reverse-mode"),
    source="Pearlmutter (1994), Fast Exact Multiplication by the Hessian; one product for each coordinate",
)
def hvp_loop(f, x: Tensor, *, order: int) -> Tensor:
    """Differentiate each entry of the gradient once more, coordinate after coordinate, and keep the diagonal entry.

    Δf(x) = Σ_i e_iᵀ ∇(e_iᵀ ∇f(x)).

    Exact up to rounding.

    Cost: 1 + D reverse passes through the gradient's graph. Without a θ-gradient memory is that of one pass, O(depth ·
    width) a row, with no factor D; with it the D graphs are kept until the backward pass, O(D · depth · width).

    Args:
        f: the function, (B, D) to (B,).
        x: the points, (B, D), float32 or float64.
        order: 2.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: another order.

    Source: Pearlmutter (1994), Fast Exact Multiplication by the Hessian, Neural Computation 6.
    """
    create_graph = torch.is_grad_enabled()
    total = torch.zeros_like(x[:, 0])
    with torch.enable_grad():
        x = leaf(x)
        g = gradient(f(x), x, create_graph=True)
        for i in range(x.shape[1]):
            total = total + gradient(g[:, i], x, create_graph=create_graph, retain_graph=True)[:, i]
    return total if create_graph else total.detach()
