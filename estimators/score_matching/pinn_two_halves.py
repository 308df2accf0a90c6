"""The squared residual of an evolution equation from two independent halves of the probes."""

import functools

import torch
from torch import Tensor

from estimators.laplacian.taylor_hutchinson import taylor_hutchinson
from estimators.registry import register
from estimators.residual import half_product


@register(
    "pinn_two_halves",
    quantity="score_matching",
    needs="residual",
    target="residual",
    tags=("taylor-mode", "trace", "order-3"),
    source="Hu, Shi, Karniadakis, Kawaguchi (2024), Hutchinson Trace Estimation for High-Dimensional and High-Order "
    "Physics-Informed Neural Networks: the unbiased version",
)
def pinn_two_halves(
    model,
    x: Tensor,
    *,
    generator: torch.Generator,
    probes: int = 2,
    law: str = "rademacher",
    chunk: int | None = None,
) -> Tensor:
    """Estimate the residual twice with independent probes, and multiply instead of squaring.

    L(x) = ½ r̂₁(x)·r̂₂(x), each with M/2 probes of its own for the Laplacian inside: E L = ½ (E r̂₁)·(E r̂₂) = ½ ‖r‖².

    Unbiased in value and in θ-gradient, which collects both factors. Row by row it can be negative; its variance is
    larger than that of the biased square, most of all where r is small.

    Cost: two residuals, each by one pass of M/2 + 2 vectors and what the residual differentiates of it; the θ-gradient
    is one reverse pass through both. Time O(M), memory O(M · depth · width) already for the value, no factor D.

    Args:
        model: ``residual(x, laplacian) -> (B, R)``, affine in the Laplacian.
        x: the points, (B, D), float32 or float64.
        generator: the source of the probes.
        probes: M, how many directions a row in both halves together; an even number.
        law: the probes' law, one of ``estimators.probes.LAWS``.
        chunk: how many probes of a half to push at once; None for all. The probes do not depend on it.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M is odd, an unknown law, M/2 > D for ``orthonormal``, or the residual is not (B, R).
        NotImplementedError: an operation of the model has no Taylor rule; the message names it.

    Source: Hu, Shi, Karniadakis, Kawaguchi (2024), Hutchinson Trace Estimation for High-Dimensional and High-Order
    Physics-Informed Neural Networks, CMAME.
    """
    if probes % 2:
        raise ValueError(f"option probes of pinn_two_halves has to be an even number >= 2; got {probes}")
    laplacian = functools.partial(
        taylor_hutchinson, order=2, generator=generator, probes=probes // 2, law=law, chunk=chunk
    )
    return half_product(model, x, laplacian, laplacian)
