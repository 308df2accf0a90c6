"""Langevin, Tweedie's formula and densities on a grid, on normal laws where everything is known."""

from __future__ import annotations

import math

import numpy as np
import torch

from bench.data import digits
from bench.train import sampling

CHAINS = 40_000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def near(x: torch.Tensor, mean: float, variance: float) -> None:
    """Mean and variance within five standard errors: each fails falsely in less than one seed of a million."""
    assert abs(float(x.mean()) - mean) < 5 * math.sqrt(variance / len(x))
    assert abs(float(x.var()) - variance) < 5 * variance * math.sqrt(2 / len(x))


def test_langevin_has_the_mean_and_the_variance_of_its_stationary_law():
    mean, variance, step = 3.0, 0.5, 0.4
    start = torch.zeros(CHAINS, 1)

    def ends(steps: int) -> torch.Tensor:
        return sampling.langevin(lambda x: (mean - x) / variance, start, step, steps, seeded())

    near(ends(60), mean, variance / (1 - step / (4 * variance)))  # a quarter above that of the density
    assert torch.equal(ends(60), ends(60)) and not start.any()


def test_annealed_langevin_has_the_variance_of_its_recursion():
    """Of normal data with variance v, from where it begins: w' = (1 − α_k/2(v + σ_k²))² w + α_k."""
    v, sigmas, step, steps = 0.3, (2.0, 0.8, 0.4), 0.05, 4
    x = 3.0 * torch.randn(CHAINS, 1, dtype=torch.float64, generator=seeded(1))
    asked: list[float] = []

    def score(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        assert sigma.shape == (CHAINS, 1)
        asked.append(float(sigma[0]))
        return -x / (v + sigma**2)

    ends = sampling.annealed_langevin(score, x, sigmas, step, steps, seeded())
    w = 9.0
    for sigma in sigmas:
        for _ in range(steps):
            alpha = step * sigma**2 / sigmas[-1] ** 2
            w = (1 - alpha / (2 * (v + sigma**2))) ** 2 * w + alpha
    near(ends, 0.0, w)
    assert np.allclose(asked, np.repeat(sigmas, steps))


def test_tweedies_formula_is_the_posterior_mean_of_a_normal_prior():
    mean, v, sigma = 1.5, 0.7, 0.9
    x = torch.linspace(-4, 4, 9, dtype=torch.float64).unsqueeze(-1)
    found = sampling.denoised(lambda x: (mean - x) / (v + sigma**2), x, sigma)
    torch.testing.assert_close(found, (v * x + sigma**2 * mean) / (v + sigma**2), rtol=1e-14, atol=1e-14)


def test_a_grids_density_integrates_to_one_and_lies_where_the_points_do():
    half, cells = 6.0, 64
    mean = torch.tensor([1.5, -2.5], dtype=torch.float64)
    density = sampling.grid_density(lambda x: 700.0 - 0.5 * (x - mean).square().sum(-1), half, cells)  # exp overflows
    area = (2 * half / cells) ** 2
    assert abs(float(density.sum()) * area - 1) < 1e-12
    exact = torch.exp(-0.5 * (sampling.grid(half, cells) - mean).square().sum(-1)) / (2 * math.pi)
    torch.testing.assert_close(density.reshape(-1), exact, rtol=1e-3, atol=1e-6)  # 4e-4 of the mass is off the square
    points = mean + torch.randn(200_000, 2, dtype=torch.float64, generator=seeded())
    counted = sampling.histogram(points, half, cells)
    assert abs(float(counted.sum()) * area - 1) < 2e-3
    assert float((counted - density).abs().sum()) * area < 0.08  # total variation of the counts' own noise: 0.05
    down, across = divmod(int(density.argmax()), cells)
    assert down > cells / 2 and across > cells / 2  # x₂ points up, x₁ to the right


def test_digits_are_images_again():
    rows = digits.make(64, 1000)
    assert np.abs(digits.to_pixels(rows) - digits.make_pixels(64, 1000)).max() < 1e-12
    far = digits.to_pixels(rows + 50.0)
    assert far.min() >= 0 and far.max() == 1.0
