"""A noise level for denoising score matching from the data: the width of the best Parzen density."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def parzen_log_likelihood(x: Tensor, sigma: float) -> Tensor:
    """Mean leave-one-out log-likelihood of the rows under Gaussian kernels of width σ on all other rows.

    (1/N) Σ_i [ log (1/(N−1)) Σ_{j≠i} exp(−‖x_i − x_j‖²/2σ²) ] − D (½ log 2π + log σ). One published implementation has
    D (log 2π + log σ) for the normaliser, which is a constant off and moves no maximum, but is no likelihood.

    Args:
        x: the data, (N, D), N ≥ 2.
        sigma: σ > 0.
    """
    count, dim = x.shape
    exponents = -_squared_distances(x) / (2 * sigma**2)
    kernel = torch.logsumexp(exponents, dim=1) - math.log(count - 1)
    return kernel.mean() - dim * (0.5 * math.log(2 * math.pi) + math.log(sigma))


def parzen_sigma(x: Tensor, iterations: int = 500, tolerance: float = 1e-6) -> float:
    """The σ that maximises `parzen_log_likelihood`, by expectation-maximisation.

    σ² ← (1/ND) Σ_i Σ_{j≠i} w_ij ‖x_i − x_j‖², with w_ij the responsibilities of the other rows for row i.

    Args:
        x: the data, (N, D), N ≥ 2; of the order of 1000 rows do. Time and memory O(N²).
        iterations: the most steps taken.
        tolerance: the relative change of σ at which it stops.

    Raises:
        ValueError: fewer than two rows, or rows that are all equal.
    """
    if x.dim() != 2 or x.shape[0] < 2:
        raise ValueError(f"x has to have shape (N, D) with N >= 2; got {tuple(x.shape)}")
    squares = _squared_distances(x)
    finite = squares[torch.isfinite(squares)]
    if not finite.max() > 0:
        raise ValueError("rows of x are all equal: no width fits them")
    sigma = math.sqrt(float(finite.mean()) / x.shape[1])
    for _ in range(iterations):
        weights = torch.softmax(-squares / (2 * sigma**2), dim=1)
        updated = math.sqrt(float((weights * squares.nan_to_num(posinf=0.0)).sum()) / x.numel())
        if updated == 0 or abs(updated - sigma) <= tolerance * sigma:
            break
        sigma = updated
    return sigma


def _squared_distances(x: Tensor) -> Tensor:
    """‖x_i − x_j‖² in float64, infinite for i = j."""
    x = x.detach().to(torch.float64)
    return torch.cdist(x, x).square().fill_diagonal_(math.inf)
