"""The Laplacian by one Hessian-vector product for each coordinate, in a loop."""

from collections.abc import Iterator

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.protocols import leaf
from estimators.recompute import summed
from estimators.registry import register
from estimators.reverse import gradient


@register(
    "hvp_loop",
    quantity="laplacian",
    cost=Cost(
        "2 D + 2",
        step_passes="[recompute] (8 D + 5 + 4 ceil(D/16)) + [recompute = False] (6 D + 6)",
        memory="D + L W",
        step_memory="(D - [recompute] max(0, D - 16)) (D + 2 L W)",
    ),
    tags=("exact", "reverse-mode"),
    source="Pearlmutter (1994), Fast Exact Multiplication by the Hessian; one product for each coordinate",
)
def hvp_loop(f, x: Tensor, *, order: int, recompute: bool = True) -> Tensor:
    """Differentiate each entry of the gradient once more, coordinate after coordinate, and keep the diagonal entry.

    Δf(x) = Σ_i e_iᵀ ∇(e_iᵀ ∇f(x)).

    Exact up to rounding.

    Cost: 1 + D reverse passes through the gradient's graph for the value; memory that of one pass, O(depth · width) a
    row, with no factor D. With a θ-gradient the D passes are made a second time with their graphs, sixteen at a time,
    which are let go at once: memory still has no factor D. Without ``recompute`` the D graphs are kept, O(D · depth ·
    width), and the step takes about three quarters of the time.

    Args:
        f: the function, (B, D) to (B,).
        x: the points, (B, D), float32 or float64.
        order: 2.
        recompute: whether to compute the terms again in the backward pass; the result is then differentiable once.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: another order.

    Source: Pearlmutter (1994), Fast Exact Multiplication by the Hessian, Neural Computation 6.
    """
    create_graph = torch.is_grad_enabled()

    def terms(x: Tensor, create_graph: bool) -> Iterator[Tensor]:
        g = gradient(f(x), x, create_graph=True)
        for i in range(x.shape[1]):
            yield gradient(g[:, i], x, create_graph=create_graph, retain_graph=True)[:, i]

    if create_graph and recompute:
        return summed(terms, x, f(x))
    total = torch.zeros_like(x[:, 0])
    with torch.enable_grad():
        for term in terms(leaf(x), create_graph):
            total = total + term
    return total if create_graph else total.detach()
