"""Hutchinson's trace estimator on the Hessian, by collapsed Taylor mode."""

import functools

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.registry import register
from estimators.taylor import along


@register(
    "taylor_hutchinson",
    quantity="laplacian",
    pair="hutchinson",
    cost=Cost("M + 2", memory="(M + 2) (D + W)", step_memory="(M + 2) (D + L W)"),
    tags=("taylor-mode", "trace"),
    source="Hu, Shi, Karniadakis, Kawaguchi (2024), Hutchinson Trace Estimation for high-dimensional and high-order "
    "Physics-Informed Neural Networks; Shi, Hu, Lin, Kawaguchi (2024), Stochastic Taylor Derivative Estimator",
)
def taylor_hutchinson(
    f,
    x: Tensor,
    *,
    order: int = 2,
    generator: torch.Generator,
    probes: int = 1,
    law: str = "rademacher",
    chunk: int | None = None,
) -> Tensor:
    """Average second directional derivatives along random directions, all pushed in one forward pass.

    Δf(x) ≈ (1/M) Σ_m v_mᵀ H v_m = (2/M) c₂, where c₂ is the sum over directions of the second-order terms of
    f(x + t v_m), carried as one vector; E[v vᵀ] = I.

    Unbiased in value and in θ-gradient; equal to ``hutchinson`` on the same probes.

    Cost: one pass of M + 2 vectors, forward only; the θ-gradient is one ordinary backward pass. Time O(M), memory
    O(M · width) without and O(M · depth · width) with θ-gradient, no factor D.

    Args:
        f: the function, (B, D) to (B,), made of operations that have a Taylor rule (``estimators.taylor.rules()``).
        x: the points, (B, D), float32 or float64.
        order: 2.
        generator: the source of the probes.
        probes: M, how many directions a row.
        law: the probes' law, one of ``estimators.probes.LAWS``.
        chunk: how many probes to push at once; None for all. The probes do not depend on it.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M < 1, an unknown law, or M > D for ``orthonormal``.
        NotImplementedError: an operation of f has no Taylor rule; the message names it.

    Source: Hu, Shi, Karniadakis, Kawaguchi (2024), CMAME; Shi, Hu, Lin, Kawaguchi (2024), NeurIPS.
    """
    v = probe_laws.draw(law, probes, x, generator)
    parts = v.split(chunk or probes)
    return functools.reduce(torch.add, (along(f, x, part, 2, collapsed=True).coefficient(2)[0] for part in parts)) * (
        2 / probes
    )
