"""Sliced score matching by forward-over-reverse differentiation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.protocols import leaf
from estimators.registry import register


@register(
    "ssm_forward",
    quantity="score_matching",
    needs="score",
    pair="ssm",
    cost=Cost("3 s M", step_passes="8 s M", memory="M D + 2 L W", step_memory="M (D + L W)"),
    tags=("sliced", "forward-over-reverse"),
    source="Song, Garg, Shi, Ermon (2019), Sliced Score Matching: A Scalable Approach to Density and Score Estimation; "
    "Pearlmutter (1994), Fast Exact Multiplication by the Hessian",
)
def ssm_forward(score, x: Tensor, *, generator: torch.Generator, probes: int = 1, law: str = "rademacher") -> Tensor:
    """Sliced score matching with the projected score differentiated along the direction in forward mode.

    L(x) = (1/M) Σ_m [ ½ (v_mᵀ s(x))² + v_mᵀ (∂s(x) v_m) ], with E[v vᵀ] = I and ∂s v a forward derivative of s.

    Unbiased for ½‖s‖² + tr ∇s, and equal to ``ssm`` on the same probes up to rounding.

    Cost: M scores with tangents; for a log-density each is a reverse pass carrying a tangent. Time and memory O(M ·
    depth · width), with no factor D.

    Args:
        score: the vector field s, (B, D) to (B, D); every operation, and its reverse rule, needs a forward derivative.
        x: the points, (B, D), float32 or float64.
        generator: the source of the probes.
        probes: M, how many directions a row.
        law: the probes' law, one of ``estimators.probes.LAWS``.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: M < 1, an unknown law, or M > D for ``orthonormal``.

    Source: Song, Garg, Shi, Ermon (2019), Sliced Score Matching, UAI; Pearlmutter (1994), Neural Computation 6.
    """
    v = probe_laws.draw(law, probes, x, generator)
    points = leaf(x)
    create_graph = torch.is_grad_enabled()
    total = torch.zeros_like(x[:, 0])
    for direction in v:
        with forward_ad.dual_level():
            with torch.enable_grad():  # else the dual would not require gradients, and a score that does would drop it
                dual = forward_ad.make_dual(points, direction)
            s, tangent = forward_ad.unpack_dual(score(dual))
            tangent = torch.zeros_like(s) if tangent is None else tangent
            total = total + 0.5 * (s * direction).sum(-1) ** 2 + (tangent * direction).sum(-1)
    return total / probes if create_graph else (total / probes).detach()
