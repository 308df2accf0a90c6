"""Denoising score matching over a geometric ladder of noise levels."""

import math

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.registry import register


@register(
    "dsm_annealed",
    quantity="score_matching",
    needs="score",
    target="none",
    cost=Cost("s S", memory="S (D + L W)", step_memory="S (D + L W)"),
    tags=("denoising", "multi-level"),
    source="Song, Ermon (2019), Generative Modeling by Estimating Gradients of the Data Distribution, eq. 6",
)
def dsm_annealed(
    score,
    x: Tensor,
    *,
    generator: torch.Generator,
    sigma: float = 1.0,
    sigma_min: float = 0.01,
    levels: int = 10,
    samples: int = 1,
) -> Tensor:
    """Denoising score matching at noise levels drawn from a ladder, each weighted by its variance.

    L(x) = (1/S) Σ_j ½ σ_j² ‖s(x + σ_j z_j) + z_j/σ_j‖², with σ_j uniform over K levels from σ down to σ_min in equal
    ratios and z_j ~ N(0, I).

    Unbiased for (1/K) Σ_k σ_k² DSM(σ_k), which is no single level's target: weights make all levels of one size. A
    noise-conditional score, ``score(x, sigma)`` with sigma (B, 1), is told each row's level; any other is not, and
    learns that of a mixture.

    Cost: S scores in one batch, as ``dsm``; time and memory O(S), with no factor D and none in K.

    Args:
        score: the vector field s, (B, D) to (B, D).
        x: the points, (B, D), float32 or float64.
        generator: the source of the levels, and then of the noise.
        sigma: the largest level.
        sigma_min: the smallest level.
        levels: K, how many.
        samples: S, how many noised copies of a row, each at a level of its own.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: σ_min ≤ 0, σ_min > σ, K < 1 or S < 1.

    Source: Song, Ermon (2019), Generative Modeling by Estimating Gradients of the Data Distribution, NeurIPS, with
    λ(σ) = σ².
    """
    if not 0 < sigma_min <= sigma or not math.isfinite(sigma_min):
        raise ValueError(f"option sigma_min has to be a number in (0, sigma = {sigma}]; got {sigma_min!r}")
    if not isinstance(levels, int) or levels < 1:
        raise ValueError(f"option levels has to be a whole number >= 1; got {levels!r}")
    index = torch.randint(levels, (samples, x.shape[0], 1), generator=generator, device=generator.device)
    ratio = (sigma_min / sigma) ** (1 / max(levels - 1, 1))
    level = (sigma * ratio ** index.to(torch.float64)).to(x)
    z = probe_laws.draw("gaussian", samples, x, generator)
    s = score((x + level * z).flatten(0, 1), level.flatten(0, 1)).view_as(z)
    return 0.5 * ((level * s + z) ** 2).sum(-1).mean(0)
