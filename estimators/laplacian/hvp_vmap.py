"""The Laplacian by Hessian-vector products for all coordinates, batched."""

from __future__ import annotations

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.protocols import leaf
from estimators.registry import register
from estimators.reverse import gradient, vector_jacobian


@register(
    "hvp_vmap",
    quantity="laplacian",
    cost=Cost("2 D + 2", memory="D (D + 2 (L + 2) W)", step_memory="D (D + 2 L W)"),
    tags=("exact", "reverse-mode"),
    source="Pearlmutter (1994), Fast Exact Multiplication by the Hessian; one product for each coordinate, batched",
)
def hvp_vmap(f, x: Tensor, *, order: int, chunk: int | None = None) -> Tensor:
    """Differentiate all entries of the gradient once more in batched reverse passes, and keep the diagonal.

    Δf(x) = Σ_i e_iᵀ H(x) e_i, with H e_i = ∇(e_iᵀ ∇f(x)).

    Exact up to rounding.

    Cost: 1 gradient and D Hessian-vector products, ``chunk`` of them in one pass: time O(D), memory O(chunk · depth ·
    width) a row for the value, O(D · depth · width) with a θ-gradient.

    Args:
        f: the function, (B, D) to (B,); its operations need batching rules.
        x: the points, (B, D), float32 or float64.
        order: 2.
        chunk: how many coordinates go through one batched pass; None for all. It changes no number.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: another order.

    Source: Pearlmutter (1994), Fast Exact Multiplication by the Hessian, Neural Computation 6.
    """
    create_graph = torch.is_grad_enabled()
    total = torch.zeros_like(x[:, 0])
    dim = x.shape[1]
    with torch.enable_grad():
        x = leaf(x)
        g = gradient(f(x), x, create_graph=True)
        for indices in torch.arange(dim, device=x.device).split(chunk or dim):
            basis = torch.nn.functional.one_hot(indices, dim).to(x.dtype)
            products = vector_jacobian(g, x, basis.unsqueeze(1).expand(-1, *x.shape), create_graph=create_graph)
            total = total + products[torch.arange(len(indices), device=x.device), :, indices].sum(0)
    return total if create_graph else total.detach()
