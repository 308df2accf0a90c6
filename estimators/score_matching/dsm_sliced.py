"""Denoising score matching, projected on random directions."""

import torch
from torch import Tensor

from estimators import probes as probe_laws
from estimators.cost import Cost
from estimators.registry import register


@register(
    "dsm_sliced",
    quantity="score_matching",
    needs="score",
    target="dsm",
    cost=Cost("s S", memory="S (D + L W)", step_memory="S (D + L W)"),
    tags=("denoising", "sliced"),
    source="Pang, Xu, Li, Song, Ermon, Zhu (2020), Efficient Learning of Generative Models via Finite-Difference Score "
    "Matching, the limit ε → 0 of FD-DSM",
)
def dsm_sliced(
    score, x: Tensor, *, generator: torch.Generator, sigma: float = 0.1, samples: int = 1, law: str = "sphere"
) -> Tensor:
    """Denoising score matching with its residual projected on one random direction for each noised point.

    L(x) = (1/S) Σ_j ½ (v_jᵀ s(x + σ z_j) + v_jᵀ z_j/σ)², with z_j ~ N(0, I) and E[v vᵀ] = I.

    Unbiased for the target of ``dsm``, with more variance. Projected on one coordinate (law ``coordinate``) or on a
    Gaussian vector (law ``gaussian``) it is the trace trick of published code.

    Cost: S scores in one batch, as ``dsm``; it is of interest where vᵀs comes cheaper than s, as in ``fd_dsm``, whose
    pair this is.

    Args:
        score: the vector field s, (B, D) to (B, D).
        x: the points, (B, D), float32 or float64.
        generator: the source of the noise, and then of the directions.
        sigma: σ, the standard deviation of the noise.
        samples: S, how many noised copies of a row, each with a direction of its own.
        law: the directions' law, one of ``estimators.probes.LAWS``.

    Returns:
        (B,), in the dtype of x.

    Raises:
        ValueError: σ ≤ 0, S < 1, an unknown law, or S > D for ``orthonormal``.

    Source: Pang, Xu, Li, Song, Ermon, Zhu (2020), Efficient Learning of Generative Models via Finite-Difference Score
    Matching, NeurIPS; Vincent (2011) for the unprojected objective.
    """
    z = probe_laws.draw("gaussian", samples, x, generator)
    v = probe_laws.draw(law, samples, x, generator)
    s = score((x + sigma * z).flatten(0, 1)).view_as(z)
    return 0.5 * (((s + z / sigma) * v).sum(-1) ** 2).mean(0)
