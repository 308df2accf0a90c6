"""Denoising score matching (DSM)."""

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.registry import register


@register(
    "dsm",
    quantity="score_matching",
    needs="score",
    target="dsm",
    cost=Cost("s S", memory="S (D + L W)", step_memory="S (D + L W)"),
    tags=("denoising",),
    source="Vincent (2011), A Connection Between Score Matching and Denoising Autoencoders",
)
def dsm(score, x: Tensor, *, generator: torch.Generator, sigma: float = 0.1, samples: int = 1) -> Tensor:
    """Denoising score matching: regress the score at noised points on the score of the noise.

    L(x) = (1/S) Σ_j ½ ‖s(x + σ z_j) + z_j/σ‖², with z_j ~ N(0, I).

    Unbiased for its own target, the Fisher divergence to the data smoothed by N(0, σ²I), up to a constant; against
    exact score matching on the clean data its θ-gradient is off by O(σ²). The variance grows as ‖s‖²/σ² as σ → 0.

    Cost: S scores, in one batch, with no second differentiation of them: time and memory O(S), with no factor D.

    Args:
        score: the vector field s, (B, D) to (B, D).
        x: the points, (B, D), float32 or float64.
        generator: the source of the noise.
        sigma: σ, the standard deviation of the noise. 0.1 is common in published runs; it has to be chosen for the
            data.
        samples: S, how many noised copies of a row.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: σ ≤ 0 or S < 1.

    Source: Vincent (2011), A Connection Between Score Matching and Denoising Autoencoders, Neural Computation 23;
    on the scale above (published code with ½‖σ² s + σ z‖² is σ⁴ of it).
    """
    z = probe_laws.draw("gaussian", samples, x, generator)
    residual = score((x + sigma * z).flatten(0, 1)).view_as(z) + z / sigma
    return 0.5 * (residual**2).sum(-1).mean(0)
