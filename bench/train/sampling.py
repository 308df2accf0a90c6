"""What a trained score or energy says can be looked at: Langevin samples, a step of denoising, a density on a grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]


def langevin(score: Score, x: Tensor, step: float, steps: int, generator: torch.Generator) -> Tensor:
    """Unadjusted Langevin: x ← x + (α/2) s(x) + √α z, z ~ N(0, I), so many times.

    Its stationary law is not p but off by O(α): of a normal density with variance v it has variance v/(1 − α/4v).

    Args:
        score: s, (B, D) to (B, D).
        x: where the chains begin, (B, D).
        step: α.
        steps: how many.
        generator: of z.

    Returns:
        Where they are after the last step, (B, D).

    Source: Roberts, Tweedie (1996), Exponential convergence of Langevin distributions and their discrete
    approximations, Bernoulli 2.
    """
    for _ in range(steps):
        z = torch.randn(x.shape, dtype=x.dtype, generator=generator)
        x = x + step / 2 * score(x) + math.sqrt(step) * z
    return x


def annealed_langevin(
    score: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    sigmas: Sequence[float],
    step: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Langevin at one noise level after the other, from the largest on, with α_k = step · σ_k²/σ_K².

    Args:
        score: s(x, σ), (B, D) and (B, 1) to (B, D), of the density at noise level σ.
        x: where the chains begin, (B, D).
        sigmas: σ_1 > … > σ_K.
        step: α at the last level.
        steps: how many at each level.
        generator: of the noise.

    Returns:
        (B, D).

    Source: Song, Ermon (2019), Generative Modeling by Estimating Gradients of the Data Distribution, algorithm 1.
    """
    for sigma in sigmas:
        at_level = partial(_at, score, sigma)
        x = langevin(at_level, x, step * (sigma / sigmas[-1]) ** 2, steps, generator)
    return x


def _at(score: Callable[[Tensor, Tensor], Tensor], sigma: float, x: Tensor) -> Tensor:
    return score(x, torch.full_like(x[:, :1], sigma))


def denoised(score: Score, x: Tensor, sigma: float) -> Tensor:
    """E[clean | x] = x + σ² s(x) of x = clean + σ z, where s is the score of the noised density (Tweedie's formula).

    Source: Robbins (1956), An empirical Bayes approach to statistics; Efron (2011), Tweedie's formula and selection
    bias, JASA 106.
    """
    return x + sigma**2 * score(x)


def grid(half: float, cells: int) -> Tensor:
    """The middles of ``cells``² squares on [−half, half]², (cells², 2) float64: rows of equal x₂, x₂ falling."""
    edge = half * ((2 * torch.arange(cells, dtype=torch.float64) + 1) / cells - 1)
    down, across = torch.meshgrid(-edge, edge, indexing="ij")
    return torch.stack([across, down], -1).reshape(-1, 2)


def grid_density(log_density: Callable[[Tensor], Tensor], half: float, cells: int) -> Tensor:
    """exp(log p) at the middles of a grid's squares, (cells, cells), scaled to integrate to one over the grid.

    What lies outside the grid is not known to it: an energy that grows there has less mass than is shown.
    """
    with torch.no_grad():
        logs = log_density(grid(half, cells))
    mass = torch.softmax(logs, 0)  # of each square
    return (mass / (2 * half / cells) ** 2).reshape(cells, cells)


def histogram(x: Tensor, half: float, cells: int) -> Tensor:
    """The density of points, (N, 2), by counting them in the squares of the same grid, (cells, cells)."""
    place = torch.floor((x + half) / (2 * half) * cells)
    inside = ((place >= 0) & (place < cells)).all(-1)
    across, down = place[inside].long().unbind(-1)
    counts = torch.zeros(cells * cells, dtype=torch.float64)
    counts.index_add_(0, (cells - 1 - down) * cells + across, torch.ones(int(inside.sum()), dtype=torch.float64))
    return (counts / (len(x) * (2 * half / cells) ** 2)).reshape(cells, cells)
