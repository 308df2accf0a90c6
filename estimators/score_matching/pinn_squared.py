"""The squared residual of an evolution equation, its Laplacian by random probes."""

import functools

import torch
from torch import Tensor

from estimators.laplacian.taylor_hutchinson import taylor_hutchinson
from estimators.registry import register
from estimators.residual import half_product


@register(
    "pinn_squared",
    quantity="score_matching",
    needs="residual",
    target="residual",
    bias="fixed",
    tags=("taylor-mode", "trace", "order-3"),
    source="Hu, Zhang, Karniadakis, Kawaguchi (2024), Score-Based Physics-Informed Neural Networks for "
    "High-Dimensional Fokker-Planck Equations; the bias: Hu, Shi, Karniadakis, Kawaguchi (2024), Hutchinson Trace "
    "Estimation for High-Dimensional and High-Order Physics-Informed Neural Networks",
)
def pinn_squared(
    model,
    x: Tensor,
    *,
    generator: torch.Generator,
    probes: int = 1,
    law: str = "rademacher",
    chunk: int | None = None,
) -> Tensor:
    """Estimate the Laplacian inside the residual by Hutchinson's probes, and square the result.

    L(x) = ½ ‖r̂(x)‖², r̂ being the residual with (1/M) Σ_m v_mᵀ ∇²f v_m for Δf; E r̂ = r.

    Biased by half the variance of the residual, E L = ½‖r‖² + ½ tr Var r̂: it falls as 1/M, is fixed at given M, and so
    is the θ-gradient's. A small loss is mostly this term, and training lowers it in the residual's stead.

    Cost: one pass of M + 2 vectors; where the residual differentiates the Laplacian, one reverse pass through that, and
    the θ-gradient one through both. Time O(M), memory O(M · depth · width) already for the value, no factor D.

    Args:
        model: ``residual(x, laplacian) -> (B, R)``, affine in the Laplacian.
        x: the points, (B, D), float32 or float64.
        generator: the source of the probes.
        probes: M, how many directions a row.
        law: the probes' law, one of ``estimators.probes.LAWS``.
        chunk: how many probes to push at once; None for all. The probes do not depend on it.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M < 1, an unknown law, M > D for ``orthonormal``, or the residual is not (B, R).
        NotImplementedError: an operation of the model has no Taylor rule; the message names it.

    Source: Hu, Zhang, Karniadakis, Kawaguchi (2024), Score-Based Physics-Informed Neural Networks for
    High-Dimensional Fokker-Planck Equations; Hu, Shi, Karniadakis, Kawaguchi (2024), CMAME, on the bias.
    """
    laplacian = functools.partial(taylor_hutchinson, order=2, generator=generator, probes=probes, law=law, chunk=chunk)
    return half_product(model, x, laplacian)
