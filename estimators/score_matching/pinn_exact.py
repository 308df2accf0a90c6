"""The squared residual of an evolution equation, its Laplacian exact."""

import functools

from torch import Tensor

from estimators.laplacian.forward_laplacian import forward_laplacian
from estimators.registry import register
from estimators.residual import half_product


@register(
    "pinn_exact",
    quantity="score_matching",
    needs="residual",
    target="residual",
    tags=("exact", "taylor-mode", "forward-laplacian", "order-3"),
    source="Hu, Zhang, Karniadakis, Kawaguchi (2024), Score-Based Physics-Informed Neural Networks for "
    "High-Dimensional Fokker-Planck Equations",
)
def pinn_exact(model, x: Tensor, *, chunk: int | None = None) -> Tensor:
    """Square the residual of the model's own equation, with an exact Laplacian in it.

    L(x) = ½ ‖r(x)‖², r affine in a Laplacian Δf or in its gradient. For the score s = ∇q of a diffusion
    dx = b dt + g dW, r = ∂_t s − ∇[ ½g²(Δq + ‖s‖²) − b·s − ∇·b ], of third order in q.

    Exact, in value and in θ-gradient, and without a draw.

    Cost: the Laplacian by one pass of D + 2 vectors; where the residual differentiates it, one reverse pass through
    that, and the θ-gradient one through both. Time O(D), memory O(D · depth · width) already for the value.

    Args:
        model: ``residual(x, laplacian) -> (B, R)``.
        x: the points, (B, D), float32 or float64.
        chunk: how many columns to push at once; None for all.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: the residual is not (B, R).
        NotImplementedError: an operation of the model has no Taylor rule; the message names it.

    Source: Hu, Zhang, Karniadakis, Kawaguchi (2024), Score-Based Physics-Informed Neural Networks for
    High-Dimensional Fokker-Planck Equations.
    """
    # compressed columns can be differentiated once only, and the residual takes that one
    return half_product(model, x, functools.partial(forward_laplacian, order=2, compress=False, chunk=chunk))
