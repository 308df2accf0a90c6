"""Finite-difference denoising score matching (FD-DSM), from two values of the log-density."""

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
    "fd_dsm",
    quantity="score_matching",
    needs="function",
    target="dsm",
    bias="vanishing",
    step="eps",
    bias_order=2,
    pair="dsm_sliced",
    cost=Cost("2 S", memory="S (D + W)", step_memory="S (D + L W)"),
    tags=("denoising", "sliced", "finite-difference", "function-values"),
    source="Pang, Xu, Li, Song, Ermon, Zhu (2020), Efficient Learning of Generative Models via Finite-Difference Score "
    "Matching, FD-DSM",
)
def fd_dsm(
    f,
    x: Tensor,
    *,
    generator: torch.Generator,
    eps: float | None = None,
    per_sqrt_dim: bool = False,
    sigma: float = 0.1,
    samples: int = 1,
    law: str = "sphere",
    batched: bool = True,
) -> Tensor:
    """Denoising score matching along a random direction, with the projected score by a central difference.

    L(x) = (1/S) Σ_j ½ [ (√D/2ε) (f(x̃_j + w_j) − f(x̃_j − w_j)) + v_jᵀ z_j/σ ]², with x̃ = x + σz, z ~ N(0, I) and
    w = (ε/√D) v.

    Bias O(ε²) against ``dsm_sliced`` on the same noise and directions: (ε²/6D) vᵀ∇³f[v, v] in the projected score. It
    is evaluated around the noised point; around the clean point, as in one published variant, the loss looks alike and
    the θ-gradient is wrong.

    Cost: 2S evaluations of f in one batch, and one ordinary reverse pass for the θ-gradient: that of ``dsm`` on a
    log-density, which needs one score and its reverse pass. No factor D.

    Args:
        f: the log-density, (B, D) to (B,); up to a constant.
        x: the points, (B, D), float32 or float64.
        generator: the source of the noise, and then of the directions.
        eps: ε, the length of the displacement. The default None takes √D u^⅓ with u the dtype's machine epsilon
            (float32: 0.005 √D, float64: 6e-6 √D), where truncation ε² meets the rounding 1/ε of a first difference. The
            published default is 0.001 √D.
        per_sqrt_dim: whether ``eps`` is the step per coordinate, ε/√D, instead of ε.
        sigma: σ, the standard deviation of the noise.
        samples: S, how many noised copies of a row, each with a direction of its own.
        law: the directions' law, one of ``estimators.probes.LAWS``.
        batched: one evaluation of all points, or one for each displacement, which needs less memory at a time.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: ε ≤ 0, σ ≤ 0, S < 1, an unknown law, or S > D for ``orthonormal``.

    Source: Pang, Xu, Li, Song, Ermon, Zhu (2020), Efficient Learning of Generative Models via Finite-Difference Score
    Matching, NeurIPS; on the scale of ½‖s + z/σ‖² (published code is σ⁴ of it).
    """
    h = difference_step(eps, per_sqrt_dim, power=1 / 3, factor=1.0, x=x) / math.sqrt(x.shape[1])
    z = probe_laws.draw("gaussian", samples, x, generator)
    v = probe_laws.draw(law, samples, x, generator)
    noised = x + sigma * z
    plus, minus = at_displaced(f, (noised + h * v, noised - h * v), batched).view(2, samples, -1)
    return 0.5 * (((plus - minus) / (2 * h) + (v * z).sum(-1) / sigma) ** 2).mean(0)
