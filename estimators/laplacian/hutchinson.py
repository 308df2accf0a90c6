"""Hutchinson's estimator of the Laplacian, by reverse mode."""

from __future__ import annotations

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.protocols import leaf
from estimators.registry import register
from estimators.reverse import gradient, vector_jacobian


@register(
    "hutchinson",
    quantity="laplacian",
    cost=Cost("2 M + 2", memory="M D + 2 L W", step_memory="M (D + L W)"),
    tags=("stochastic-trace", "reverse-mode"),
    source="Hutchinson (1989), A stochastic estimator of the trace of the influence matrix for Laplacian smoothing "
    "splines",
)
def hutchinson(
    f,
    x: Tensor,
    *,
    order: int,
    generator: torch.Generator,
    probes: int = 1,
    law: str = "rademacher",
    chunk: int | None = 1,
) -> Tensor:
    """Average the Hessian's quadratic form over random directions.

    Δf(x) ≈ (1/M) Σ_m v_mᵀ H(x) v_m, with H = ∇²f and E[v vᵀ] = I.

    Unbiased, in value and in θ-gradient. The variance is 2‖H‖_F²/M for gaussian probes, 2(‖H‖_F² − Σ H_ii²)/M for
    rademacher, (2D/(D+2))(‖H‖_F² − (tr H)²/D)/M for sphere, that times (D−M)/(D−1) for orthonormal, and
    (D²/M)((D−M)/(D−1)) var(diag H) for coordinate, with the diagonal's population variance.

    Cost: one gradient and M reverse passes through it: time O(M) in units of a gradient, with no factor D; memory
    O(chunk · depth · width) a row for the value, O(M · depth · width) with a θ-gradient.

    Args:
        f: the function, (B, D) to (B,).
        x: the points, (B, D), float32 or float64.
        order: 2.
        generator: the source of the probes.
        probes: M, how many directions a row.
        law: the probes' law, one of ``estimators.probes.LAWS``.
        chunk: how many directions go through one batched reverse pass; None for all. More than one needs batching rules
            of the operations, and was measured 4 to 20 % faster.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M < 1, an unknown law, M > D for ``orthonormal``, or another order.

    Source: Hutchinson (1989), A stochastic estimator of the trace of the influence matrix for Laplacian smoothing
    splines, Communications in Statistics 18.
    """
    v = probe_laws.draw(law, probes, x, generator)
    create_graph = torch.is_grad_enabled()
    total = torch.zeros_like(x[:, 0])
    with torch.enable_grad():
        x = leaf(x)
        g = gradient(f(x), x, create_graph=True)
        for some in v.split(chunk or probes):
            total = total + (vector_jacobian(g, x, some, create_graph=create_graph) * some).sum((0, -1))
    result = total / probes
    return result if create_graph else result.detach()
