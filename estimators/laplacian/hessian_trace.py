"""The Laplacian as the trace of the whole Hessian, from torch.func."""

import torch
from torch import Tensor

from estimators.cost import Cost
from estimators.registry import register


@register(
    "hessian_trace",
    quantity="laplacian",
    cost=Cost("2 D + 4", step_passes="6 D + 10", memory="D (D + (L + 2) W)", step_memory="D (D + L W)"),
    tags=("exact", "torch.func", "forward-over-reverse"),
    source="torch.func.hessian (forward over reverse), PyTorch; the trace of its result",
)
def hessian_trace(f, x: Tensor, *, order: int) -> Tensor:
    """Form every row's Hessian by torch.func.hessian under vmap, and sum its diagonal.

    Δf(x) = tr ∇²f(x) = Σ_i ∂²f/∂x_i².

    Exact up to rounding.

    Cost: D forward derivatives of one reverse pass, all at once: time O(D), memory O(B D · depth · width), and B D² for
    the Hessians themselves, whether or not a gradient is wanted.

    Args:
        f: the function, (B, D) to (B,); every operation needs a forward derivative and a batching rule.
        x: the points, (B, D), float32 or float64.
        order: 2.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: another order.

    Source: PyTorch, torch.func.hessian.
    """

    def one(point: Tensor) -> Tensor:
        return f(point.unsqueeze(0)).squeeze(0)

    hessians = torch.func.vmap(torch.func.hessian(one))(x)
    return hessians.diagonal(dim1=-2, dim2=-1).sum(-1)
