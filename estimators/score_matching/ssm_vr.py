"""Sliced score matching with reduced variance (SSM-VR)."""

from __future__ import annotations

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.protocols import leaf
from estimators.registry import register
from estimators.reverse import vector_jacobian


@register(
    "ssm_vr",
    quantity="score_matching",
    needs="score",
    cost=Cost("s (M + 1)", memory="M D + 2 L W", step_memory="M (D + L W)"),
    tags=("sliced", "reverse-mode"),
    source="Song, Garg, Shi, Ermon (2019), Sliced Score Matching: A Scalable Approach to Density and Score Estimation, "
    "eq. 9",
)
def ssm_vr(
    score,
    x: Tensor,
    *,
    generator: torch.Generator,
    probes: int = 1,
    law: str = "rademacher",
    chunk: int | None = 1,
) -> Tensor:
    """Sliced score matching with the squared norm taken in full: only the trace is left to chance.

    L(x) = ½ ‖s(x)‖² + (1/M) Σ_m v_mᵀ ∇(v_mᵀ s(x)), with E[v vᵀ] = I.

    Unbiased for ½‖s‖² + tr ∇s, in value and in θ-gradient. The variance of one draw is 2‖H‖_F² for gaussian probes,
    with H = ∇s, and 2(‖H‖_F² − Σ H_ii²) for rademacher.

    Cost: that of ``ssm``: one score, and M reverse passes through it.

    Args:
        score: the vector field s, (B, D) to (B, D).
        x: the points, (B, D), float32 or float64.
        generator: the source of the probes.
        probes: M, how many directions a row.
        law: the probes' law, one of ``estimators.probes.LAWS``.
        chunk: how many directions go through one batched reverse pass; None for all. It changes no number.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M < 1, an unknown law, or M > D for ``orthonormal``.

    Source: Song, Garg, Shi, Ermon (2019), Sliced Score Matching: A Scalable Approach to Density and Score Estimation,
    UAI, eq. 9.
    """
    v = probe_laws.draw(law, probes, x, generator)
    create_graph = torch.is_grad_enabled()
    trace = torch.zeros_like(x[:, 0])
    with torch.enable_grad():
        x = leaf(x)
        s = score(x)
        for some in v.split(chunk or probes):
            trace = trace + (vector_jacobian(s, x, some, create_graph=create_graph) * some).sum((0, -1))
        result = 0.5 * (s**2).sum(-1) + trace / probes
    return result if create_graph else result.detach()
