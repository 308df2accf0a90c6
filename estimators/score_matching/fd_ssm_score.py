"""Finite-difference sliced score matching for a score network, from two values of the score."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.difference_step import difference_step
from estimators.displaced import at_displaced
from estimators.registry import register


@register(
    "fd_ssm_score",
    quantity="score_matching",
    needs="score",
    bias="vanishing",
    step="eps",
    bias_order=2,
    pair="ssm",
    cost=Cost("2 s M", memory="M (D + L W)", step_memory="M (D + L W)"),
    tags=("sliced", "finite-difference"),
    source="Pang, Xu, Li, Song, Ermon, Zhu (2020), Efficient Learning of Generative Models via Finite-Difference Score "
    "Matching; FD-SSM for score networks",
)
def fd_ssm_score(
    score,
    x: Tensor,
    *,
    generator: torch.Generator,
    eps: float | None = None,
    per_sqrt_dim: bool = False,
    probes: int = 1,
    law: str = "sphere",
    batched: bool = True,
) -> Tensor:
    """Sliced score matching from the score at both ends of a displacement: its mean, projected, and its difference.

    L(x) = (1/M) Σ_m [ ½ (½ v_mᵀ(s₊ + s₋))² + (√D/2ε) v_mᵀ (s₊ − s₋) ], with s± = s(x ± w_m) and w_m = (ε/√D) v_m.

    Bias O(ε²) against ``ssm`` on the same directions. Rounding grows as √D/ε times the roundoff of s.

    Cost: 2M scores in one batch; for a vector field one ordinary reverse pass for the θ-gradient, with no second
    differentiation. No factor D in time or memory.

    Args:
        score: the vector field s, (B, D) to (B, D).
        x: the points, (B, D), float32 or float64.
        generator: the source of the directions.
        eps: ε, the length of the displacement (its root mean square, for laws whose probes vary in length). The default
            None takes ½ √D u^⅓ with u the dtype's machine epsilon, as ``fd_ssm_vr`` does. The paper's own is 0.1.
        per_sqrt_dim: whether ``eps`` is the step per coordinate, ε/√D, instead of ε.
        probes: M, how many directions a row.
        law: the directions' law before scaling, one of ``estimators.probes.LAWS``; the paper's is ``sphere``.
        batched: one evaluation of all points, or one for each displacement, which needs less memory at a time.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: ε ≤ 0, M < 1, an unknown law, or M > D for ``orthonormal``.

    Source: Pang, Xu, Li, Song, Ermon, Zhu (2020), Efficient Learning of Generative Models via Finite-Difference Score
    Matching, NeurIPS. On the scale of ½‖s‖² + tr ∇s; the published code squares entry by entry and is ε²/D of it.
    """
    h = difference_step(eps, per_sqrt_dim, power=1 / 3, factor=0.5, x=x) / math.sqrt(x.shape[1])
    v = probe_laws.draw(law, probes, x, generator)
    plus, minus = at_displaced(score, (x + h * v, x - h * v), batched).view(2, *v.shape)
    return (0.5 * (v * (plus + minus) / 2).sum(-1) ** 2 + (v * (plus - minus)).sum(-1) / (2 * h)).mean(0)
